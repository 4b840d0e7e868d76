//! From a write's reply to the notification: each write to another key, since the notifications of
//! one key have a least distance.
#![expect(clippy::disallowed_methods, reason = "a bench spaces its writes and measures time")]

use std::thread;
use std::time::{Duration, Instant};

use super::stand::Stand;
use crate::cli::bench::Plan;
use crate::cli::bench::client::{Call, Server};
use crate::cli::bench::echo::TOOL;
use crate::cli::bench::figures::{median, millis, percentile};
use crate::cli::bench::report::{Column, Ratio, Report};
use crate::cli::bench::scratch::Scratch;
use crate::cli::bench::workload::{scattered, uri, value, write};

const COLUMNS: &[Column] = &[
    Column { key: "p50_ms", heading: "p50 ms", decimals: 3 },
    Column { key: "p99_ms", heading: "p99 ms", decimals: 3 },
    Column { key: "max_ms", heading: "max ms", decimals: 3 },
    Column { key: "since_request_ms", heading: "since request", decimals: 3 },
];
const WARM_UP: u64 = 5;

/// A stand and its samples in milliseconds.
struct Lane {
    name: &'static str,
    stand: Stand,
    samples: Vec<f64>,
    /// From the request of the write on.
    whole: Vec<f64>,
}

/// Writes at all stands in turn, and an echo's round trip over pipes with each.
pub(super) fn run(plan: &Plan) -> anyhow::Result<Report> {
    let (keys, writes) = (plan.keys(1_000), plan.keys(300));
    let lane = |name, stand| Lane { name, stand, samples: Vec::new(), whole: Vec::new() };
    let mut lanes = [
        lane("stdio, written by itself", Stand::over_pipes(plan, keys, true)?),
        lane("stdio, written by another process", Stand::over_pipes(plan, keys, false)?),
        lane("HTTP, written in the same process", Stand::over_http(plan, keys, true)?),
        lane("HTTP, written by another process", Stand::over_http(plan, keys, false)?),
    ];
    let aside = Scratch::new(&plan.dir)?;
    let mut echo = Server::start(&aside, &["bench", "echo-server", "--pipes"], &[])?;
    echo.initialize()?;
    let mut echoes = Vec::new();
    for turn in 0..WARM_UP + writes {
        thread::sleep(pause(turn));
        let call = Call { name: TOOL.into(), arguments: serde_json::json!({"text": value(turn)}) };
        echoes.push(millis(echo.call(&call)?.took()));
        for lane in &mut lanes {
            let (took, whole) = lane.stand.time(turn)?;
            if turn >= WARM_UP {
                lane.samples.push(millis(took));
                lane.whole.push(millis(whole));
            }
        }
    }
    echo.close()?;
    let row = |samples: &[f64], whole: &[f64]| {
        vec![median(samples), percentile(samples, 99), percentile(samples, 100), median(whole)]
    };
    let mut rows = vec![("echo round trip on pipes (baseline)".to_owned(), row(&echoes, &echoes))];
    rows.extend(lanes.iter().map(|lane| (lane.name.to_owned(), row(&lane.samples, &lane.whole))));
    let [_, other_pipes, _, other_http] = &lanes;
    let other = |key, label: &str, lane: &Lane| Ratio {
        key,
        label: label.to_owned(),
        value: percentile(&lane.samples, 99),
        aim: "at most 50",
    };
    Ok(Report {
        name: "push",
        about: format!(
            "a write's reply to the notification, p50 also from its request, {writes} writes each, each to another subscribed key"
        ),
        columns: COLUMNS,
        rows,
        ratios: vec![
            other("other_process_p99_ms", "p99 ms, stdio, another process", other_pipes),
            other("http_other_process_p99_ms", "p99 ms, HTTP, another process", other_http),
        ],
    })
}

/// Ten to thirty milliseconds: in step with nothing that a server does now and then.
fn pause(turn: u64) -> Duration {
    Duration::from_millis(10 + scattered(turn, 21))
}

impl Stand {
    /// From the reply of a write to its notification, nothing if that came first, as it may; and from its request.
    fn time(&mut self, turn: u64) -> anyhow::Result<(Duration, Duration)> {
        // A value that no key has from the filling.
        let call = write(self.keys + turn, self.keys);
        let asked = Instant::now();
        let replied = self.write(&call)?;
        let told = self.told_of(&uri(scattered(turn, self.keys)))?;
        Ok((told.saturating_duration_since(replied), told.saturating_duration_since(asked)))
    }
}
