//! How soon a ping is answered at one instance while another is flooded with sets, beside the same at a bare broadcast.
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use tokio::runtime::Runtime;

use crate::cli::bench::Plan;
use crate::cli::bench::client::HttpServer;
use crate::cli::bench::figures::{median, median_known, millis, number, percentile, ratio};
use crate::cli::bench::report::{Column, Ratio, Report};
use crate::cli::bench::scratch::Scratch;

use super::broadcast::{PING, QUIET};
use super::fleet::{Fleet, Flown};
use super::socket::{Door, SILENCE};
use super::stand::{Stand, name};

const COLUMNS: &[Column] = &[
    Column { key: "p50_ms", heading: "p50 ms", decimals: 3 },
    Column { key: "p99_ms", heading: "p99 ms", decimals: 3 },
    Column { key: "sets_per_s", heading: "sets/s meanwhile", decimals: 0 },
];
/// Sets of the flood that are under way.
const IN_FLIGHT: usize = 64;
/// A slow disk.
const DELAY_MS: u64 = 2;
/// From an answer to the next ping.
const PAUSE: Duration = Duration::from_millis(1);

/// What is pinged, and what goes on meanwhile.
struct Lane {
    what: &'static str,
    place: usize,
    is_flooded: bool,
    pings: Vec<f64>,
    rates: Vec<Option<f64>>,
}

const LANES: [(&str, usize, bool); 5] = [
    ("bare broadcast, quiet", 0, false),
    ("bare broadcast, flooded by another socket", 0, true),
    ("quiet", 1, false),
    ("another instance flooded", 1, true),
    ("another instance flooded, flushes 2 ms slower", 2, true),
];

/// Rounds of pings while all is quiet, under a flood, and under one to a slow disk.
pub(super) fn run(plan: &Plan) -> anyhow::Result<Report> {
    let (rounds, count) = if plan.quick { (1, 100) } else { (5, 500) };
    let aside = Scratch::new(&plan.dir)?;
    let bare = HttpServer::start(&aside, &["bench", "broadcast-server"])?;
    let (own, slow) = (Stand::new(plan, 2, &[])?, Stand::slowed(plan, 2, DELAY_MS)?);
    let doors = [Door::of(&bare), own.door.clone(), slow.door.clone()];
    let mut lanes =
        LANES.map(|(what, place, is_flooded)| Lane { what, place, is_flooded, pings: Vec::new(), rates: Vec::new() });
    for _ in 0..rounds {
        for lane in &mut lanes {
            let door = doors.get(lane.place).context("no such server")?;
            lane.measure(door, count).context(lane.what)?;
        }
    }
    let [bare, bare_flooded, quiet, flooded, slow_flooded] = &lanes;
    let over = |key, label: &str, [part, base]: [&Lane; 2], percent, aim| {
        let value = ratio(percentile(&part.pings, percent), percentile(&base.pings, percent));
        Ratio { key, label: label.to_owned(), value, aim }
    };
    let ratios = vec![
        over("flood_p50", "p50, flooded over quiet", [flooded, quiet], 50, ""),
        over("flood_p99", "p99, flooded over quiet", [flooded, quiet], 99, ""),
        over("bare_flood_p50", "p50 of the bare broadcast, flooded over quiet", [bare_flooded, bare], 50, ""),
        over("bare_flood_p99", "p99 of the bare broadcast, flooded over quiet", [bare_flooded, bare], 99, ""),
        over("slow_flood_p50", "p50, flooded with slow flushes over quiet", [slow_flooded, quiet], 50, ""),
        Ratio {
            key: "slow_flood_in_flushes",
            label: "p50, flooded with slow flushes, in flushes of 2 ms".to_owned(),
            value: median(&slow_flooded.pings).map(|ms| ms / number(DELAY_MS)),
            aim: "far below 1: no ping waits for one",
        },
    ];
    let rows = lanes.iter().map(Lane::row).collect();
    let about = format!(
        "pings at one instance, {IN_FLIGHT} sets in flight at another, {} pings in {rounds} rounds",
        rounds * count
    );
    Ok(Report { name: "sync_ping", about, columns: COLUMNS, rows, ratios })
}

impl Lane {
    fn row(&self) -> (String, Vec<Option<f64>>) {
        let rate = median_known(self.rates.iter().copied());
        (self.what.to_owned(), vec![median(&self.pings), percentile(&self.pings, 99), rate])
    }

    fn is_bare(&self) -> bool {
        self.place == 0
    }

    /// Pings so often; the flood is another client, on a thread of its own.
    fn measure(&mut self, door: &Door, count: u64) -> anyhow::Result<()> {
        let runtime = runtime()?;
        if !self.is_flooded {
            let pings = runtime.block_on(pings(door, self.is_bare(), count))?;
            self.pings.extend(pings);
            return Ok(());
        }
        let (is_over, is_bare) = (AtomicBool::new(false), self.is_bare());
        let (begins, begun) = sync_channel::<()>(1);
        let (pings, flown) = thread::scope(|scope| {
            let flood = scope.spawn(|| flood(door, is_bare, &is_over, &begins));
            // An error: the flood has failed, and says so below.
            let begun = begun.recv_timeout(SILENCE);
            let pings = runtime.block_on(pings(door, is_bare, count));
            is_over.store(true, Ordering::Relaxed);
            let flown = flood.join().map_err(|_| anyhow!("the flooding thread died"))??;
            begun.context("the flood did not begin")?;
            anyhow::Ok((pings?, flown))
        })?;
        self.pings.extend(pings);
        self.rates.push(flown.per_second());
        Ok(())
    }
}

fn runtime() -> anyhow::Result<Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

fn flood(door: &Door, is_bare: bool, is_over: &AtomicBool, begins: &SyncSender<()>) -> anyhow::Result<Flown> {
    runtime()?.block_on(async {
        let socket = if is_bare { door.open("/").await? } else { door.synced(&name(0)).await? };
        begins.send(())?;
        Fleet::of(vec![socket]).fly(IN_FLIGHT, &|| !is_over.load(Ordering::Relaxed)).await
    })
}

async fn pings(door: &Door, is_bare: bool, count: u64) -> anyhow::Result<Vec<f64>> {
    let mut socket = if is_bare { door.open("/").await? } else { door.synced(&name(1)).await? };
    if is_bare {
        socket.send(QUIET).await?;
    }
    let mut pings = Vec::new();
    for _ in 0..count {
        let sent = Instant::now();
        socket.send(PING).await?;
        socket.next_of("pong").await?;
        pings.push(millis(sent.elapsed()));
        tokio::time::sleep(PAUSE).await;
    }
    Ok(pings)
}
