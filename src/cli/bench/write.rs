//! `bench write`: durable writes per second as callers grow, beside the disk's own flush.
//!
//! One caller commits each write alone; more share commits, so the gain is the flush's. The
//! floor is a bare `fdatasync` of a 4 KiB append on the same disk in the same round.
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Deserialize;

use super::Plan;
use super::client::Server;
use super::figures::{grouped, median, median_known, median_ratio, millis, number, ratio};
use super::figures::{per_second, percentile};
use super::flight::{Limit, fly};
use super::report::{Column, Ratio, Report};
use super::scratch::Scratch;
use super::workload::{filled, write};

const COLUMNS: &[Column] = &[
    Column { key: "writes_per_s", heading: "writes/s", decimals: 0 },
    Column { key: "commits_per_s", heading: "commits/s", decimals: 0 },
    Column { key: "writes_per_commit", heading: "writes/commit", decimals: 1 },
    Column { key: "p50_ms", heading: "p50 ms", decimals: 2 },
    Column { key: "p99_ms", heading: "p99 ms", decimals: 2 },
    Column { key: "cpu_us_per_write", heading: "CPU us/write", decimals: 0 },
    Column { key: "writes_over_one_caller", heading: "x 1 caller", decimals: 2 },
    Column { key: "commits_over_floor", heading: "commits/floor", decimals: 2 },
];
const CALLERS: [usize; 3] = [1, 8, 64];
/// Writes one by one before the measured ones; each is a commit of its own.
const WARM_UP: u64 = 10;

/// What a server notes at its end in the file named by `MINDCACHE_BENCH_STATS`.
#[derive(Deserialize)]
struct Stats {
    commits: u64,
    writes: u64,
}

/// One measurement: of the floor or of a number of callers in one round.
struct Sample {
    writes_per_s: Option<f64>,
    commits_per_s: Option<f64>,
    writes_per_commit: Option<f64>,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
    cpu_us: Option<f64>,
}

/// The disk and the wait that is added to each commit, here and in the server.
struct Setting<'a> {
    store: &'a Scratch,
    keys: u64,
    span: Duration,
    delay_ms: u64,
}

/// Five rounds of floor, 1, 8 and 64 callers; a commit, and a flush of the floor, each take
/// `delay_ms` longer, which shows how a slow disk fares.
pub(super) fn run(plan: &Plan, delay_ms: u64) -> anyhow::Result<Report> {
    let (rounds, span) = if plan.quick { (2, 200) } else { (5, 1_000) };
    let keys = plan.keys(1_000);
    let store = filled(&plan.dir, keys)?;
    let setting = Setting { store: &store, keys, span: Duration::from_millis(span), delay_ms };
    let mut floor = Vec::new();
    let mut by_callers: Vec<(usize, Vec<Sample>)> = CALLERS.map(|n| (n, Vec::new())).into();
    for _ in 0..rounds {
        floor.push(flush_floor(&setting)?);
        for (callers, samples) in &mut by_callers {
            samples.push(callers_write(&setting, *callers)?);
        }
    }
    Ok(report(&setting, &floor, &by_callers))
}

/// Appends and flushes 4 KiB again and again, each flush so many milliseconds slower; answers what each took, in
/// milliseconds, and all of them.
pub(super) fn flushes(store: &Scratch, span: Duration, delay_ms: u64) -> anyhow::Result<(Vec<f64>, Duration)> {
    let path = store.file("floor");
    let mut file = File::create(&path)?;
    let block = [0x5a_u8; 4096];
    let mut flushes = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < span {
        let at = Instant::now();
        file.write_all(&block)?;
        file.sync_data()?;
        std::thread::sleep(Duration::from_millis(delay_ms));
        flushes.push(millis(at.elapsed()));
    }
    let elapsed = begun.elapsed();
    fs::remove_file(&path)?;
    Ok((flushes, elapsed))
}

fn flush_floor(setting: &Setting<'_>) -> anyhow::Result<Sample> {
    let (flushes, elapsed) = flushes(setting.store, setting.span, setting.delay_ms)?;
    let rate = per_second(u64::try_from(flushes.len())?, elapsed);
    Ok(Sample {
        writes_per_s: rate,
        commits_per_s: rate,
        writes_per_commit: Some(1.0),
        p50_ms: median(&flushes),
        p99_ms: percentile(&flushes, 99),
        cpu_us: None,
    })
}

/// A server of its own for each measurement, so that its count of commits is of this one.
fn callers_write(setting: &Setting<'_>, callers: usize) -> anyhow::Result<Sample> {
    let stats = setting.store.file("stats.json");
    let delay = setting.delay_ms.to_string();
    let mut env: Vec<(&str, &OsStr)> = vec![("MINDCACHE_BENCH_STATS", stats.as_os_str())];
    if setting.delay_ms > 0 {
        env.push(("MINDCACHE_BENCH_COMMIT_DELAY_MS", delay.as_ref()));
    }
    let mut server = Server::mindcache(setting.store, &env)?;
    server.initialize()?;
    let keys = setting.keys;
    for turn in 0..WARM_UP {
        server.call(&write(turn, keys))?;
    }
    let limit = Limit { calls: u64::MAX, span: setting.span };
    let flight = fly(&mut server, callers, limit, &|turn| write(WARM_UP + turn, keys))
        .with_context(|| format!("{callers} callers"))?;
    server.close()?;
    let commits = commits_of(flight.calls, fs::read(&stats).ok().as_deref());
    if stats.exists() {
        fs::remove_file(&stats)?;
    }
    Ok(Sample {
        writes_per_s: flight.per_second(),
        commits_per_s: commits.and_then(|count| per_second(count, flight.elapsed())),
        writes_per_commit: ratio(Some(number(flight.calls)), commits.map(number)),
        p50_ms: flight.p50().map(|us| us / 1e3),
        p99_ms: flight.p99().map(|us| us / 1e3),
        cpu_us: flight.cpu_per_call(),
    })
}

/// The commits of the flight: all that the server counted but those of the writes before it,
/// which were alone in theirs. Unknown when the server noted nothing, or fewer writes than made.
fn commits_of(calls: u64, noted: Option<&[u8]>) -> Option<u64> {
    let stats: Stats = serde_json::from_slice(noted?).ok()?;
    stats.commits.checked_sub(stats.writes.checked_sub(calls)?)
}

fn report(setting: &Setting<'_>, floor: &[Sample], by_callers: &[(usize, Vec<Sample>)]) -> Report {
    let writes = |samples: &[Sample]| samples.iter().map(|s| s.writes_per_s).collect::<Vec<_>>();
    let commits = |samples: &[Sample]| samples.iter().map(|s| s.commits_per_s).collect::<Vec<_>>();
    let alone = by_callers.first().map_or(&[][..], |(_, samples)| samples);
    let gain = |samples: &[Sample]| median_ratio(&writes(samples), &writes(alone));
    let of_floor = |samples: &[Sample]| median_ratio(&commits(samples), &commits(floor));
    let mut rows = vec![("flush of 4 KiB (floor)".to_owned(), row(floor, None, Some(1.0)))];
    let mut ratios = Vec::new();
    for (callers, samples) in by_callers {
        let name = match callers {
            1 => "1 caller (a commit a write)".to_owned(),
            _ => format!("{callers} callers"),
        };
        rows.push((name, row(samples, gain(samples), of_floor(samples))));
    }
    if let Some((callers, many)) = by_callers.last() {
        let mut add = |key, label: &str, value, aim| {
            ratios.push(Ratio { key, label: format!("{callers} callers: {label}"), value, aim });
        };
        let per_commit = median_known(many.iter().map(|sample| sample.writes_per_commit));
        add("gain", "writes/s over a commit a write", gain(many), GAIN_AIM);
        add("writes_per_commit", "writes per commit", per_commit, "at least 32 at 2 ms a flush");
        add("of_floor", "commits over flushes", of_floor(many), "at least 0.6 at 2 ms a flush");
    }
    let slowed = match setting.delay_ms {
        0 => String::new(),
        ms => format!(", each commit and flush {ms} ms slower"),
    };
    let about = format!(
        "durable writes of 200 bytes on {} keys, medians of {} interleaved rounds{slowed}",
        grouped(setting.keys),
        floor.len()
    );
    Report { name: "write", about, columns: COLUMNS, rows, ratios }
}

const GAIN_AIM: &str = "at least 20 at 2 ms a flush, 4 at 0.1-0.2 ms";

fn row(samples: &[Sample], gain: Option<f64>, of_floor: Option<f64>) -> Vec<Option<f64>> {
    let middle = |figure: &dyn Fn(&Sample) -> Option<f64>| median_known(samples.iter().map(figure));
    vec![
        middle(&|sample| sample.writes_per_s),
        middle(&|sample| sample.commits_per_s),
        middle(&|sample| sample.writes_per_commit),
        middle(&|sample| sample.p50_ms),
        middle(&|sample| sample.p99_ms),
        middle(&|sample| sample.cpu_us),
        gain,
        of_floor,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commits_before_the_flight_are_taken_off() {
        let noted = br#"{"commits":30,"writes":650}"#;
        assert_eq!(commits_of(640, Some(noted)), Some(20));
        assert_eq!(commits_of(640, Some(br#"{"commits":30,"writes":600}"#)), None);
        assert_eq!(commits_of(640, Some(b"no stats")), None);
        assert_eq!(commits_of(640, None), None);
    }
}
