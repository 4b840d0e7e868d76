//! Laws that hold after any sequence of operations.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Mode, World};
use crate::model::{actor::Actor, kind, record::IndexEntry};

/// A step of a random run.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Call(&'static str, Value),
    Pass(i64),
}

fn key() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "ab", "c/d", "é", "e\u{301}"]).prop_map(str::to_owned)
}

pub(super) fn act() -> impl Strategy<Value = Act> {
    let tags = prop::collection::vec(prop::sample::select(vec!["x", "y"]), 0..2);
    let system =
        prop::sample::subsequence(vec!["SystemPrompt", "LLMRead", "LLMWrite", "ApplyTemplate", "protected"], 0..4);
    let call = |name: &'static str| move |args| Act::Call(name, args);
    prop_oneof![
        4 => (key(), "[ab]{0,3}", tags).prop_map(|(key, value, tags)| json!({"key": key, "value": value, "tags": tags})).prop_map(call("write_key")),
        2 => (key(), 1..50_u64).prop_map(|(key, ttl)| json!({"key": key, "value": {"n": ttl}, "ttl_ms": ttl})).prop_map(call("write_key")),
        2 => (key(), "[ab]{1,2}").prop_map(|(key, text)| json!({"key": key, "text": text})).prop_map(call("append_key")),
        1 => key().prop_map(|key| json!({"key": key, "old_text": "a", "new_text": "bb"})).prop_map(call("edit_key")),
        2 => key().prop_map(|key| json!({"key": key})).prop_map(call("delete_key")),
        2 => (key(), system, -2..3_i64).prop_map(|(key, tags, z)| json!({"key": key, "system_tags": tags, "z_index": z})).prop_map(call("set_key_attributes")),
        1 => (key(), key()).prop_map(|(key, new)| json!({"key": key, "new_key": new})).prop_map(call("rename_key")),
        1 => (key(), 1..40_u64).prop_map(|(key, version)| json!({"key": key, "version": version})).prop_map(call("restore_key")),
        1 => Just(json!({})).prop_map(call("clear_keys")),
        1 => (1..60_i64).prop_map(Act::Pass),
    ]
}

/// Runs the steps; refusals are part of the game.
pub(super) async fn play(world: &World, acts: &[Act]) {
    // From where it is: what a page has shown as expired would live again if time stepped back.
    let mut now = world.now_ms();
    for act in acts {
        match act {
            Act::Call(name, args) => drop(world.call(Mode::Edit, name, args.clone()).await),
            Act::Pass(ms) => {
                now += ms;
                world.at(now);
            }
        }
    }
}

pub(super) type Rows = BTreeMap<(String, String), (u64, Option<i64>, String)>;

/// Who wrote a record last.
fn author(database: &rusqlite::Connection, kind: &str, id: &str) -> Actor {
    let sql = "SELECT updated_by FROM record WHERE kind = ?1 AND id = ?2";
    let json: String = database.query_row(sql, [kind, id], |row| row.get(0)).unwrap();
    serde_json::from_str(&json).unwrap()
}

pub(super) fn records(database: &rusqlite::Connection) -> Rows {
    let mut statement = database.prepare("SELECT kind, id, version, expires_at, body FROM record").unwrap();
    let rows = statement.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), (row.get(2)?, row.get(3)?, row.get(4)?))));
    rows.unwrap().map(Result::unwrap).collect()
}

/// Index = recomputation from the records.
pub(super) fn indexes_are_right(database: &rusqlite::Connection) {
    let mut stored = BTreeSet::new();
    let mut statement = database.prepare("SELECT name, key, kind, id FROM entry").unwrap();
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, String>(2)?, row.get::<_, String>(3)?))
    });
    stored.extend(rows.unwrap().map(Result::unwrap));
    let mut computed = BTreeSet::new();
    for ((kind, id), (_, expires_at, body)) in records(database) {
        let by = author(database, &kind, &id);
        for IndexEntry { index, key } in kind::recompute(&kind, &id, &body, expires_at, &by).unwrap().unwrap() {
            computed.insert((index.to_owned(), key, kind.clone(), id.clone()));
        }
    }
    assert_eq!(stored, computed);
    let mut counted: BTreeMap<(String, Vec<u8>), u64> = BTreeMap::new();
    for (index, key, ..) in stored.into_iter().filter(|(index, ..)| kind::COUNTED.contains(&index.as_str())) {
        *counted.entry((index, key)).or_default() += 1;
    }
    let mut statement = database.prepare("SELECT name, key, records FROM entry_tally").unwrap();
    let rows = statement.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)));
    assert_eq!(rows.unwrap().map(Result::unwrap).collect::<BTreeMap<_, _>>(), counted);
}

/// Folding the log gives the records; its seqs have no gaps; each row's `previous` is the record's row before.
fn log_is_right(database: &rusqlite::Connection) {
    let mut folded = Rows::new();
    let mut last: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut expected = 0;
    let mut statement =
        database.prepare("SELECT seq, kind, id, change, expires_at, body, previous, at FROM log ORDER BY seq").unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut clock = 0;
    while let Some(row) = rows.next().unwrap() {
        let seq: u64 = row.get(0).unwrap();
        let place: (String, String) = (row.get(1).unwrap(), row.get(2).unwrap());
        let change: String = row.get(3).unwrap();
        let body: Option<String> = row.get(5).unwrap();
        expected += 1;
        assert_eq!(seq, expected);
        assert_eq!(row.get::<_, Option<u64>>(6).unwrap(), last.insert(place.clone(), seq), "previous of {seq}");
        let at: i64 = row.get(7).unwrap();
        assert!(at >= clock, "time steps back at {seq}");
        clock = at;
        let existed = folded.contains_key(&place);
        match (change.as_str(), body) {
            ("created", Some(body)) if !existed => drop(folded.insert(place, (seq, row.get(4).unwrap(), body))),
            ("updated", Some(body)) if existed => drop(folded.insert(place, (seq, row.get(4).unwrap(), body))),
            ("deleted" | "expired", None) if existed => drop(folded.remove(&place)),
            other => panic!("{other:?} at {seq}, existed: {existed}"),
        }
    }
    assert_eq!(folded, records(database));
    let (head, clock_ms): (u64, i64) =
        database.query_row("SELECT head, clock_ms FROM state", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!((head, clock_ms >= clock), (expected, true));
}

pub(super) fn counts_are_right(database: &rusqlite::Connection) {
    let mut counted: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for ((kind, _), (_, _, body)) in records(database) {
        let (records, bytes) = counted.entry(kind).or_default();
        *records += 1;
        *bytes += i64::try_from(body.len()).unwrap();
    }
    let mut statement = database.prepare("SELECT kind, records, bytes FROM tally WHERE records != 0").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))));
    assert_eq!(rows.unwrap().map(Result::unwrap).collect::<BTreeMap<_, _>>(), counted);
}

/// A step as a part of a batch.
fn part(act: &Act) -> Option<Value> {
    match act {
        Act::Call(name, args) => Some(json!({"name": name, "args": args})),
        Act::Pass(_) => None,
    }
}

/// The rows of a table, each as one text.
fn texts(database: &rusqlite::Connection, sql: &str) -> Vec<String> {
    let mut statement = database.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0));
    rows.unwrap().map(Result::unwrap).collect()
}

fn entries(database: &rusqlite::Connection) -> Vec<String> {
    texts(database, "SELECT name || ' ' || hex(key) || ' ' || kind || ' ' || id FROM entry ORDER BY 1")
}

fn log(database: &rusqlite::Connection) -> Vec<String> {
    texts(
        database,
        "SELECT json_array(seq, at, txn, previous, expires_at, kind, id, change, operation, actor, body) FROM log",
    )
}

pub(super) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn indexes_log_and_counts_agree_with_the_records(acts in prop::collection::vec(act(), 1..40)) {
        runtime().block_on(async {
            let world = World::new().await;
            play(&world, &acts).await;
            let database = world.database();
            indexes_are_right(&database);
            log_is_right(&database);
            counts_are_right(&database);
        });
    }

    /// A key that is there and matches throughout appears exactly once, and nothing appears twice.
    #[test]
    fn pages_under_writes_keep_their_contract(
        steady in prop::collection::btree_set("[a-f]{1,3}", 1..20),
        moving in prop::collection::vec(("[a-f]{1,3}", any::<bool>()), 0..30),
        limit in 1..5_u64,
        mode in prop::sample::select(vec![Mode::Use, Mode::Edit]),
        filter in prop::sample::select(vec![json!({}), json!({"tag": "t"}), json!({"type": "text"}), json!({"prefix": "a"})]),
    ) {
        runtime().block_on(async {
            let world = World::new().await;
            for key in &steady {
                world.call(Mode::Edit, "write_key", json!({"key": key, "value": "v", "tags": ["t"]})).await.unwrap();
            }
            let mut moving = moving.into_iter().filter(|(key, _)| !steady.contains(key));
            let mut seen: Vec<String> = Vec::new();
            let mut args = filter.clone();
            args["limit"] = json!(limit);
            loop {
                let page = world.call(mode, "list_keys", args.clone()).await.unwrap();
                seen.extend(page["keys"].as_array().unwrap().iter().map(|key| key["key"].as_str().unwrap().to_owned()));
                if page["next_cursor"].is_null() {
                    break;
                }
                args["cursor"] = page["next_cursor"].clone();
                if let Some((key, write)) = moving.next() {
                    let name = if write { "write_key" } else { "delete_key" };
                    let args = if write { json!({"key": key, "value": "w", "tags": ["t"]}) } else { json!({"key": key}) };
                    world.call(Mode::Edit, name, args).await.unwrap();
                }
            }
            let mut once = seen.clone();
            once.dedup();
            assert_eq!(once, seen, "nothing twice");
            assert!(seen.is_sorted(), "byte order");
            let prefix = filter["prefix"].as_str().unwrap_or("");
            for key in steady.iter().filter(|key| key.starts_with(prefix)) {
                assert!(seen.contains(key), "{key} was there throughout");
            }
        });
    }

    #[test]
    fn a_part_of_a_batch_that_is_refused_leaves_nothing(
        before in prop::collection::vec(act(), 0..10),
        parts in prop::collection::vec(act(), 1..12),
    ) {
        runtime().block_on(async {
            let (tried, done) = (World::new().await, World::new().await);
            // No time passes: when upkeep comes by must make no difference between the two.
            let before: Vec<Act> = before.into_iter().filter(|act| part(act).is_some()).collect();
            for world in [&tried, &done] {
                play(world, &before).await;
            }
            let parts: Vec<Value> = parts.iter().filter_map(part).collect();
            if parts.is_empty() {
                return;
            }
            let args = json!({"operations": parts, "mode": "each"});
            let all = tried.call(Mode::Edit, "batch", args).await.unwrap()["results"].as_array().unwrap().clone();
            let (ok, results): (Vec<_>, Vec<_>) =
                parts.into_iter().zip(all).filter(|(_, result)| result["ok"] == true).unzip();
            if !ok.is_empty() {
                let args = json!({"operations": ok, "mode": "all"});
                assert_eq!(done.call(Mode::Edit, "batch", args).await.unwrap()["results"], json!(results));
            }
            assert_eq!(records(&tried.database()), records(&done.database()));
            assert_eq!(entries(&tried.database()), entries(&done.database()));
            assert_eq!(log(&tried.database()), log(&done.database()));
        });
    }

    #[test]
    fn pages_and_the_log_since_the_first_are_a_copy(
        before in prop::collection::vec(act(), 1..20),
        meanwhile in prop::collection::vec(act(), 0..12),
        limit in 1..4_u64,
        mode in prop::sample::select(vec![Mode::Read, Mode::Edit]),
    ) {
        runtime().block_on(async {
            let world = World::new().await;
            play(&world, &before).await;
            let mut meanwhile = meanwhile.chunks(2);
            let (mut copy, mut args, mut since) = (BTreeMap::new(), json!({"limit": limit}), None);
            loop {
                let page = world.call(mode, "list_keys", args.clone()).await.unwrap();
                since = since.or(page["as_of_seq"].as_u64());
                let keys = page["keys"].as_array().unwrap().iter();
                copy.extend(keys.map(|key| (key["key"].as_str().unwrap().to_owned(), key.clone())));
                play(&world, meanwhile.next().unwrap_or_default()).await;
                if page["next_cursor"].is_null() {
                    break;
                }
                args["cursor"] = page["next_cursor"].clone();
            }
            // Whoever keeps a copy sees for himself what has expired; here the log says it.
            world.upkeep().await;
            let mut since = since.unwrap();
            loop {
                let rows = world.call(mode, "log_read", json!({"since": since, "limit": limit})).await.unwrap();
                for row in rows["changes"].as_array().unwrap() {
                    let name = row["id"].as_str().unwrap();
                    match world.call(mode, "read_key", json!({"key": name})).await {
                        Ok(key) => copy.insert(name.to_owned(), key),
                        Err(_) => copy.remove(name),
                    };
                }
                if rows["as_of_seq"] == since {
                    break;
                }
                since = rows["as_of_seq"].as_u64().unwrap();
            }
            let keys = world.call(mode, "list_keys", json!({})).await.unwrap()["keys"].clone();
            assert_eq!(json!(copy.into_values().collect::<Vec<_>>()), keys, "the copy is on the left");
        });
    }
}
