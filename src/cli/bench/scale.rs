//! `bench scale`: a list page, a read, a write and a tag page on a store a hundred times as large, or more.
//! What uses an index takes the same time on both.

use anyhow::bail;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::ops::{keys::list::List, operation::Operation as _};

use super::Plan;
use super::client::{Call, Server};
use super::figures::{grouped, median, micros, percentile, ratio};
use super::report::{Column, Ratio, Report};
use super::workload::{TAG, TAG_EVERY, filled, read, write};

const COLUMNS: &[Column] = &[
    Column { key: "p50_us", heading: "p50 us", decimals: 0 },
    Column { key: "p99_us", heading: "p99 us", decimals: 0 },
];
const PAGE: u64 = 100;
const WARM_UP: u64 = 20;

#[derive(Clone, Copy)]
enum Kind {
    List,
    Read,
    Write,
    TagPage,
}

const KINDS: [Kind; 4] = [Kind::List, Kind::Read, Kind::Write, Kind::TagPage];

#[derive(Deserialize)]
struct Page {
    keys: Vec<IgnoredAny>,
    next_cursor: Option<String>,
}

/// A server on a store of so many keys, and how far its pages have been turned.
struct Stand {
    server: Server,
    keys: u64,
    tag_page: u64,
    cursor: Option<String>,
}

/// Both servers run at once and answer in turn.
pub(super) fn run(plan: &Plan, many: u64) -> anyhow::Result<Report> {
    let turns = if plan.quick { 50 } else { 500 };
    let (few, many) = (plan.keys(1_000), plan.keys(many));
    let (small_store, large_store) = (filled(&plan.dir, few)?, filled(&plan.dir, many)?);
    // The tag pages of both stores hold as many keys, or the larger store's would be slower for
    // what it sends and not for what it seeks.
    let tag_page = PAGE.min(few / TAG_EVERY).max(1);
    let stand = |server, keys| Stand { server, keys, tag_page, cursor: None };
    let mut small = stand(Server::mindcache(&small_store, &[])?, few);
    let mut large = stand(Server::mindcache(&large_store, &[])?, many);
    small.server.initialize()?;
    large.server.initialize()?;
    let (mut rows, mut ratios) = (Vec::new(), Vec::new());
    for kind in KINDS {
        let (mut on_small, mut on_large) = (Vec::new(), Vec::new());
        for turn in 0..WARM_UP + turns {
            // Each goes first as often: the second finds a processor that is awake.
            let (with_few, with_many) = if turn.is_multiple_of(2) {
                (small.time(kind, turn)?, large.time(kind, turn)?)
            } else {
                let with_many = large.time(kind, turn)?;
                (small.time(kind, turn)?, with_many)
            };
            if turn >= WARM_UP {
                on_small.push(with_few);
                on_large.push(with_many);
            }
        }
        // The next kind of page starts at its own beginning.
        (small.cursor, large.cursor) = (None, None);
        let (key, name) = kind.names();
        for (keys, samples) in [(few, &on_small), (many, &on_large)] {
            let figures = vec![median(samples), percentile(samples, 99)];
            rows.push((format!("{name}, {} keys", grouped(keys)), figures));
        }
        let value = ratio(median(&on_large), median(&on_small));
        ratios.push(Ratio { key, label: format!("{name}, growth"), value, aim: "at most 2" });
    }
    small.server.close()?;
    large.server.close()?;
    let about = format!(
        "round trips over stdio, {turns} each in turn, list pages of {PAGE} by cursor, \
         tag pages of {tag_page}"
    );
    Ok(Report { name: "scale", about, columns: COLUMNS, rows, ratios })
}

impl Kind {
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::List => ("list_growth", "list page"),
            Self::Read => ("read_growth", "read"),
            Self::Write => ("write_growth", "write"),
            Self::TagPage => ("tag_page_growth", "tag page"),
        }
    }
}

impl Stand {
    /// One round trip in microseconds.
    fn time(&mut self, kind: Kind, turn: u64) -> anyhow::Result<f64> {
        let call = match kind {
            Kind::List => list(&json!({"limit": PAGE}), self.cursor.as_deref()),
            Kind::TagPage => list(&json!({"limit": self.tag_page, "tag": TAG}), None),
            Kind::Read => read(turn, self.keys),
            Kind::Write => write(turn, self.keys),
        };
        let took = micros(self.server.call(&call)?.took());
        let expected = match kind {
            Kind::List => PAGE.min(self.keys),
            Kind::TagPage => self.tag_page,
            Kind::Read | Kind::Write => return Ok(took),
        };
        let page: Page = self.server.structured()?;
        let first = self.cursor.is_none();
        if first && u64::try_from(page.keys.len())? != expected {
            bail!("a first page of {} keys where {expected} were due", page.keys.len());
        }
        // Turning the pages, not asking for the first again and again: a page found by counting
        // the ones before it would take longer on the way.
        self.cursor = page.next_cursor.filter(|_| matches!(kind, Kind::List));
        Ok(took)
    }
}

fn list(arguments: &Value, cursor: Option<&str>) -> Call {
    let mut arguments = arguments.clone();
    if let (Some(cursor), Some(arguments)) = (cursor, arguments.as_object_mut()) {
        arguments.insert("cursor".to_owned(), json!(cursor));
    }
    Call { name: List::NAME.into(), arguments }
}
