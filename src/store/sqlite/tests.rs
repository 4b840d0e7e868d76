//! The store by itself: its image, its plans, its files.

use rusqlite::Connection;

use super::{connection, copy, files, view, window};
use crate::model::{
    actor::Actor,
    error::OpError,
    permission::PrincipalKind,
    record::IndexEntry,
    value::{BlobRef, Content},
    view::{Access, IdRange, Order, Selection},
};

fn open_image() -> (tempfile::TempDir, Connection) {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("one");
    assert!(files::create_instance(&place, folder.path(), &connection::template_image().unwrap()).unwrap());
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
    assert!(files::create_instance(&place, folder.path(), &image).unwrap());
    assert!(!files::create_instance(&place, folder.path(), &image).unwrap());
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
    queries.push(view::TOUCHED_SQL.to_owned());
    queries.push(view::INDEX_RANGE_SQL.to_owned());
    for (prefix, after) in [("", None), ("a", None), ("a", Some("ab")), ("", Some("x"))] {
        let range = IdRange::page(prefix, after);
        for sql in [view::records_sql(&range), view::index_records_sql(&range)] {
            let bounded = plan(&connection, &sql).contains("<?)");
            assert_eq!(bounded, !prefix.is_empty(), "a prefix ends the scan: {sql}");
            queries.push(sql);
        }
    }
    queries.extend(windows().map(|(selection, _)| window::Query::of("key", &selection, selection.order, false).ids));
    for sql in queries {
        let plan = plan(&connection, &sql);
        assert!(plan.contains("SEARCH"), "{sql}\n{plan}");
        assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
    }
}

/// Windows of each sort: whole, narrowed down and searched, in both orders.
fn windows() -> impl Iterator<Item = (Selection, bool)> {
    let entry = |index, key: &str| IndexEntry { index, key: key.into() };
    let under = [vec![], vec![entry("tag", "x")], vec![entry("tag", "x"), entry("type", "text")]];
    under.into_iter().flat_map(|under| {
        [(None, Order::Id), (Some("a"), Order::Id), (None, Order::Recent), (Some("a"), Order::Recent)].map(
            |(contains, order)| {
                (Selection { under: under.clone(), contains: contains.map(str::to_owned), order }, under.is_empty())
            },
        )
    })
}

#[test]
fn a_window_skips_rows_in_an_index_and_reads_none_of_them() {
    let (_folder, connection) = open_image();
    for (selection, is_whole) in windows() {
        let query = window::Query::of("key", &selection, selection.order, false);
        let inner = plan(&connection, &query.ids);
        assert!(inner.contains("COVERING INDEX") || !is_whole, "{}\n{inner}", query.ids);
        let page = plan(&connection, &window::page_sql(&query.ids));
        assert!(page.contains("SEARCH record USING INDEX") && !page.contains("TEMP B-TREE"), "{page}");
        if selection.order == Order::Id {
            let rank = plan(&connection, &window::rank_sql(&query.ids));
            assert!(rank.contains("id<?)") && !rank.contains("SCAN one"), "{rank}");
        }
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

/// Writes a row that is only in the write-ahead log as long as the connection lives.
fn set_head(connection: &Connection, head: i64) {
    connection.execute("UPDATE state SET head = ?1, clock_ms = 77", [head]).unwrap();
}

#[test]
fn a_copy_has_what_is_still_in_the_log_and_is_one_tidy_file() {
    let (folder, connection) = open_image();
    set_head(&connection, 5);
    for (name, access) in [("open", Access::Open), ("closed", Access::ReadOnly)] {
        let to = folder.path().join("shelf").join(name);
        copy::copy_instance(&folder.path().join("one"), &to, folder.path(), access).unwrap();
        let mut left: Vec<_> = std::fs::read_dir(&to).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [files::BLOBS, files::DATABASE, files::LOCK]);
        let copy = connection::open_reader(&to).unwrap();
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let state: (i64, i64, i64) = copy.query_row("SELECT head, clock_ms, access FROM state", [], read).unwrap();
        assert_eq!(state, (5, 77, access.number()));
        assert_eq!(copy.query_row("PRAGMA journal_mode", [], |row| row.get::<_, String>(0)).unwrap(), "wal");
        assert_eq!(copy.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)).unwrap(), "ok");
    }
    // The source goes on as it was.
    set_head(&connection, 6);
    assert_eq!(connection.query_row("SELECT access FROM state", [], |row| row.get::<_, i64>(0)).unwrap(), 0);
}

#[test]
fn a_copy_has_the_large_values_and_a_failed_one_leaves_nothing() {
    let (folder, _connection) = open_image();
    let (from, shelf) = (folder.path().join("one"), folder.path().join("shelf"));
    let content = Content::Text("é".repeat(100_000));
    let blob = super::blobs::Blobs::of(&from).save(&content).unwrap();
    std::fs::write(walk(&from.join("blobs"))[0].with_file_name(".new-half"), b"half").unwrap();
    copy::copy_instance(&from, &shelf.join("two"), &shelf, Access::Open).unwrap();
    let copied = super::blobs::Blobs::of(&shelf.join("two"));
    assert_eq!(copied.read(&blob, 0..blob.bytes).unwrap(), content.as_bytes());
    assert_eq!(walk(&shelf.join("two").join("blobs")).len(), 1, "what is being written is not copied");
    // Each has its own name of it.
    std::fs::remove_dir_all(from.join("blobs")).unwrap();
    assert_eq!(copied.read(&blob, 0..2).unwrap(), "é".as_bytes());
    std::fs::write(from.join(files::DATABASE), b"no database").unwrap();
    assert!(copy::copy_instance(&from, &shelf.join("three"), &shelf, Access::Open).is_err());
    assert!(copy::copy_instance(&folder.path().join("nowhere"), &shelf.join("four"), &shelf, Access::Open).is_err());
    assert_eq!(std::fs::read_dir(&shelf).unwrap().count(), 1);
}

#[test]
fn a_shared_value_is_checked_and_kept_once() {
    let folder = tempfile::tempdir().unwrap();
    let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
    for place in [&from, &to] {
        std::fs::create_dir_all(place.join("blobs")).unwrap();
    }
    let [from, to] = [from, to].map(|place| super::blobs::Blobs::of(&place));
    let blob = from.save(&Content::Bytes(vec![7; 100_000])).unwrap();
    to.share(&from, &[blob.clone(), blob.clone()]).unwrap();
    to.share(&from, std::slice::from_ref(&blob)).unwrap();
    assert_eq!(to.read(&blob, 99_999..100_000).unwrap(), [7]);
    let missing = BlobRef { sha256: "ab".repeat(32), ..blob };
    assert!(matches!(to.share(&from, &[missing]), Err(OpError::Unavailable { .. })));
}

#[test]
fn an_older_file_gets_its_writers_and_its_counts() {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(include_str!("migrations/0001_initial.sql")).unwrap();
    let actor = |kind, principal: &str, client: &str| Actor {
        principal: principal.into(),
        kind,
        client: client.into(),
        run: String::new(),
        from: None,
    };
    let authors = [
        actor(PrincipalKind::Human, "local", "cli"),
        actor(PrincipalKind::Agent, "local", "claude-code"),
        actor(PrincipalKind::App, "nightly", ""),
        actor(PrincipalKind::Agent, "local", "claude-code"),
    ];
    for (number, author) in (1..).zip(&authors) {
        let (id, by) = (format!("k{number}"), serde_json::to_string(author).unwrap());
        connection
            .execute(
                "INSERT INTO record (kind, id, version, created_at, updated_at, updated_by, body) \
                 VALUES ('key', ?1, ?2, 0, 0, ?3, '{}')",
                (&id, number, &by),
            )
            .unwrap();
        connection.execute("INSERT INTO entry VALUES ('type', CAST('text' AS BLOB), 'key', ?1)", [&id]).unwrap();
    }
    connection.execute_batch(include_str!("migrations/0002_browse.sql")).unwrap();
    let mut statement = connection.prepare("SELECT id, key FROM entry WHERE name = 'writer' ORDER BY id").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?))).unwrap();
    let found: Vec<_> = rows.map(Result::unwrap).collect();
    let expected: Vec<_> =
        (1..).zip(&authors).map(|(number, author)| (format!("k{number}"), author.writer().into_bytes())).collect();
    assert_eq!(found, expected);
    let mut statement = connection.prepare(window::COUNTS_SQL).unwrap();
    let mut counts = |index: &str| -> Vec<(Vec<u8>, u64)> {
        let rows = statement.query_map((index, "key", 10), |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    };
    assert_eq!(counts("type"), [(b"text".to_vec(), 4)]);
    assert_eq!(counts("writer")[0], (b"agent/claude-code".to_vec(), 2));
}

#[test]
fn an_older_file_is_brought_up_by_whoever_reads_it_first() {
    let folder = tempfile::tempdir().unwrap();
    let older = Connection::open(folder.path().join(files::DATABASE)).unwrap();
    older.pragma_update(None, "journal_mode", "WAL").unwrap();
    older.execute_batch(include_str!("migrations/0001_initial.sql")).unwrap();
    older.pragma_update(None, "application_id", 0x6d69_6e64).unwrap();
    older.pragma_update(None, "user_version", 1).unwrap();
    drop(older);
    let reader = connection::open_reader(folder.path()).unwrap();
    let found = window::window(&reader, "key", &Selection::default(), 0, 10).unwrap();
    assert_eq!((found.total, found.records.len()), (0, 0));
    let recent = Selection { order: Order::Recent, ..Selection::default() };
    assert!(window::window(&reader, "key", &recent, 0, 10).is_ok());
}
