//! `bench search`: a question to many keys, beside the same question to a bare FTS5 table with the same texts; how soon
//! the index knows what a burst has written; and what it costs those who write meanwhile.
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

use std::ffi::OsStr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rusqlite::Connection;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use crate::ops::{
    keys::{search::SearchKeys, write::Write},
    operation::Operation as _,
    procedure::Arguments as _,
};

use super::Plan;
use super::client::{Call, Server};
use super::figures::{grouped, median, median_known, median_ratio, micros, percentile, ratio};
use super::flight::{Limit, fly};
use super::report::{Column, Ratio, Report};
use super::scratch::Scratch;
use super::texts::{question, text};
use super::workload::{fill, key, scattered};

const COLUMNS: &[Column] = &[
    Column { key: "p50_us", heading: "p50 us", decimals: 0 },
    Column { key: "p99_us", heading: "p99 us", decimals: 0 },
    Column { key: "writes_per_s", heading: "writes/s", decimals: 0 },
];
const KEYS: u64 = 100_000;
const MATCHES: u64 = 20;
const WARM_UP: u64 = 20;
/// An index that has not caught up by then never will.
const LATEST: Duration = Duration::from_mins(5);
/// How often the index is asked how far it is.
const LOOK: Duration = Duration::from_millis(250);
/// Callers of the writes beside the index.
const CALLERS: usize = 64;
/// Upkeep comes by often, so that the index is fed during the whole of what is measured.
const SOON: (&str, &str) = ("MINDCACHE_UPKEEP_EVERY_MS", "200");
/// The same question as FTS5 is best asked it: any of the words, best first.
const BARE_SQL: &str = "SELECT name, snippet(words, 1, '', '', '...', 16) FROM words WHERE words MATCH ?1 \
                        ORDER BY bm25(words) LIMIT ?2";

/// Writes a second, round by round.
type Rates = Vec<Option<f64>>;

#[derive(Deserialize)]
struct Found {
    matches: Vec<IgnoredAny>,
    as_of_seq: u64,
    head_seq: u64,
}

/// One server answers, and a table in this process beside it, in turn.
pub(super) fn run(plan: &Plan) -> anyhow::Result<Report> {
    let (keys, turns) = if plan.quick { (2_000, 50) } else { (KEYS, 500) };
    let store = Scratch::new(&plan.dir)?;
    let mut server = Server::mindcache(&store, &[])?;
    server.initialize()?;
    fill(&mut server, keys, text).with_context(|| format!("cannot store {keys} keys"))?;
    let written = Instant::now();
    let current = loop {
        let found = ask(&mut server, 0)?.1;
        if found.as_of_seq == found.head_seq {
            break written.elapsed();
        }
        if written.elapsed() > LATEST {
            bail!("the index is at {} of {} after {} s", found.as_of_seq, found.head_seq, LATEST.as_secs());
        }
        std::thread::sleep(LOOK);
    };
    let bare = bare(&store, keys)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for turn in 0..WARM_UP + turns {
        let (took, found) = ask(&mut server, turn)?;
        let (bare_took, bare_found) = ask_bare(&bare, turn)?;
        if found.matches.is_empty() != (bare_found == 0) {
            bail!("{:?} finds {} keys, and {bare_found} rows of the bare table", question(turn), found.matches.len());
        }
        if turn >= WARM_UP {
            ours.push(took);
            theirs.push(bare_took);
        }
    }
    server.close()?;
    let (on, off) = beside_writers(plan, keys)?;
    let figures = |samples: &[f64]| vec![median(samples), percentile(samples, 99), None];
    let row = |name: &str, figures| (name.to_owned(), figures);
    let figure = |key, label: &str, value, aim| Ratio { key, label: label.to_owned(), value, aim };
    Ok(Report {
        name: "search",
        about: format!(
            "questions of 3 words to {} keys of 30 words, {turns} each in turn; writes of {CALLERS} callers",
            grouped(keys)
        ),
        columns: COLUMNS,
        rows: vec![
            row("search_keys over stdio", figures(&ours)),
            row("the same in a bare FTS5 table, in process", figures(&theirs)),
            row("writes, search on", vec![None, None, median_known(on.iter().copied())]),
            row("writes, search off", vec![None, None, median_known(off.iter().copied())]),
        ],
        ratios: vec![
            figure("over_bare", "p50 over the bare table", ratio(median(&ours), median(&theirs)), ""),
            figure("writes_kept", "writes with search over without", median_ratio(&on, &off), "at least 0.9"),
            figure(
                "current_s",
                "s from the last write to an index that knows it",
                Some(current.as_secs_f64()),
                "at most 60",
            ),
        ],
    })
}

/// Asks for keys; how long it took, in microseconds.
fn ask(server: &mut Server, turn: u64) -> anyhow::Result<(f64, Found)> {
    let arguments = json!({"query": question(turn).join(" "), "limit": MATCHES});
    let took = micros(server.call(&Call { name: SearchKeys::NAME.into(), arguments })?.took());
    Ok((took, server.structured()?))
}

/// A table of FTS5 alone, with the same texts.
fn bare(store: &Scratch, keys: u64) -> anyhow::Result<Connection> {
    let mut connection = Connection::open(store.file("bare.db"))?;
    connection.execute_batch("CREATE VIRTUAL TABLE words USING fts5(name, text, tokenize = 'porter unicode61')")?;
    let transaction = connection.transaction()?;
    {
        let mut insert = transaction.prepare("INSERT INTO words VALUES (?1, ?2)")?;
        for number in 0..keys {
            insert.execute((key(number), text(number)))?;
        }
    }
    transaction.commit()?;
    connection.execute_batch("INSERT INTO words (words) VALUES ('optimize')")?;
    Ok(connection)
}

fn ask_bare(bare: &Connection, turn: u64) -> anyhow::Result<(f64, usize)> {
    let words = question(turn).map(|word| format!("\"{word}\"")).join(" OR ");
    let begun = Instant::now();
    let mut statement = bare.prepare_cached(BARE_SQL)?;
    let rows = statement.query_map((words, MATCHES), |row| Ok((row.get(0)?, row.get(1)?)))?;
    let rows = rows.collect::<rusqlite::Result<Vec<(String, String)>>>()?;
    Ok((micros(begun.elapsed()), rows.len()))
}

/// Writes a second with search on and off, in turn, on stores of their own.
fn beside_writers(plan: &Plan, keys: u64) -> anyhow::Result<(Rates, Rates)> {
    let (rounds, span) = if plan.quick { (1, 500) } else { (5, 3_000) };
    let keys = keys / 10;
    let stand = |search: &str| -> anyhow::Result<(Scratch, Server)> {
        let store = Scratch::new(&plan.dir)?;
        let env = [("MINDCACHE_SEARCH", OsStr::new(search)), (SOON.0, OsStr::new(SOON.1))];
        let mut server = Server::mindcache(&store, &env)?;
        server.initialize()?;
        fill(&mut server, keys, text)?;
        Ok((store, server))
    };
    let (mut with, mut without) = (stand("on")?, stand("off")?);
    let (mut on, mut off) = (Vec::new(), Vec::new());
    let mut turn = keys;
    for round in 0..rounds {
        let limit = Limit { calls: u64::MAX, span: Duration::from_millis(span) };
        let from = turn;
        let make = move |turn: u64| {
            let arguments = json!({"key": key(scattered(turn, keys)), "value": text(from + turn)});
            Call { name: Write::NAME.into(), arguments }
        };
        let measure = |server: &mut Server, rates: &mut Vec<Option<f64>>| -> anyhow::Result<u64> {
            let flight = fly(server, CALLERS, limit, &make)?;
            rates.push(flight.per_second());
            Ok(flight.calls)
        };
        // Each goes first as often.
        turn += if round % 2 == 0 {
            measure(&mut with.1, &mut on)?.max(measure(&mut without.1, &mut off)?)
        } else {
            let calls = measure(&mut without.1, &mut off)?;
            calls.max(measure(&mut with.1, &mut on)?)
        };
    }
    with.1.close()?;
    without.1.close()?;
    Ok((on, off))
}
