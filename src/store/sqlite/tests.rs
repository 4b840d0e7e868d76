//! The store by itself: its image, its plans, its files.

use rusqlite::Connection;

use super::{connection, files, view};
use crate::model::{error::OpError, value::Content, view::IdRange};

fn open_image() -> (tempfile::TempDir, Connection) {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("one");
    assert!(files::create_instance(&place, &connection::template_image().unwrap()).unwrap());
    let connection = connection::open_writer(&place, connection::Durability::Full).unwrap();
    (folder, connection)
}

#[test]
fn a_new_instance_is_born_in_wal_mode_at_the_latest_version() {
    let (_folder, connection) = open_image();
    let ask = |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(ask("PRAGMA journal_mode"), "wal");
    let version: i32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(version, connection::LATEST_VERSION);
    let synchronous: i32 = connection.query_row("PRAGMA synchronous", [], |row| row.get(0)).unwrap();
    assert_eq!(synchronous, 2);
}

#[test]
fn the_second_creator_finds_the_first_ones_instance() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("a/one");
    let image = connection::template_image().unwrap();
    assert!(files::create_instance(&place, &image).unwrap());
    assert!(!files::create_instance(&place, &image).unwrap());
    let left: Vec<_> = std::fs::read_dir(place.parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing half-built stays");
}

/// The plan of a query, a line a step.
fn plan(connection: &Connection, sql: &str) -> String {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let mut rows = statement.raw_query();
    let mut lines = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        lines.push(row.get::<_, String>(3).unwrap());
    }
    lines.join("\n")
}

#[test]
fn every_query_is_a_search_of_an_index_and_sorts_nothing() {
    let (_folder, connection) = open_image();
    let mut queries = vec![
        "SELECT id FROM record WHERE kind = ?1 AND id = ?2".to_owned(),
        "SELECT kind FROM log WHERE seq > ?1 ORDER BY seq LIMIT ?2".to_owned(),
        "DELETE FROM entry WHERE name = ?1 AND key = ?2 AND kind = ?3 AND id = ?4".to_owned(),
        "DELETE FROM tombstone WHERE kind = ?1 AND id = ?2".to_owned(),
    ];
    queries.push(view::LAST_CHANGE_SQL.to_owned());
    queries.push(view::INDEX_RANGE_SQL.to_owned());
    for (prefix, after) in [("", None), ("a", None), ("a", Some("ab")), ("", Some("x"))] {
        let range = IdRange::page(prefix, after);
        for sql in [view::records_sql(&range), view::index_records_sql(&range)] {
            let bounded = plan(&connection, &sql).contains("<?)");
            assert_eq!(bounded, !prefix.is_empty(), "a prefix ends the scan: {sql}");
            queries.push(sql);
        }
    }
    for sql in queries {
        let plan = plan(&connection, &sql);
        assert!(plan.contains("SEARCH"), "{sql}\n{plan}");
        assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
    }
}

#[test]
fn a_query_is_prepared_once_whatever_is_bound() {
    let (_folder, connection) = open_image();
    let none: Option<&str> = None;
    let mut statement = connection.prepare(&view::index_records_sql(&IdRange::all())).unwrap();
    for limit in [1, 100, 100, 0] {
        let mut rows = statement.query((&"key", &"", &none, &limit, &"name", &b"a".as_slice())).unwrap();
        assert!(rows.next().unwrap().is_none());
    }
    assert_eq!(statement.get_status(rusqlite::StatementStatus::RePrepare), 0);
}

#[test]
fn the_same_large_value_is_kept_once_and_read_in_pieces() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("blobs")).unwrap();
    let blobs = super::blobs::Blobs::of(folder.path());
    let content = Content::Bytes((0..100_000_u32).map(|n| n.to_le_bytes()[0]).collect());
    let first = blobs.save(&content).unwrap();
    assert_eq!(first, blobs.save(&content).unwrap());
    assert_eq!(blobs.read(&first, 10..13).unwrap(), [10, 11, 12]);
    assert_eq!(blobs.read(&first, 99_999..200_000).unwrap().len(), 1);
    let files = walk(&folder.path().join("blobs"));
    assert_eq!(files.len(), 1, "{files:?}");
    // A file that is gone or cut is said to be so.
    std::fs::write(&files[0], b"short").unwrap();
    assert!(matches!(blobs.read(&first, 0..100_000), Err(OpError::Unavailable { .. })));
    std::fs::remove_file(&files[0]).unwrap();
    assert!(matches!(blobs.read(&first, 0..1), Err(OpError::Unavailable { .. })));
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}
