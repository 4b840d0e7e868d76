//! Eight processes that write flat out share the store, and none of them hears of a lock.
//!
//! `MINDCACHE_TEST_SECONDS=30` writes for 30 s and holds the shares to what is promised; a short run on a busy machine
//! says little about shares, so it only asks that nobody starves.

use std::{
    path::Path,
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, params};
use serde_json::json;

use crate::harness::{Env, chance::seconds, mcp::Client, say};

/// Processes that write at once.
const WRITERS: usize = 8;
/// From this many seconds on the shares must be what is promised.
const LONG: u64 = 20;

/// What one writer came to.
#[derive(Debug, Default)]
struct Tale {
    /// How long each of its writes took, in microseconds.
    took: Vec<u128>,
    /// What it was refused with.
    refusals: Vec<String>,
}

/// Lets eight writers loose for a while: each makes one write after the other.
fn flat_out<W: Send>(writers: Vec<W>, write: impl Fn(&mut W, usize) -> Result<(), String> + Sync) -> Vec<Tale> {
    let (stop, start) = (&AtomicBool::new(false), &Barrier::new(writers.len() + 1));
    let write = &write;
    thread::scope(|scope| {
        let running: Vec<_> = writers
            .into_iter()
            .map(|mut writer| {
                scope.spawn(move || {
                    let mut tale = Tale::default();
                    // The first opens files and makes tables.
                    tale.refusals.extend(write(&mut writer, 0).err());
                    start.wait();
                    for number in (1..).take_while(|_| !stop.load(Ordering::Relaxed)) {
                        let since = now();
                        match write(&mut writer, number) {
                            Ok(()) => tale.took.push(since.elapsed().as_micros()),
                            Err(refusal) => tale.refusals.push(refusal),
                        }
                    }
                    tale
                })
            })
            .collect();
        start.wait();
        pause(Duration::from_secs(seconds(3)));
        stop.store(true, Ordering::Relaxed);
        running.into_iter().map(|writer| writer.join().expect("a writer does not fail")).collect()
    })
}

#[expect(clippy::disallowed_methods, reason = "how long a write takes is what is measured")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "they write for so long: no event is waited for")]
fn pause(wait: Duration) {
    thread::sleep(wait);
}

/// What the writers came to together.
struct Figures {
    writes: usize,
    refused: usize,
    /// The least and the greatest share, as parts of the fair one.
    least: f64,
    most: f64,
    /// Of all writes, in milliseconds. Where one writer has everything this is its own.
    p99: f64,
    longest: f64,
}

impl Figures {
    fn of(tales: &[Tale]) -> Self {
        let counts: Vec<_> = tales.iter().map(|tale| tale.took.len()).collect();
        let fair = as_f64(counts.iter().sum()) / as_f64(tales.len());
        let share = |count: Option<&usize>| as_f64(count.copied().unwrap_or_default()) / fair.max(1.0);
        let mut took: Vec<_> = tales.iter().flat_map(|tale| &tale.took).copied().collect();
        took.sort_unstable();
        let at = |at: usize| as_f64(took.get(at).map_or(0, |took| usize::try_from(*took).expect("a while"))) / 1000.0;
        Self {
            writes: took.len(),
            refused: tales.iter().map(|tale| tale.refusals.len()).sum(),
            least: share(counts.iter().min()),
            most: share(counts.iter().max()),
            p99: at(took.len() * 99 / 100),
            longest: at(took.len().saturating_sub(1)),
        }
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { writes, refused, least, most, p99, longest } = self;
        write!(
            formatter,
            "{writes} writes, {refused} refused, shares {least:.2} to {most:.2} of the fair one, p99 {p99:.1} ms, \
             longest {longest:.0} ms"
        )
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a few seconds are small")]
fn as_f64(count: usize) -> f64 {
    count as f64
}

/// Eight processes of mindcache on one store.
fn with_the_gate() -> Vec<Tale> {
    let env = Env::new();
    let clients: Vec<Client> = (0..WRITERS).map(|_| env.mcp()).collect();
    let named: Vec<_> = clients.into_iter().enumerate().collect();
    flat_out(named, |(name, client), number| {
        let args = json!({"key": format!("{name} {}", number % 50), "value": number.to_string()});
        let reply = client.call("write_key", args);
        if reply.is_error { Err(reply.structured["error"].to_string()) } else { Ok(()) }
    })
}

/// The same load on a bare SQLite with its own way to wait: the product has no switch that takes the gate away.
fn without_the_gate() -> Vec<Tale> {
    let env = Env::new();
    let path = env.path("bare.db");
    let connections: Vec<_> = (0..WRITERS).map(|_| bare(&path)).enumerate().collect();
    flat_out(connections, |(name, connection), number| {
        let id = format!("{name} {}", number % 50);
        let write = || -> rusqlite::Result<()> {
            connection.execute_batch("BEGIN IMMEDIATE")?;
            let sql = "INSERT INTO record (id, body) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET body = ?2";
            connection.execute(sql, params![id, number.to_string()])?;
            connection.execute("INSERT INTO log (id, body) VALUES (?1, ?2)", params![id, number.to_string()])?;
            connection.execute_batch("COMMIT")
        };
        write().map_err(|error| {
            drop(connection.execute_batch("ROLLBACK"));
            error.to_string()
        })
    })
}

fn bare(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE IF NOT EXISTS record (id TEXT PRIMARY KEY, body TEXT);
             CREATE TABLE IF NOT EXISTS log (seq INTEGER PRIMARY KEY, id TEXT, body TEXT);",
        )
        .unwrap();
    connection
}

#[test]
fn eight_processes_flat_out_share_the_store_and_hear_of_no_lock() {
    let tales = with_the_gate();
    let (gated, bare) = (Figures::of(&tales), Figures::of(&without_the_gate()));
    let ratio = |with: f64, without: f64| with / without.max(0.001);
    say(&format!("with the gate: {gated}\nwithout it: {bare}"));
    say(&format!(
        "with : without, p99 {:.2}, longest {:.2}",
        ratio(gated.p99, bare.p99),
        ratio(gated.longest, bare.longest)
    ));
    let refusals: Vec<_> = tales.iter().flat_map(|tale| &tale.refusals).collect();
    assert!(refusals.is_empty(), "every write is taken: {refusals:?}");
    let (least, most) = if seconds(3) >= LONG { (0.25, 3.0) } else { (0.05, 6.0) };
    assert!(gated.least >= least && gated.most <= most, "the shares are fair: {gated}");
}
