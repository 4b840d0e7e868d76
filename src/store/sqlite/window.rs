//! Records by their rank: what a list that is scrolled needs. Skipped rows are counted in an index and never read.

use rusqlite::{Connection, OptionalExtension as _, ToSql, types::ToSqlOutput};

use crate::model::{
    kind,
    record::{IndexEntry, Record},
    view::{Order, Selection, Window},
};

use super::view::{RECORD, record};

/// SQL of the counts of an index; sorted, as there are far fewer keys than records.
pub(super) const COUNTS_SQL: &str = "SELECT key, records FROM entry_tally WHERE name = ?1 AND kind = ?2 \
                                     ORDER BY records DESC, key LIMIT ?3";

/// A selection with less than this part of all records is sorted by itself; a larger one is met soon enough on the way
/// through all of them.
const SPARSE: u64 = 8;

/// The records from a rank on, and how many there are.
pub(super) fn window(
    connection: &Connection,
    kind: &str,
    selection: &Selection,
    start: u64,
    limit: usize,
) -> rusqlite::Result<Window> {
    let known = known_total(connection, kind, selection)?;
    let is_sparse = is_sparse(connection, kind, selection)?;
    let query = Query::of(kind, selection, selection.order, is_sparse);
    match known {
        Some(total) => {
            let (start, limit) = (as_number(start), as_number(limit as u64));
            let sql = page_sql(&query.ids);
            let mut parameters = query.parameters();
            parameters.extend([&limit as &dyn ToSql, &start]);
            let mut statement = connection.prepare_cached(&sql)?;
            let records: rusqlite::Result<Vec<Record>> = statement.query_map(parameters.as_slice(), record)?.collect();
            Ok(Window { records: records?, total })
        }
        None => step_through(connection, &query, kind, start, limit),
    }
}

/// How many of the selected records come before an id.
pub(super) fn rank(connection: &Connection, kind: &str, selection: &Selection, id: &str) -> rusqlite::Result<u64> {
    let query = Query::of(kind, selection, Order::Id, false);
    let sql = rank_sql(&query.ids);
    let mut parameters = query.parameters();
    parameters.push(&id);
    connection.prepare_cached(&sql)?.query_row(parameters.as_slice(), |row| row.get(0))
}

/// Only who comes through all of them knows how many they are.
fn step_through(
    connection: &Connection,
    query: &Query<'_>,
    kind: &str,
    start: u64,
    limit: usize,
) -> rusqlite::Result<Window> {
    let mut statement = connection.prepare_cached(&query.ids)?;
    let mut rows = statement.query(query.parameters().as_slice())?;
    let mut ids: Vec<String> = Vec::new();
    let mut total = 0;
    while let Some(row) = rows.next()? {
        if total >= start && ids.len() < limit {
            ids.push(row.get(0)?);
        }
        total += 1;
    }
    let mut statement =
        connection.prepare_cached(&format!("SELECT {RECORD} FROM record WHERE kind = ?1 AND id = ?2"))?;
    let mut records = Vec::with_capacity(ids.len());
    for id in ids {
        records.extend(statement.query_row([kind, &id], record).optional()?);
    }
    Ok(Window { records, total })
}

/// How many records a selection has, where that is kept.
fn known_total(connection: &Connection, kind: &str, selection: &Selection) -> rusqlite::Result<Option<u64>> {
    if selection.contains.is_some() {
        return Ok(None);
    }
    match selection.under.as_slice() {
        [] => all(connection, kind).map(Some),
        [entry] if kind::COUNTED.contains(&entry.index) => under(connection, kind, entry).map(Some),
        _ => Ok(None),
    }
}

fn is_sparse(connection: &Connection, kind: &str, selection: &Selection) -> rusqlite::Result<bool> {
    let Some(entry) = selection.under.iter().find(|entry| kind::COUNTED.contains(&entry.index)) else {
        return Ok(false);
    };
    Ok(under(connection, kind, entry)? * SPARSE < all(connection, kind)?)
}

fn all(connection: &Connection, kind: &str) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare_cached("SELECT records FROM tally WHERE kind = ?1")?;
    Ok(statement.query_row([kind], |row| row.get(0)).optional()?.unwrap_or_default())
}

fn under(connection: &Connection, kind: &str, entry: &IndexEntry) -> rusqlite::Result<u64> {
    let mut statement =
        connection.prepare_cached("SELECT records FROM entry_tally WHERE name = ?1 AND kind = ?2 AND key = ?3")?;
    Ok(statement.query_row((entry.index, kind, &entry.key), |row| row.get(0)).optional()?.unwrap_or_default())
}

fn as_number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// SQL of a page of a query for ids. What is skipped is skipped inside, where no record is read.
pub(super) fn page_sql(ids: &str) -> String {
    format!(
        "SELECT record.id, version, created_at, updated_at, expires_at, updated_by, body \
         FROM ({ids} LIMIT ? OFFSET ?) AS found CROSS JOIN record ON record.kind = ?1 AND record.id = found.id"
    )
}

/// SQL of a rank: the query's own bound on the id is put before its order.
pub(super) fn rank_sql(ids: &str) -> String {
    let from = ids.strip_prefix("SELECT one.id").unwrap_or(ids);
    let from = from.strip_suffix(" ORDER BY one.id").unwrap_or(from);
    format!("SELECT count(*){from} AND one.id < ?")
}

/// A query for the ids of a selection in an order.
pub(super) struct Query<'q> {
    pub(super) ids: String,
    values: Vec<Parameter<'q>>,
}

enum Parameter<'q> {
    Text(&'q str),
    Owned(String),
    Bytes(&'q [u8]),
}

impl ToSql for Parameter<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Self::Text(text) => text.to_sql(),
            Self::Owned(text) => text.to_sql(),
            Self::Bytes(bytes) => bytes.to_sql(),
        }
    }
}

impl<'q> Query<'q> {
    /// The query; ?1 is the kind. One that is not sparse follows an index in its order.
    pub(super) fn of(kind: &'q str, selection: &'q Selection, order: Order, is_sparse: bool) -> Self {
        let mut values = vec![Parameter::Text(kind)];
        let mut rest = selection.under.as_slice();
        let mut ids = match (order, rest) {
            (Order::Id, [first, others @ ..]) => {
                rest = others;
                values.extend([Parameter::Text(first.index), Parameter::Bytes(&first.key)]);
                "SELECT one.id FROM entry AS one WHERE one.kind = ?1 AND one.name = ? AND one.key = ?".to_owned()
            }
            (Order::Id, []) => "SELECT one.id FROM record AS one WHERE one.kind = ?1".to_owned(),
            (Order::Recent, [first, others @ ..]) if is_sparse => {
                rest = others;
                values.extend([Parameter::Text(first.index), Parameter::Bytes(&first.key)]);
                "SELECT one.id FROM entry AS under CROSS JOIN record AS one ON one.kind = under.kind AND one.id = under.id \
                 WHERE under.kind = ?1 AND under.name = ? AND under.key = ?"
                    .to_owned()
            }
            (Order::Recent, _) => {
                "SELECT one.id FROM record AS one INDEXED BY record_recent WHERE one.kind = ?1".to_owned()
            }
        };
        for entry in rest {
            values.extend([Parameter::Text(entry.index), Parameter::Bytes(&entry.key)]);
            ids.push_str(
                " AND EXISTS (SELECT 1 FROM entry AS also WHERE also.name = ? AND also.key = ? AND also.kind = ?1 \
                 AND also.id = one.id)",
            );
        }
        if let Some(text) = &selection.contains {
            values.push(Parameter::Owned(format!("%{}%", escape(text))));
            ids.push_str(" AND one.id LIKE ? ESCAPE '\\'");
        }
        ids.push_str(match order {
            Order::Id => " ORDER BY one.id",
            Order::Recent => " ORDER BY one.version DESC",
        });
        Self { ids, values }
    }

    fn parameters(&self) -> Vec<&dyn ToSql> {
        self.values.iter().map(|value| value as &dyn ToSql).collect()
    }
}

/// The text as a part of a pattern that stands for itself.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
