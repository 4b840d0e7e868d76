//! `bench cold`, its second table: one command of the command line from process start to its end, beside a process of
//! the same binary that does nothing.
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context as _, bail};

use super::Plan;
use super::client::same_binary_alone;
use super::figures::{grouped, median, median_known, millis, number, percentile, ratio};
use super::report::{Column, Ratio, Report};
use super::scratch::Scratch;
use super::usage::children_ms;
use super::workload::{filled, key, scattered};

const COLUMNS: &[Column] = &[
    Column { key: "wall_ms", heading: "wall ms", decimals: 2 },
    Column { key: "wall_p90_ms", heading: "p90 ms", decimals: 2 },
    Column { key: "cpu_ms", heading: "CPU ms", decimals: 2 },
];

/// Runs of one command: the wall of each, and the CPU time of each block of them.
#[derive(Default)]
struct Runs {
    wall: Vec<f64>,
    cpu: Vec<Option<f64>>,
}

/// Blocks of `mindcache --version` and of `mindcache get KEY` in turn. The system counts the CPU time of processes
/// that have ended in steps of 10 ms: over a block of some size the steps do not matter.
pub(super) fn run(plan: &Plan) -> anyhow::Result<Report> {
    let (blocks, each) = if plan.quick { (1, 25) } else { (5, 50) };
    let keys = plan.keys(1_000);
    let store = filled(&plan.dir, keys)?;
    let (mut bare, mut get) = (Runs::default(), Runs::default());
    let named = |turn| vec!["get".to_owned(), key(scattered(turn, keys))];
    // The first process after loading finds cold caches.
    ended(&store, &named(0))?;
    for block in 0..blocks {
        bare.add(&store, each, &|_| vec!["--version".to_owned()])?;
        get.add(&store, each, &|turn| named(block * each + turn))?;
    }
    let over = |kind, get: Option<f64>, bare| Ratio {
        key: kind,
        label: kind.replace('_', " "),
        value: ratio(get, bare),
        aim: "",
    };
    let cpu = |runs: &Runs| median_known(runs.cpu.iter().copied());
    Ok(Report {
        name: "cold_get",
        about: format!("from process start to its end, {} keys, {} runs of each", grouped(keys), blocks * each),
        columns: COLUMNS,
        rows: vec![("bare process (--version)".to_owned(), bare.row()), ("mindcache get KEY".to_owned(), get.row())],
        ratios: vec![
            Ratio { key: "cpu_ms", label: "CPU ms of get".to_owned(), value: cpu(&get), aim: "at most 8" },
            over("wall_over_bare", median(&get.wall), median(&bare.wall)),
            over("cpu_over_bare", cpu(&get), cpu(&bare)),
        ],
    })
}

impl Runs {
    fn add(&mut self, store: &Scratch, count: u64, args: &dyn Fn(u64) -> Vec<String>) -> anyhow::Result<()> {
        let before = children_ms();
        for turn in 0..count {
            self.wall.push(ended(store, &args(turn))?);
        }
        let spent = children_ms().zip(before).map(|(after, before)| after - before);
        self.cpu.push(ratio(spent, Some(number(count))));
        Ok(())
    }

    fn row(&self) -> Vec<Option<f64>> {
        vec![median(&self.wall), percentile(&self.wall, 90), median_known(self.cpu.iter().copied())]
    }
}

/// Runs this binary to its end; answers how long that took, in milliseconds.
fn ended(store: &Scratch, args: &[String]) -> anyhow::Result<f64> {
    let mut command = same_binary_alone()?;
    command.args(args).env("MINDCACHE_DATA_DIR", store.store());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let started = Instant::now();
    let status = command.status().context("cannot start the binary")?;
    let took = millis(started.elapsed());
    if !status.success() {
        bail!("`mindcache {}` ended with {status}", args.join(" "));
    }
    Ok(took)
}
