//! `bench browse`: pages of keys by rank, by a part of their names and by their last change, in a large store, each
//! beside the bare SQLite query that finds and shows the same rows, in turn with it; and what browsing makes of a write.

mod writer;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use anyhow::{Context as _, ensure};
use jiff::tz::TimeZone;
use rusqlite::{Connection, OpenFlags, params, types::ValueRef};
use serde_json::{Value, json};

use crate::{
    kernel::{Caller, Kernel, clock::SystemClock},
    model::{
        instance::InstanceRef,
        permission::{Mode, PrincipalKind},
    },
    ops::{keys::browse::Browse, operation::Operation as _},
    store::sqlite::{DurabilitySetting, SqliteStore},
};

use writer::Writes;

use super::{
    Plan,
    figures::{grouped, median, micros, percentile, ratio},
    report::{Column, Ratio, Report},
    workload::{filled, scattered},
};

const COLUMNS: &[Column] = &[
    Column { key: "p50_us", heading: "p50 us", decimals: 0 },
    Column { key: "p99_us", heading: "p99 us", decimals: 0 },
];
const PAGE: u64 = 100;
const WARM_UP: u64 = 5;
/// What a row shows, taken out of the stored JSON.
const SHOWN: &str = "id, version, updated_at, updated_by ->> 'kind', updated_by ->> 'principal', updated_by ->> 'client', \
                     body ->> 'type', body ->> 'content_type', body -> 'tags', body -> 'system_tags', \
                     substr(body ->> '$.value.inline', 1, 160), length(body ->> '$.value.inline')";

#[derive(Clone, Copy)]
enum Kind {
    Rank,
    Part,
    Recent,
}

/// One large store, asked through the kernel and bare.
struct Stand {
    asking: Asking,
    bare: Connection,
}

/// Who asks the kernel.
#[derive(Clone)]
struct Asking {
    kernel: Arc<Kernel>,
    caller: Caller,
    keys: u64,
}

/// Both are asked in turn, in this process: what a face adds is the same for every operation.
pub(super) fn run(plan: &Plan, keys: u64) -> anyhow::Result<Report> {
    let turns = if plan.quick { 20 } else { 200 };
    let keys = plan.keys(keys);
    let store = filled(&plan.dir, keys)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut rows, mut ratios) = (Vec::new(), Vec::new());
    runtime.block_on(async {
        let stand = Stand::new(&store.store(), keys)?;
        for kind in [Kind::Rank, Kind::Part, Kind::Recent] {
            let (mut ours, mut bare) = (Vec::new(), Vec::new());
            for turn in 0..WARM_UP + turns {
                let (by_kernel, by_query) = stand.both(kind, turn).await?;
                if turn >= WARM_UP {
                    ours.push(by_kernel);
                    bare.push(by_query);
                }
            }
            let (key, name) = kind.names();
            for (who, samples) in [(Browse::NAME, &ours), ("bare query", &bare)] {
                rows.push((format!("{name}, {who}"), vec![median(samples), percentile(samples, 99)]));
            }
            let value = ratio(median(&ours), median(&bare));
            ratios.push(Ratio { key, label: format!("{name}, beside the bare query"), value, aim: "at most 3" });
        }
        let writes = Writes::measure(&stand.asking, 5 * turns).await?;
        rows.extend(writes.rows());
        ratios.extend(writes.ratios());
        anyhow::Ok(())
    })?;
    let (all, writes) = (grouped(keys), grouped(5 * turns));
    let about =
        format!("pages of {PAGE} rows and their total among {all} keys, {turns} each in turn; {writes} writes each");
    Ok(Report { name: "browse", about, columns: COLUMNS, rows, ratios })
}

impl Kind {
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Rank => ("rank", "by rank"),
            Self::Part => ("part", "by a part of the name"),
            Self::Recent => ("recent", "by the last change"),
        }
    }
}

impl Stand {
    fn new(data: &Path, keys: u64) -> anyhow::Result<Self> {
        let store = SqliteStore::new(data.to_owned(), DurabilitySetting::Full, 0)?;
        let kernel = Kernel::new(Arc::new(store), Arc::new(SystemClock { zone: TimeZone::UTC }));
        let caller = Caller::local(PrincipalKind::Human, Mode::Edit, "bench", String::new());
        let bare = Connection::open_with_flags(database(data)?, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        Ok(Self { asking: Asking { kernel, caller, keys }, bare })
    }

    /// Both times in microseconds; each goes first as often.
    async fn both(&self, kind: Kind, turn: u64) -> anyhow::Result<(f64, f64)> {
        if turn.is_multiple_of(2) {
            let ours = self.asking.page(kind, turn).await?;
            Ok((ours, self.query(kind, turn)?))
        } else {
            let bare = self.query(kind, turn)?;
            Ok((self.asking.page(kind, turn).await?, bare))
        }
    }
}

impl Asking {
    fn start(&self, turn: u64) -> u64 {
        scattered(turn, self.keys.saturating_sub(PAGE).max(1))
    }

    /// A part that few names have, a hundred of a hundred thousand.
    fn part(turn: u64) -> String {
        format!("{:03}", scattered(turn, 1000))
    }

    #[expect(clippy::disallowed_methods, reason = "the time is what is measured")]
    async fn page(&self, kind: Kind, turn: u64) -> anyhow::Result<f64> {
        let args: Value = match kind {
            Kind::Rank => json!({"start": self.start(turn), "limit": PAGE}),
            Kind::Part => json!({"match": Self::part(turn), "limit": PAGE}),
            Kind::Recent => json!({"order": "recent", "limit": PAGE}),
        };
        let instance = InstanceRef::Name("default".into());
        let start = Instant::now();
        let reply = self.kernel.execute(&self.caller, &instance, Browse::NAME, args).await?;
        let took = start.elapsed();
        let shown = reply.result.get("keys").and_then(Value::as_array).map_or(0, Vec::len);
        ensure!(shown > 0, "a page without rows");
        Ok(micros(took))
    }
}

impl Stand {
    #[expect(clippy::disallowed_methods, reason = "the time is what is measured")]
    fn query(&self, kind: Kind, turn: u64) -> anyhow::Result<f64> {
        let start = Instant::now();
        let transaction = self.bare.unchecked_transaction()?;
        let (shown, total) = match kind {
            Kind::Rank => {
                let sql = format!("SELECT {SHOWN} FROM record WHERE kind = 'key' ORDER BY id LIMIT ?1 OFFSET ?2");
                let total = "SELECT records FROM tally WHERE kind = 'key'";
                (self.rows(&sql, params![PAGE, self.asking.start(turn)])?, self.number(total, params![])?)
            }
            Kind::Part => {
                let part = format!("%{}%", Asking::part(turn));
                let sql = format!("SELECT {SHOWN} FROM record WHERE kind = 'key' AND id LIKE ?1 ORDER BY id LIMIT ?2");
                let total = "SELECT count(*) FROM record WHERE kind = 'key' AND id LIKE ?1";
                (self.rows(&sql, params![part, PAGE])?, self.number(total, params![part])?)
            }
            Kind::Recent => {
                let sql = format!("SELECT {SHOWN} FROM record WHERE kind = 'key' ORDER BY version DESC LIMIT ?1");
                let total = "SELECT records FROM tally WHERE kind = 'key'";
                (self.rows(&sql, params![PAGE])?, self.number(total, params![])?)
            }
        };
        transaction.commit()?;
        let took = start.elapsed();
        ensure!(shown > 0 && total >= shown, "a page without rows");
        Ok(micros(took))
    }

    /// Reads each column of each row, as whoever shows them must.
    fn rows(&self, sql: &str, parameters: &[&dyn rusqlite::ToSql]) -> anyhow::Result<u64> {
        let mut statement = self.bare.prepare_cached(sql)?;
        let columns = statement.column_count();
        let mut found = statement.query(parameters)?;
        let (mut rows, mut bytes) = (0, 0);
        while let Some(row) = found.next()? {
            rows += 1;
            for column in 0..columns {
                bytes += match row.get_ref(column)? {
                    ValueRef::Text(text) | ValueRef::Blob(text) => text.len(),
                    ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => 8,
                };
            }
        }
        ensure!(bytes > 0 || rows == 0, "rows without values");
        Ok(rows)
    }

    fn number(&self, sql: &str, parameters: &[&dyn rusqlite::ToSql]) -> anyhow::Result<u64> {
        Ok(self.bare.prepare_cached(sql)?.query_row(parameters, |row| row.get(0))?)
    }
}

/// The database of the only instance.
fn database(data: &Path) -> anyhow::Result<PathBuf> {
    let mut place = data.join("instances");
    for _ in 0..2 {
        let entry = std::fs::read_dir(&place)?.next().with_context(|| format!("{} is empty", place.display()))?;
        place = entry?.path();
    }
    Ok(place.join("instance.db"))
}
