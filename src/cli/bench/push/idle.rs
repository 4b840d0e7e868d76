//! What a server costs of which nothing is asked, with and without a client that listens.
#![expect(clippy::disallowed_methods, reason = "a bench lets time go by")]

use std::thread;
use std::time::{Duration, Instant};

use super::stand::subscribed;
use crate::cli::bench::Plan;
use crate::cli::bench::client::Server;
use crate::cli::bench::figures::{grouped, millis, ratio};
use crate::cli::bench::report::{Column, Ratio, Report};
use crate::cli::bench::scratch::Scratch;
use crate::cli::bench::usage::CpuTime;
use crate::cli::bench::workload::{filled, read};

const COLUMNS: &[Column] = &[
    Column { key: "cpu_ms", heading: "CPU ms", decimals: 3 },
    Column { key: "percent_of_a_core", heading: "% of a core", decimals: 4 },
];

/// All are idle at the same time, each on a store of its own.
pub(super) fn run(plan: &Plan) -> anyhow::Result<Report> {
    let span = if plan.quick { Duration::from_millis(500) } else { Duration::from_secs(20) };
    let keys = plan.keys(1_000);
    let stores = [Scratch::new(&plan.dir)?, filled(&plan.dir, keys)?, filled(&plan.dir, keys)?];
    let [aside, heard, unheard] = &stores;
    let mut echo = Server::start(aside, &["bench", "echo-server", "--pipes"], &[])?;
    echo.initialize()?;
    let mut listening = subscribed(heard, keys)?;
    let mut deaf = Server::mindcache(unheard, &[])?;
    deaf.initialize_unconfirmed()?;
    for server in [&mut listening, &mut deaf] {
        // Its store is open from here on.
        server.call(&read(0, keys))?;
    }
    let servers = [echo, deaf, listening];
    let before = servers.each_ref().map(|server| CpuTime::when_quiet(server.pid()));
    let begun = Instant::now();
    thread::sleep(span);
    let after = servers.each_ref().map(|server| CpuTime::when_quiet(server.pid()));
    let elapsed = begun.elapsed();
    for server in servers {
        server.close()?;
    }
    let spent = |nth: usize| {
        let (before, after) = (before.get(nth)?.as_ref()?, after.get(nth)?.as_ref()?);
        Some(millis(after.since(before)))
    };
    let percent = |nth| ratio(spent(nth), Some(millis(elapsed))).map(|part| part * 100.0);
    let row = |what: &str, nth| (what.to_owned(), vec![spent(nth), percent(nth)]);
    let figure = |key, label: &str, nth, aim| Ratio { key, label: label.to_owned(), value: percent(nth), aim };
    Ok(Report {
        name: "push_idle",
        about: format!("CPU of idle servers over {:.1} s, {} keys", elapsed.as_secs_f64(), grouped(keys)),
        columns: COLUMNS,
        rows: vec![
            row("echo tool on rmcp (baseline)", 0),
            row("nobody listens", 1),
            row("a client has subscribed to all keys", 2),
        ],
        ratios: vec![
            figure("without_listener_percent", "% of a core, nobody listens", 1, "at most 0.02"),
            figure("with_listener_percent", "% of a core, with a listener", 2, "at most 0.3"),
        ],
    })
}
