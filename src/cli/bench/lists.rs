//! `bench lists`: what `tools/list` takes and weighs with few and with many keys.
//! It is asked for at every start and after each `list_changed`, and every byte of it is paid in
//! each conversation.

use super::Plan;
use super::client::{Listed, Server};
use super::figures::{grouped, median, micros, number, percentile, ratio};
use super::report::{Column, Ratio, Report};
use super::workload::filled;

const COLUMNS: &[Column] = &[
    Column { key: "p50_us", heading: "p50 us", decimals: 0 },
    Column { key: "p99_us", heading: "p99 us", decimals: 0 },
    Column { key: "tools", heading: "tools", decimals: 0 },
    Column { key: "kib", heading: "KiB", decimals: 1 },
];
const FEW: u64 = 10;
const MANY: u64 = 500;
const WARM_UP: usize = 5;

/// What the lists of one server took, and the last of them.
#[derive(Default)]
struct Lists {
    took: Vec<f64>,
    last: Option<Listed>,
}

/// Both servers run at once and answer in turn.
pub(super) fn run(plan: &Plan) -> anyhow::Result<Report> {
    let turns = if plan.quick { 20 } else { 300 };
    let (small, large) = (filled(&plan.dir, FEW)?, filled(&plan.dir, MANY)?);
    let (mut with_few, mut with_many) = (Server::mindcache(&small, &[])?, Server::mindcache(&large, &[])?);
    with_few.initialize()?;
    with_many.initialize()?;
    let (mut of_few, mut of_many) = (Lists::default(), Lists::default());
    for turn in 0..WARM_UP + turns {
        // Each goes first as often: the second finds a processor that is awake.
        if turn.is_multiple_of(2) {
            of_few.add(&mut with_few, turn)?;
            of_many.add(&mut with_many, turn)?;
        } else {
            of_many.add(&mut with_many, turn)?;
            of_few.add(&mut with_few, turn)?;
        }
    }
    with_few.close()?;
    with_many.close()?;
    let growth = ratio(median(&of_many.took), median(&of_few.took));
    let figure = |key, label: &str, value, aim| Ratio { key, label: label.to_owned(), value, aim };
    Ok(Report {
        name: "lists",
        about: format!("tools/list over stdio, {turns} each in turn"),
        columns: COLUMNS,
        rows: vec![of_few.row(FEW), of_many.row(MANY)],
        ratios: vec![
            figure("growth", "p50, fifty times the keys", growth, "at most 1.5"),
            figure("tools", "tools with many keys", of_many.tools(), "at most 40"),
            figure("kib", "KiB with many keys", of_many.kib(), "at most 16"),
        ],
    })
}

impl Lists {
    fn add(&mut self, server: &mut Server, turn: usize) -> anyhow::Result<()> {
        let listed = server.list_tools()?;
        if turn >= WARM_UP {
            self.took.push(micros(listed.took));
        }
        self.last = Some(listed);
        Ok(())
    }

    fn tools(&self) -> Option<f64> {
        Some(number(u64::try_from(self.last.as_ref()?.tools).ok()?))
    }

    fn kib(&self) -> Option<f64> {
        Some(number(u64::try_from(self.last.as_ref()?.bytes).ok()?) / 1024.0)
    }

    fn row(&self, keys: u64) -> (String, Vec<Option<f64>>) {
        let figures = vec![median(&self.took), percentile(&self.took, 99), self.tools(), self.kib()];
        (format!("{} keys", grouped(keys)), figures)
    }
}
