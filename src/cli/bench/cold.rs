//! `bench cold`: what a client waits for when it starts its server, with keys in the store,
//! beside a bare start of the same binary.
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::Plan;
use super::client::{Server, same_binary_alone};
use super::figures::{grouped, median, median_known, median_ratio, millis, percentile};
use super::report::{Column, Ratio, Report};
use super::scratch::Scratch;
use super::usage::{CpuTime, pss_mib};
use super::workload::filled;

const COLUMNS: &[Column] = &[
    Column { key: "initialize_ms", heading: "initialize ms", decimals: 2 },
    Column { key: "tools_list_ms", heading: "tools/list ms", decimals: 2 },
    Column { key: "tools_list_p90_ms", heading: "p90 ms", decimals: 2 },
    Column { key: "cpu_ms", heading: "CPU ms", decimals: 2 },
    Column { key: "pss_mib", heading: "PSS MiB", decimals: 2 },
    Column { key: "exit_ms", heading: "exit ms", decimals: 2 },
];

/// What the starts on one store took, a sample each.
#[derive(Default)]
struct Starts {
    initialize: Vec<f64>,
    tools_list: Vec<f64>,
    cpu: Vec<Option<f64>>,
    pss: Vec<Option<f64>>,
    exit: Vec<f64>,
}

/// Starts servers on a small and on a large store and the bare binary in turn.
pub(super) fn run(plan: &Plan, many: u64) -> anyhow::Result<Report> {
    let runs = if plan.quick { 5 } else { 30 };
    let (few, many) = (plan.keys(1_000), plan.keys(many));
    let small = filled(&plan.dir, few)?;
    let large = filled(&plan.dir, many)?;
    let mut bare = Vec::new();
    let (mut with_few, mut with_many) = (Starts::default(), Starts::default());
    // One start of each beforehand: the first after loading finds cold caches.
    with_few.add(&small)?;
    with_many.add(&large)?;
    (with_few, with_many) = (Starts::default(), Starts::default());
    for _ in 0..runs {
        bare.push(millis(bare_start()?));
        with_few.add(&small)?;
        with_many.add(&large)?;
    }
    let ratio = |key, label: &str, value, aim| Ratio { key, label: label.to_owned(), value, aim };
    let known = |walls: &[f64]| walls.iter().copied().map(Some).collect::<Vec<_>>();
    let (wall_few, wall_many) = (known(&with_few.tools_list), known(&with_many.tools_list));
    Ok(Report {
        name: "cold",
        about: format!("start to the reply to tools/list, medians of {runs} interleaved starts"),
        columns: COLUMNS,
        rows: vec![
            ("bare start (--version)".to_owned(), bare_row(&bare)),
            (format!("{} keys", grouped(few)), with_few.row()),
            (format!("{} keys", grouped(many)), with_many.row()),
        ],
        ratios: vec![
            ratio("wall_growth", "wall, many keys over few", median_ratio(&wall_many, &wall_few), "at most 1.3"),
            ratio("cpu_growth", "CPU, many keys over few", median_ratio(&with_many.cpu, &with_few.cpu), "at most 1.3"),
            ratio("over_bare_start", "wall over a bare start", median_ratio(&wall_few, &known(&bare)), ""),
        ],
    })
}

impl Starts {
    fn add(&mut self, store: &Scratch) -> anyhow::Result<()> {
        let mut server = Server::mindcache(store, &[])?;
        self.initialize.push(millis(server.initialize()?));
        self.tools_list.push(millis(server.list_tools()?.since_start));
        self.cpu.push(CpuTime::when_quiet(server.pid()).map(|cpu| millis(cpu.total())));
        self.pss.push(pss_mib(server.pid()));
        self.exit.push(millis(server.close()?));
        Ok(())
    }

    fn row(&self) -> Vec<Option<f64>> {
        vec![
            median(&self.initialize),
            median(&self.tools_list),
            percentile(&self.tools_list, 90),
            median_known(self.cpu.iter().copied()),
            median_known(self.pss.iter().copied()),
            median(&self.exit),
        ]
    }
}

/// A start that does nothing, from spawn to exit: its wall stands in the `tools/list` column.
fn bare_row(bare: &[f64]) -> Vec<Option<f64>> {
    vec![None, median(bare), percentile(bare, 90), None, None, None]
}

fn bare_start() -> anyhow::Result<Duration> {
    let mut command = same_binary_alone()?;
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let started = Instant::now();
    let status = command.status().context("cannot start the binary")?;
    let took = started.elapsed();
    if !status.success() {
        bail!("a bare start ended with {status}");
    }
    Ok(took)
}
