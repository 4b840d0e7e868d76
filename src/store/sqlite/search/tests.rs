//! The index on a real file.

use std::{fs, path::Path, time::Duration};

use super::{FIND_SQL, SqliteSearch, exists, forget};
use crate::{
    model::{
        error::{OpError, Reason},
        search::{Document, Entry, Slice, Stand, Term},
    },
    store::search::Search as _,
};

fn document(id: &str, version: u64, value: &str) -> Entry {
    Entry::Put(Document { id: id.into(), version, name: id.into(), about: String::new(), value: value.into() })
}

fn feed(index: &mut SqliteSearch, seq: u64, entries: &[Entry]) {
    let taken = index.take(Duration::from_secs(1), &mut |_, _| {
        Ok(Slice { anew: false, entries: entries.to_vec(), stand: Stand { seq, at: 7 } })
    });
    assert_eq!(taken.unwrap(), Some(Stand { seq, at: 7 }));
}

fn find(index: &mut SqliteSearch, word: &str) -> Vec<String> {
    let (word, is_prefix) = word.strip_suffix('*').map_or((word, false), |word| (word, true));
    let terms = [Term { word: word.into(), is_prefix }];
    index.find(&terms, 0, 100).unwrap().into_iter().map(|hit| hit.id).collect()
}

#[test]
fn words_are_found_by_stems_beginnings_and_without_accents() {
    let folder = tempfile::tempdir().unwrap();
    let mut index = SqliteSearch::open(folder.path()).unwrap();
    feed(&mut index, 1, &[document("a", 1, "Deployments run at the café"), document("cafe", 1, "東京 京都 都 हिन्दी")]);
    for word in ["deployment", "running", "東京", "京*", "हिन्दी"] {
        assert_eq!(find(&mut index, word).len(), 1, "{word}");
    }
    // The name counts more.
    assert_eq!(find(&mut index, "CAFE"), ["cafe", "a"]);
    assert!(find(&mut index, "NEAR").is_empty() && find(&mut index, "\"").is_empty());
    assert_eq!(index.stand().unwrap(), Stand { seq: 1, at: 7 });
}

#[test]
fn what_is_replaced_removed_or_of_another_log_is_found_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let mut index = SqliteSearch::open(folder.path()).unwrap();
    feed(&mut index, 2, &[document("a", 1, "old"), document("b", 2, "old")]);
    feed(&mut index, 4, &[document("a", 3, "new"), Entry::Gone("b".into()), Entry::Gone("never".into())]);
    assert!(find(&mut index, "old").is_empty());
    assert_eq!(index.find(&[Term { word: "new".into(), is_prefix: false }], 0, 9).unwrap()[0].version, 3);
    index
        .take(Duration::ZERO, &mut |_, known| {
            assert_eq!((known("a"), known("b")), (Some(3), None));
            Ok(Slice { anew: true, ..Slice::default() })
        })
        .unwrap();
    assert!(find(&mut index, "new").is_empty());
    assert_eq!(index.stand().unwrap(), Stand::default());
}

fn bytes(folder: &Path) -> Vec<u8> {
    fs::read_dir(folder).unwrap().flat_map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
}

#[test]
fn a_scrub_leaves_no_trace_of_what_was_removed() {
    let folder = tempfile::tempdir().unwrap();
    let mut index = SqliteSearch::open(folder.path()).unwrap();
    let holds = || bytes(folder.path()).windows(6).any(|window| window == b"canary");
    feed(&mut index, 1, &[document("a", 1, "canary"), document("canary", 1, "b")]);
    for number in 0..200 {
        feed(
            &mut index,
            number + 2,
            &[document(&format!("k{number}"), number + 2, &format!("word{number} and others"))],
        );
    }
    assert!(holds() && !index.has_remains().unwrap());
    feed(&mut index, 300, &[document("a", 300, "now"), Entry::Gone("canary".into())]);
    assert!(index.has_remains().unwrap() && index.bytes().unwrap() > 0);
    assert!(index.scrub().unwrap());
    assert!(!holds() && !index.has_remains().unwrap());
    assert_eq!(find(&mut index, "word7"), ["k7"]);
}

#[test]
fn a_file_that_is_no_index_is_made_anew_but_not_a_newer_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("search.db");
    assert!(!exists(folder.path()));
    for content in
        [&b""[..], b"not a database at all, but long enough to look like one at first sight: it is none", &[0; 5000]]
    {
        fs::write(&path, content).unwrap();
        let mut index = SqliteSearch::open(folder.path()).unwrap();
        assert_eq!(index.stand().unwrap(), Stand::default());
        feed(&mut index, 1, &[document("a", 1, "found")]);
        assert_eq!(find(&mut index, "found"), ["a"]);
        drop(index);
        forget(folder.path()).unwrap();
        assert!(!exists(folder.path()));
    }
    let set = |sql: &str| {
        drop(SqliteSearch::open(folder.path()).unwrap());
        rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    };
    set("PRAGMA user_version = 0; UPDATE state SET seq = 9");
    assert_eq!(SqliteSearch::open(folder.path()).unwrap().stand().unwrap().seq, 0);
    set("PRAGMA user_version = 99");
    let refused = SqliteSearch::open(folder.path()).err().unwrap();
    assert!(matches!(refused, OpError::Unavailable { reason: Reason::Newer, .. }), "{refused:?}");
}

#[test]
fn an_index_in_use_is_not_removed() {
    let folder = tempfile::tempdir().unwrap();
    let index = SqliteSearch::open(folder.path()).unwrap();
    assert!(matches!(forget(folder.path()), Err(OpError::Unavailable { reason: Reason::Busy, .. })));
    drop(index);
    forget(folder.path()).unwrap();
}

#[test]
fn the_best_rows_are_named_without_looking_at_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let index = SqliteSearch::open(folder.path()).unwrap();
    let sql = format!("EXPLAIN QUERY PLAN {FIND_SQL}");
    let mut statement = index.place.connection.prepare(&sql).unwrap();
    let plan: Vec<String> =
        statement.query_map(("a", 0, 1), |row| row.get(3)).unwrap().collect::<Result<_, _>>().unwrap();
    assert!(plan.iter().any(|line| line.contains("SEARCH doc USING INTEGER PRIMARY KEY")), "{plan:?}");
}
