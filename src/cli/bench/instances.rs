//! `bench instances`: a thousand instances in one server, each subscribed to: what they take when they are idle, how
//! many files stay open, and what the first write to one of them costs then, beside a bare flush.
//!
//! Files are closed after five idle minutes; here after a second, so that one need not wait for it.
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::bail;
use serde_json::json;

use crate::ops::{
    catalog, instances::Create, keys::write::Write, operation::Operation as _, procedure::Arguments as _,
};

use super::Plan;
use super::client::{Call, HttpServer};
use super::figures::{median, millis, number, percentile, ratio};
use super::report::{Column, Ratio, Report};
use super::scratch::Scratch;
use super::usage::pss_mib;
use super::workload::{scattered, value};

const COLUMNS: &[Column] = &[
    Column { key: "pss_mib", heading: "PSS MiB", decimals: 1 },
    Column { key: "kib_per_instance", heading: "KiB/instance", decimals: 1 },
    Column { key: "databases_open", heading: "open databases", decimals: 0 },
    Column { key: "p50_ms", heading: "p50 ms", decimals: 2 },
    Column { key: "p99_ms", heading: "p99 ms", decimals: 2 },
];
/// Sooner than in real life, so that the bench need not wait for minutes.
pub(super) const SOON: [(&str, &str); 2] = [("MINDCACHE_UPKEEP_EVERY_MS", "500"), ("MINDCACHE_UPKEEP_IDLE_MS", "1000")];
/// What closes files is given up after so long.
const PATIENCE: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(100);
const FLUSH_BYTES: usize = 4096;

/// Makes the instances, subscribes to each, writes to each, waits until they are idle, and writes to some.
pub(super) fn run(plan: &Plan) -> anyhow::Result<Report> {
    let (count, first_writes) = if plan.quick { (50, 10) } else { (1_000, 100) };
    let scratch = Scratch::new(&plan.dir)?;
    let env = SOON.map(|(name, text)| (name, OsStr::new(text)));
    let server = HttpServer::mindcache_with(&scratch, &env)?;
    let mut person = server.connect_to("/mcp/edit")?;
    for number in 0..count {
        let create = json!({"name": Create::NAME, "args": {"name": name(number)}});
        person.call(&Call { name: catalog::CALL.into(), arguments: create })?;
    }
    wait_until_closed(&server, 2)?;
    let base = pss_mib(server.pid());
    let mut followers = Vec::new();
    for number in 0..count {
        let uri = format!("mindcache://{}/k", name(number));
        followers.push(server.connect_to(&path(number))?.followed(&[uri])?);
    }
    for number in 0..count {
        written(&server, number, 0)?;
    }
    let (busy, busy_open) = (pss_mib(server.pid()), open_databases(server.pid()));
    wait_until_closed(&server, 2)?;
    let (idle, idle_open) = (pss_mib(server.pid()), open_databases(server.pid()));
    let (mut first, mut floor) = (Vec::new(), Vec::new());
    let mut file = File::create(scratch.file("floor"))?;
    for turn in 1..=first_writes {
        floor.push(flushed(&mut file)?);
        first.push(written(&server, scattered(turn, count), turn)?);
    }
    drop(followers);
    let each = |now: Option<f64>| Some((now? - base?) * 1024.0 / number(count));
    let row = |pss, open: Option<u64>| vec![pss, each(pss), open.map(number), None, None];
    let times = |samples: &[f64]| vec![None, None, None, median(samples), percentile(samples, 99)];
    let over = ratio(median(&first).map(|ms| (ms - 5.0).max(0.0)), median(&floor));
    Ok(Report {
        name: "instances",
        about: format!("{count} instances of one server over HTTP, a subscription to each"),
        columns: COLUMNS,
        rows: vec![
            ("made, nobody listens, files closed".to_owned(), vec![base, None, None, None, None]),
            ("subscribed and just written to".to_owned(), row(busy, busy_open)),
            ("subscribed and idle".to_owned(), row(idle, idle_open)),
            ("flush of 4 KiB (floor)".to_owned(), times(&floor)),
            ("first write after idle".to_owned(), times(&first)),
        ],
        ratios: vec![Ratio {
            key: "first_write_over_flush",
            label: "first write less 5 ms, over a flush".to_owned(),
            value: over,
            aim: "at most 8",
        }],
    })
}

fn name(number: u64) -> String {
    format!("i{number:04}")
}

fn path(number: u64) -> String {
    format!("/i/{}/mcp", name(number))
}

/// Writes to an instance; answers how long that took, in milliseconds.
fn written(server: &HttpServer, number: u64, turn: u64) -> anyhow::Result<f64> {
    let mut connection = server.connect_to(&path(number))?;
    let call = Call { name: Write::NAME.into(), arguments: json!({"key": "k", "value": value(turn)}) };
    Ok(millis(connection.call(&call)?.took()))
}

/// Appends and flushes; answers how long that took, in milliseconds.
fn flushed(file: &mut File) -> anyhow::Result<f64> {
    let begun = Instant::now();
    file.write_all(&[0; FLUSH_BYTES])?;
    file.sync_data()?;
    Ok(millis(begun.elapsed()))
}

/// Waits until at most so many databases are open.
pub(super) fn wait_until_closed(server: &HttpServer, most: u64) -> anyhow::Result<()> {
    let begun = Instant::now();
    while open_databases(server.pid()).is_some_and(|open| open > most) {
        if begun.elapsed() > PATIENCE {
            bail!("files of idle instances stay open");
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// How many databases a process has open; nothing where the system does not tell.
pub(super) fn open_databases(pid: u32) -> Option<u64> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    let paths = entries.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    let databases: std::collections::BTreeSet<_> =
        paths.filter(|path| path.file_name().is_some_and(|name| name == "instance.db")).collect();
    u64::try_from(databases.len()).ok()
}
