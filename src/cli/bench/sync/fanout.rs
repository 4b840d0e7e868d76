//! One writer and a thousand who hear it, beside a bare broadcast of messages of the same size.

use anyhow::Context as _;
use tokio::runtime::Runtime;

use crate::cli::bench::Plan;
use crate::cli::bench::client::HttpServer;
use crate::cli::bench::figures::{grouped, median, median_known, median_ratio, micros, number, percentile, ratio};
use crate::cli::bench::report::{Column, Ratio, Report};
use crate::cli::bench::scratch::Scratch;
use crate::cli::bench::usage::CpuTime;

use super::crowd::{Crowd, Form, Published, Round};
use super::socket::{Door, Socket};
use super::stand::{Stand, name};

const COLUMNS: &[Column] = &[
    Column { key: "messages_per_s", heading: "messages/s", decimals: 0 },
    Column { key: "p50_ms", heading: "lag p50 ms", decimals: 2 },
    Column { key: "p99_ms", heading: "lag p99 ms", decimals: 2 },
    Column { key: "cpu_us_per_message", heading: "CPU us/message", decimals: 2 },
    Column { key: "bytes", heading: "bytes", decimals: 0 },
];
/// Messages under way: many for the rate, one alone for the lag.
const WINDOWS: [usize; 2] = [64, 1];
/// Of messages that go alone there are so many times fewer.
const ALONE: usize = 8;
const VALUE_BYTES: usize = 200;

/// One server with so many messages under way, over all rounds.
struct Lane {
    place: usize,
    window: usize,
    rounds: Vec<(Published, Option<f64>)>,
}

/// Rounds of the bare broadcast and of mindcache, with many messages under way and with one.
pub(super) fn run(plan: &Plan) -> anyhow::Result<Report> {
    let (hearers, messages, rounds) = if plan.quick { (100, 40, 1) } else { (1_000, 400, 3) };
    let aside = Scratch::new(&plan.dir)?;
    let bare = HttpServer::start(&aside, &["bench", "broadcast-server"])?;
    let own = Stand::new(plan, 1, &[])?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut ours = runtime.block_on(async {
        let writer = own.door.synced(&name(0)).await?;
        anyhow::Ok(Crowd::new(Form::Set(VALUE_BYTES), writer, opened(&own.door, Some(&name(0)), hearers).await?))
    })?;
    // Its messages are as large as ours: one of ours shows how large that is.
    let bytes = runtime.block_on(ours.publish(Round { messages: 1, window: 1 }))?.bytes;
    let theirs = runtime.block_on(async {
        let door = Door::of(&bare);
        let writer = door.open("/").await?;
        anyhow::Ok(Crowd::new(Form::Bare(bytes), writer, opened(&door, None, hearers).await?))
    })?;
    let mut crowds = [(bare.pid(), theirs), (own.server.pid(), ours)];
    let mut lanes = Vec::new();
    for window in WINDOWS {
        lanes.extend([0, 1].map(|place| Lane { place, window, rounds: Vec::new() }));
    }
    for round in 0..=rounds {
        for lane in &mut lanes {
            let (pid, crowd) = crowds.get_mut(lane.place).context("no such server")?;
            let messages = if lane.window == 1 { messages / ALONE } else { messages };
            let measured = measured(&runtime, *pid, crowd, Round { messages, window: lane.window })?;
            // The first round warms up.
            if round > 0 {
                lane.rounds.push(measured);
            }
        }
    }
    let about = format!(
        "messages from one writer to {} sockets at one instance, {messages} a round, an eighth of those that go alone, {rounds} rounds; the next goes out \
         when one of those under way has come to all; CPU is the server's",
        grouped(hearers)
    );
    let rows = lanes.iter().map(|lane| lane.row(hearers)).collect();
    Ok(Report { name: "sync_fanout", about, columns: COLUMNS, rows, ratios: ratios(&lanes) })
}

fn ratios(lanes: &[Lane]) -> Vec<Ratio> {
    let [Some(bare), Some(ours), Some(bare_alone), Some(ours_alone)] = [0, 1, 2, 3].map(|nth| lanes.get(nth)) else {
        return Vec::new();
    };
    let over =
        |key, label: &str, [part, base]: [&Lane; 2], figure: fn(&(Published, Option<f64>)) -> Option<f64>, aim| {
            let each = |lane: &Lane| lane.rounds.iter().map(figure).collect::<Vec<_>>();
            Ratio { key, label: label.to_owned(), value: median_ratio(&each(part), &each(base)), aim }
        };
    let p99 = |(published, _): &(Published, Option<f64>)| percentile(&published.lags, 99);
    vec![
        over("rate", "messages/s over the bare broadcast", [ours, bare], |(each, _)| each.per_second(), "at least 0.3"),
        over("cpu", "CPU a message over the bare broadcast", [ours, bare], |(_, cpu)| *cpu, ""),
        over("lag_p99", "p99 lag over the bare broadcast", [ours, bare], p99, ""),
        over("alone_lag_p99", "the same of messages alone, flush included", [ours_alone, bare_alone], p99, ""),
    ]
}

/// Sockets at an instance, with their state read; or at the bare broadcast.
pub(super) async fn opened(door: &Door, instance: Option<&str>, count: u64) -> anyhow::Result<Vec<Socket>> {
    let mut sockets = Vec::new();
    for _ in 0..count {
        sockets.push(match instance {
            Some(instance) => door.synced(instance).await?,
            None => door.open("/").await?,
        });
    }
    Ok(sockets)
}

fn measured(runtime: &Runtime, pid: u32, crowd: &mut Crowd, round: Round) -> anyhow::Result<(Published, Option<f64>)> {
    let before = CpuTime::when_quiet(pid);
    let published = runtime.block_on(crowd.publish(round))?;
    let after = CpuTime::when_quiet(pid);
    let spent = before.zip(after).map(|(before, after)| micros(after.since(&before)));
    let cpu = ratio(spent, Some(number(published.heard)));
    Ok((published, cpu))
}

impl Lane {
    fn row(&self, hearers: u64) -> (String, Vec<Option<f64>>) {
        let who = if self.place == 0 { "bare broadcast" } else { "mindcache" };
        let lags: Vec<f64> = self.rounds.iter().flat_map(|(published, _)| published.lags.iter().copied()).collect();
        let bytes = self.rounds.first().and_then(|(published, _)| u64::try_from(published.bytes).ok());
        let figures = vec![
            median_known(self.rounds.iter().map(|(published, _)| published.per_second())),
            median(&lags),
            percentile(&lags, 99),
            median_known(self.rounds.iter().map(|(_, cpu)| *cpu)),
            bytes.map(number),
        ];
        (format!("{who}, {} hearers, {} under way", grouped(hearers), self.window), figures)
    }
}
