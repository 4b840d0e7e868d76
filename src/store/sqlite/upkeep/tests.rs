//! Upkeep on a real file: what goes, what stays, and that nothing of what went can be found.

use std::{fs, path::PathBuf};

use rusqlite::Connection;

use super::{
    SqliteUpkeep,
    collect::NAMING_SQL,
    trim::{FORGET_SQL, TRIM_SQL, UNMARK_SQL},
};
use crate::{
    model::value::Content,
    store::{
        sqlite::{blobs::Blobs, connection, files, gate::Name},
        upkeep::{Retention, Upkeep as _},
    },
};

const DAY_MS: i64 = 24 * 3600 * 1000;
const ALL: Retention = Retention { days: 0, rows: 0, bytes: 0 };

struct Place {
    _folder: tempfile::TempDir,
    folder: PathBuf,
}

impl Place {
    fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("one");
        assert!(
            files::create_instance(&folder, folder.parent().unwrap(), &connection::template_image().unwrap()).unwrap()
        );
        Self { _folder: temporary, folder }
    }

    fn upkeep(&self) -> SqliteUpkeep {
        SqliteUpkeep::open(&self.folder, connection::Durability::Normal, Name::of("test")).unwrap()
    }

    fn writer(&self) -> Connection {
        connection::open_writer(&self.folder, connection::Durability::Normal).unwrap()
    }

    /// Everything in the folder, as bytes.
    fn bytes(&self) -> Vec<u8> {
        let files = fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.is_file()).flat_map(|path| fs::read(path).unwrap()).collect()
    }
}

/// Writes to the key `id`, at a time, as the store does; `None` deletes it.
fn put(connection: &Connection, id: &str, at: i64, body: Option<&str>) -> u64 {
    let seq: u64 =
        connection.query_row("UPDATE state SET head = head + 1 RETURNING head", [], |row| row.get(0)).unwrap();
    let previous: Option<u64> = connection
        .query_row(
            "SELECT max(seq) FROM (SELECT version AS seq FROM record WHERE id = ?1 \
             UNION ALL SELECT seq FROM tombstone WHERE id = ?1)",
            [id],
            |row| row.get(0),
        )
        .unwrap();
    let actor = r#"{"principal":"p"}"#;
    connection
        .execute(
            "INSERT INTO log (seq, at, txn, previous, kind, id, change, operation, actor, body) \
             VALUES (?1, ?2, ?1, ?3, 'key', ?4, 'updated', 'write_key', ?5, ?6)",
            (seq, at, previous, id, actor, body),
        )
        .unwrap();
    connection.execute("DELETE FROM record WHERE id = ?1", [id]).unwrap();
    connection.execute("DELETE FROM tombstone WHERE id = ?1", [id]).unwrap();
    match body {
        Some(body) => connection.execute(
            "INSERT INTO record (kind, id, version, created_at, updated_at, updated_by, body) \
             VALUES ('key', ?1, ?2, ?3, ?3, ?4, ?5)",
            (id, seq, at, actor, body),
        ),
        None => connection.execute("INSERT INTO tombstone (kind, id, seq) VALUES ('key', ?1, ?2)", (id, seq)),
    }
    .unwrap();
    seq
}

fn seqs(connection: &Connection) -> Vec<u64> {
    let mut statement = connection.prepare("SELECT seq FROM log ORDER BY seq").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn log_start(connection: &Connection) -> u64 {
    connection.query_row("SELECT log_start FROM state", [], |row| row.get(0)).unwrap()
}

fn trim_all(place: &Place, keep: &Retention, now_ms: i64) {
    let mut upkeep = place.upkeep();
    while upkeep.trim(keep, now_ms).unwrap() {}
}

#[test]
fn the_last_state_of_each_record_outlives_its_age() {
    let place = Place::new();
    let writer = place.writer();
    put(&writer, "steady", 0, Some("1"));
    put(&writer, "gone", 1, Some("2"));
    put(&writer, "gone", 2, None);
    for at in 4..=8 {
        put(&writer, "moving", at * DAY_MS, Some("n"));
    }
    trim_all(&place, &ALL, 100 * DAY_MS);
    assert_eq!((seqs(&writer).len(), log_start(&writer)), (8, 1), "no bound, nothing goes");
    // Kept: days 6, 7 and 8, what `moving` was before them, and the last of the others.
    trim_all(&place, &Retention { days: 3, ..ALL }, 8 * DAY_MS + DAY_MS);
    assert_eq!((seqs(&writer), log_start(&writer)), (vec![1, 3, 5, 6, 7, 8], 6));
    // Once what came after it is out of bounds too, it goes.
    put(&writer, "steady", 9 * DAY_MS, Some("2"));
    trim_all(&place, &Retention { days: 1, ..ALL }, 20 * DAY_MS);
    assert_eq!((seqs(&writer), log_start(&writer)), (vec![3, 8, 9], 10));
    // And an empty log goes on.
    assert_eq!(put(&writer, "moving", 21 * DAY_MS, Some("n")), 10);
    trim_all(&place, &Retention { days: 1, ..ALL }, 21 * DAY_MS);
    assert_eq!((seqs(&writer), log_start(&writer)), (vec![3, 8, 9, 10], 10));
}

#[test]
fn bug_bookkeeping_that_was_gone_stayed_in_the_log_for_ever() {
    let place = Place::new();
    let writer = place.writer();
    for n in 0..5 {
        put(&writer, &format!("reply {n}"), n, Some("{}"));
        put(&writer, &format!("reply {n}"), n, (n == 4).then_some("{}"));
    }
    for table in ["log", "record", "tombstone"] {
        writer.execute(&format!("UPDATE {table} SET kind = 'reply'"), []).unwrap();
    }
    put(&writer, "k", 9, None);
    trim_all(&place, &Retention { days: 1, ..ALL }, 2 * DAY_MS);
    assert_eq!(seqs(&writer), [10, 11], "the kept reply that is there, and the key that is not");
    let marked: u64 = writer.query_row("SELECT count(*) FROM tombstone", [], |row| row.get(0)).unwrap();
    assert_eq!(marked, 1);
}

#[test]
fn rows_and_bytes_bound_a_log_and_long_ones_go_in_slices() {
    let place = Place::new();
    let writer = place.writer();
    writer.execute_batch("BEGIN").unwrap();
    for at in 0..2500 {
        put(&writer, "k", at, Some(&"x".repeat(1000)));
    }
    writer.execute_batch("COMMIT").unwrap();
    let mut upkeep = place.upkeep();
    assert!(upkeep.trim(&Retention { rows: 400, ..ALL }, 0).unwrap(), "the first slice is not all");
    assert_eq!(log_start(&writer), 1001);
    trim_all(&place, &Retention { rows: 400, ..ALL }, 0);
    assert_eq!((log_start(&writer), seqs(&writer).len()), (2101, 401), "400 rows and what was before them");
    trim_all(&place, &Retention { bytes: 100_500, ..ALL }, 0);
    assert_eq!((log_start(&writer), seqs(&writer).len()), (2401, 101));
    trim_all(&place, &Retention { bytes: 1024 * 1024, ..ALL }, 0);
    assert_eq!(log_start(&writer), 2401);
}

#[test]
fn what_was_overwritten_and_trimmed_is_in_no_file() {
    let place = Place::new();
    let writer = place.writer();
    let secret = |n: u32| format!("a secret of some length, number {n}, {}", "filler ".repeat(20));
    put(&writer, "k", 0, Some(&secret(1)));
    put(&writer, "k", 1, Some(&secret(2)));
    put(&writer, "k", 2, Some("harmless"));
    let holds = |place: &Place| place.bytes().windows(8).any(|window| window == b"a secret");
    assert!(holds(&place));
    trim_all(&place, &Retention { rows: 1, ..ALL }, 0);
    writer.execute("UPDATE log SET body = '' WHERE seq < 3", []).unwrap();
    let mut upkeep = place.upkeep();
    assert!(upkeep.wal_written_ms().is_some());
    assert!(upkeep.empty_wal().unwrap());
    assert_eq!(upkeep.wal_written_ms(), None);
    assert!(!holds(&place));
}

#[test]
fn a_reader_keeps_the_wal_and_is_not_disturbed() {
    let place = Place::new();
    let writer = place.writer();
    put(&writer, "k", 0, Some("old"));
    let mut reader = connection::open_reader(&place.folder).unwrap();
    let transaction = reader.transaction().unwrap();
    let body = || transaction.query_row("SELECT body FROM record", [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(body(), "old");
    put(&writer, "k", 1, Some("new"));
    let mut upkeep = place.upkeep();
    upkeep.settle().unwrap();
    assert!(!upkeep.empty_wal().unwrap());
    assert_eq!(body(), "old");
    drop(transaction);
    assert!(upkeep.empty_wal().unwrap());
}

#[test]
fn large_values_go_when_nothing_names_them_and_they_are_old() {
    let place = Place::new();
    let writer = place.writer();
    let blobs = Blobs::of(&place.folder);
    let values: Vec<_> = (0..4_u8).map(|n| blobs.save(&Content::Bytes(vec![n; 70_000])).unwrap()).collect();
    let body = |n: usize| format!(r#"{{"blob":{}}}"#, serde_json::to_string(&values[n]).unwrap());
    put(&writer, "current", 0, Some(&body(0)));
    put(&writer, "past", 1, Some(&body(1)));
    put(&writer, "past", 2, Some("\"small\""));
    let left = |place: &Place| -> Vec<bool> {
        let blobs = Blobs::of(&place.folder);
        values.iter().map(|blob| blobs.has(blob)).collect()
    };
    let mut upkeep = place.upkeep();
    assert_eq!(upkeep.collect(0).unwrap(), 0, "they are not that old");
    assert_eq!(upkeep.collect(i64::MAX).unwrap(), 2);
    assert_eq!(left(&place), [true, true, false, false]);
    trim_all(&place, &Retention { rows: 1, ..ALL }, 0);
    assert_eq!(upkeep.collect(i64::MAX).unwrap(), 0, "the row before the kept ones still says what it was");
    writer.execute("UPDATE log SET body = '{}' WHERE seq = 2", []).unwrap();
    assert_eq!(upkeep.collect(i64::MAX).unwrap(), 1);
    assert_eq!(left(&place), [true, false, false, false]);
}

#[test]
fn upkeep_looks_for_rows_by_an_index() {
    let place = Place::new();
    let connection = place.writer();
    for sql in NAMING_SQL.iter().chain([&TRIM_SQL, &FORGET_SQL, &UNMARK_SQL]) {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().unwrap() {
            let step: String = row.get(3).unwrap();
            assert!(!step.contains("SCAN") && !step.contains("TEMP B-TREE"), "{sql}: {step}");
        }
    }
}

#[test]
fn a_newer_version_is_named_where_it_is_known() {
    let place = Place::new();
    place.writer().pragma_update(None, "user_version", 9).unwrap();
    let refusal = |place: &Place| connection::open_reader(&place.folder).unwrap_err().to_string();
    assert!(refusal(&place).contains("upgraded by a newer mindcache"), "{}", refusal(&place));
    fs::write(place.folder.join("upgraded_by"), "7.1.0\n").unwrap();
    let text = refusal(&place);
    assert!(text.contains("upgraded by mindcache 7.1.0") && text.contains("restart this client"), "{text}");
}
