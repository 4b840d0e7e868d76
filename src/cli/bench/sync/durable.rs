//! Sets that are acknowledged when they are durable, on one instance and on many, beside the disk's own flush.
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::runtime::Runtime;

use crate::cli::bench::Plan;
use crate::cli::bench::figures::{median, median_known, micros, number, percentile, ratio};
use crate::cli::bench::report::{Column, Ratio, Report};
use crate::cli::bench::usage::CpuTime;
use crate::cli::bench::write::flushes;

use super::fleet::{Fleet, Flown};
use super::stand::{Stand, name};

const COLUMNS: &[Column] = &[
    Column { key: "sets_per_s", heading: "sets/s", decimals: 0 },
    Column { key: "p50_ms", heading: "p50 ms", decimals: 2 },
    Column { key: "p99_ms", heading: "p99 ms", decimals: 2 },
    Column { key: "cpu_us_per_set", heading: "CPU us/set", decimals: 0 },
    Column { key: "over_one_by_one", heading: "x one by one", decimals: 2 },
];
/// The disk as it is, and a slow one.
const DELAYS_MS: [u64; 2] = [0, 2];
const INSTANCES: [u64; 3] = [1, 10, 100];
/// Sets that a client keeps under way which does not wait for each: over all instances, or at each.
const PIPELINED: u64 = 64;
/// What a server needs for a set beside its flush that does one set after the other.
const BESIDE_FLUSH_MS: f64 = 0.2;
/// Ratios of what is pipelined: over all instances, and at each.
const KEYS: [[&str; 5]; 2] = [
    ["own_disk_1", "own_disk_10", "own_disk_100", "own_disk_each_of_10", "own_disk_each_of_100"],
    ["slow_disk_1", "slow_disk_10", "slow_disk_100", "slow_disk_each_of_10", "slow_disk_each_of_100"],
];
const AIMS: [&str; 2] = ["at least 4 at 0.1 ms a flush", "at least 10"];

/// One number of instances and sets under way, over all rounds.
struct Lane {
    instances: u64,
    in_flight: u64,
    rounds: Vec<Sample>,
}

struct Sample {
    flown: Flown,
    cpu_us: Option<f64>,
    /// Sets per second over those that one after the other would make with the flush of this round.
    over_one_by_one: Option<f64>,
}

/// Rounds of a flush and of each number of instances and sets under way.
pub(super) fn run(plan: &Plan) -> anyhow::Result<Report> {
    let (mut rows, mut ratios) = (Vec::new(), Vec::new());
    for ((delay, keys), aim) in DELAYS_MS.into_iter().zip(KEYS).zip(AIMS) {
        let over_all = INSTANCES.into_iter().flat_map(|instances| [1, PIPELINED].map(|many| Lane::of(instances, many)));
        let (flushes, mut lanes) = measured(plan, delay, over_all.collect())?;
        // These write so much that what is to be tidied after them would be in the way of the others.
        let at_each = INSTANCES.into_iter().skip(1).map(|instances| Lane::of(instances, PIPELINED * instances));
        lanes.extend(measured(plan, delay, at_each.collect())?.1);
        let disk = if delay == 0 { String::new() } else { format!(", {delay} ms slower") };
        let floor = vec![median(&flushes).map(|ms| 1e3 / ms), median(&flushes), percentile(&flushes, 99), None, None];
        rows.push((format!("flush of 4 KiB{disk}"), floor));
        rows.extend(lanes.iter().map(|lane| lane.row(&disk)));
        let pipelined = lanes.iter().filter(|lane| lane.in_flight > 1);
        for (lane, key) in pipelined.zip(keys) {
            let label = format!("{} over one by one{disk}", lane.name());
            ratios.push(Ratio { key, label, value: lane.over_one_by_one(), aim });
        }
    }
    let about = format!(
        "sets of 200 bytes over WebSockets, one at each instance, with so many in flight over all of them or at each, \
         to the acknowledgement, which comes when the set is durable; one by one is 1 / ({BESIDE_FLUSH_MS} ms + a flush), \
         whatever the number of instances"
    );
    Ok(Report { name: "sync", about, columns: COLUMNS, rows, ratios })
}

fn measured(plan: &Plan, delay_ms: u64, mut lanes: Vec<Lane>) -> anyhow::Result<(Vec<f64>, Vec<Lane>)> {
    let (rounds, span) = if plan.quick { (1, 150) } else { (3, 1_000) };
    let span = Duration::from_millis(span);
    let most = INSTANCES.into_iter().max().unwrap_or_default();
    let stand = Stand::slowed(plan, most, delay_ms)?;
    // One thread, so that none is woken between a set and its acknowledgement but the server's.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut all = Vec::new();
    for round in 0..=rounds {
        let (flushes, _) = flushes(&stand.scratch, span, delay_ms)?;
        let one_by_one = median(&flushes).map(|ms| 1e3 / (BESIDE_FLUSH_MS + ms));
        for lane in &mut lanes {
            let sample = flight(&runtime, &stand, lane, if round == 0 { span / 4 } else { span })?;
            // The first round warms up.
            if round > 0 {
                let over_one_by_one = ratio(sample.flown.per_second(), one_by_one);
                lane.rounds.push(Sample { over_one_by_one, ..sample });
            }
        }
        all.extend(flushes);
    }
    Ok((all, lanes))
}

/// On sockets of its own.
fn flight(runtime: &Runtime, stand: &Stand, lane: &Lane, span: Duration) -> anyhow::Result<Sample> {
    let mut fleet = runtime.block_on(async {
        let mut sockets = Vec::new();
        for number in 0..lane.instances {
            sockets.push(stand.door.synced(&name(number)).await?);
        }
        anyhow::Ok(Fleet::of(sockets))
    })?;
    let before = CpuTime::when_quiet(stand.server.pid());
    let begun = Instant::now();
    let flown = runtime
        .block_on(fleet.fly(usize::try_from(lane.in_flight)?, &|| begun.elapsed() < span))
        .with_context(|| format!("{}, {} in flight", lane.name(), lane.in_flight))?;
    let after = CpuTime::when_quiet(stand.server.pid());
    let spent = before.zip(after).map(|(before, after)| micros(after.since(&before)));
    Ok(Sample { cpu_us: ratio(spent, Some(number(flown.sets()))), flown, over_one_by_one: None })
}

impl Lane {
    fn of(instances: u64, in_flight: u64) -> Self {
        Self { instances, in_flight, rounds: Vec::new() }
    }

    fn name(&self) -> String {
        let many = if self.instances == 1 { "" } else { "s" };
        let (in_flight, each) = if self.in_flight > PIPELINED { (PIPELINED, " at each") } else { (self.in_flight, "") };
        format!("{} instance{many}, {in_flight} in flight{each}", self.instances)
    }

    fn over_one_by_one(&self) -> Option<f64> {
        median_known(self.rounds.iter().map(|sample| sample.over_one_by_one))
    }

    fn row(&self, disk: &str) -> (String, Vec<Option<f64>>) {
        let trips: Vec<f64> = self.rounds.iter().flat_map(|sample| sample.flown.trips.iter().copied()).collect();
        let figures = vec![
            median_known(self.rounds.iter().map(|sample| sample.flown.per_second())),
            median(&trips),
            percentile(&trips, 99),
            median_known(self.rounds.iter().map(|sample| sample.cpu_us)),
            self.over_one_by_one(),
        ];
        (format!("{}{disk}", self.name()), figures)
    }
}
