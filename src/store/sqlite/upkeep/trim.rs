//! Trimming the log. A row goes when the next change of its record leaves the kept part: below `log_start` there
//! stays, of each record, the one row that says what it was there. So a change can always be told from the state
//! before it, and those rows with the log after them still give the records. Of bookkeeping that is gone nothing stays:
//! nobody follows it, and a client that sends a key with every call would leave a row for each.

use rusqlite::{Connection, OptionalExtension as _};

use crate::{
    model::{error::OpError, kind::INTERNAL},
    store::upkeep::Retention,
};

use super::SqliteUpkeep;

/// Rows of one slice: a millisecond or two.
const SLICE: u64 = 1000;
const DAY_MS: i64 = 24 * 3600 * 1000;

/// SQL that removes what the rows of a slice replaced.
pub(in super::super) const TRIM_SQL: &str = "DELETE FROM log WHERE seq IN \
                                   (SELECT previous FROM log WHERE seq >= ?1 AND seq <= ?2 AND previous IS NOT NULL)";
/// SQL that removes the last rows of what is gone, of one kind, in a slice.
pub(in super::super) const FORGET_SQL: &str = "DELETE FROM log WHERE seq >= ?1 AND seq <= ?2 AND kind = ?3 AND seq = \
    (SELECT seq FROM tombstone WHERE tombstone.kind = log.kind AND tombstone.id = log.id) RETURNING id";
/// SQL that removes the mark of what is gone.
pub(in super::super) const UNMARK_SQL: &str = "DELETE FROM tombstone WHERE kind = ?1 AND id = ?2";
/// SQL of the sizes of the log's values, newest first. `octet_length` reads no value.
const SIZES_SQL: &str = "SELECT seq, octet_length(body) FROM log ORDER BY seq DESC";

/// Trims a slice; answers whether there is more.
pub(super) fn slice(upkeep: &mut SqliteUpkeep, keep: &Retention, now_ms: i64) -> Result<bool, OpError> {
    let over = upkeep.told(last_over(upkeep, keep, now_ms))?;
    upkeep.over_bytes = Some(over.by_bytes);
    let (start, last) = (over.start, over.last);
    if last < start {
        return Ok(false);
    }
    let upto = last.min(start.saturating_add(SLICE - 1));
    let is_done = upkeep.inside(|transaction| {
        // Another process may have been first; then what is left is looked at anew.
        if ends(transaction)?.0 != start {
            return Ok(false);
        }
        transaction.prepare_cached(TRIM_SQL)?.execute([start, upto])?;
        for kind in INTERNAL {
            forget(transaction, kind, start, upto)?;
        }
        transaction.prepare_cached("UPDATE state SET log_start = ?1")?.execute([upto + 1])?;
        Ok(true)
    })?;
    Ok(!is_done || upto < last)
}

/// Removes what a slice says of bookkeeping that is gone.
fn forget(transaction: &Connection, kind: &str, start: u64, upto: u64) -> rusqlite::Result<()> {
    let mut rows = transaction.prepare_cached(FORGET_SQL)?;
    let ids = rows.query_map((start, upto, kind), |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
    let mut unmark = transaction.prepare_cached(UNMARK_SQL)?;
    ids.iter().try_for_each(|id| unmark.execute((kind, id)).map(drop))
}

/// What is out of bounds.
struct Over {
    start: u64,
    last: u64,
    by_bytes: u64,
}

fn last_over(upkeep: &SqliteUpkeep, keep: &Retention, now_ms: i64) -> rusqlite::Result<Over> {
    let connection = &upkeep.connection;
    let (start, head) = ends(connection)?;
    let by_rows = if keep.rows == 0 { 0 } else { head.saturating_sub(keep.rows) };
    let by_days = match keep.days {
        0 => 0,
        days => last_before(connection, start, head, now_ms.saturating_sub(i64::from(days) * DAY_MS))?,
    };
    let by_bytes = match (keep.bytes, upkeep.over_bytes) {
        (0, _) => 0,
        (_, Some(known)) => known,
        (bytes, None) => last_beyond(connection, bytes)?,
    };
    // Not even the head's own row: the log of an instance is never without an end to follow from.
    Ok(Over { start, last: by_rows.max(by_days).max(by_bytes).min(head), by_bytes })
}

/// `log_start` and `head`.
fn ends(connection: &Connection) -> rusqlite::Result<(u64, u64)> {
    connection.prepare_cached("SELECT log_start, head FROM state")?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// The last row of the whole part that was written before an instant: time never steps back along the log.
fn last_before(connection: &Connection, start: u64, head: u64, before_ms: i64) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare_cached("SELECT at FROM log WHERE seq = ?1")?;
    let (mut low, mut high) = (start.saturating_sub(1), head);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        let at: Option<i64> = statement.query_row([middle], |row| row.get(0)).optional()?;
        if at.is_some_and(|at| at < before_ms) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    Ok(low)
}

/// The newest row that no longer fits into so many bytes of values, counted from the newest.
fn last_beyond(connection: &Connection, bytes: u64) -> rusqlite::Result<u64> {
    // A file whose pages in use are fewer than that needs no look at its rows.
    let ask = |pragma: &str| connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, u64>(0));
    let used = ask("page_count")?.saturating_sub(ask("freelist_count")?).saturating_mul(ask("page_size")?);
    if used <= bytes {
        return Ok(0);
    }
    let mut statement = connection.prepare(SIZES_SQL)?;
    let mut rows = statement.query([])?;
    let mut sum = 0_u64;
    while let Some(row) = rows.next()? {
        sum = sum.saturating_add(row.get::<_, Option<u64>>(1)?.unwrap_or_default());
        if sum > bytes {
            return row.get(0);
        }
    }
    Ok(0)
}
