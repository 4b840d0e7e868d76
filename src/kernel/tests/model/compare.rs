//! Compares everything that is stored with what the model says is, and searches the files for what should be gone.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};

use super::{
    super::laws::{counts_are_right, indexes_are_right},
    engine::plain,
    play::Play,
    state::{Hand, Instance, Key, Thing},
    world::Listed,
};

/// What each canary ends with, and nothing else holds.
pub(super) const MARK: &str = "vzxw";

/// Compares every instance.
pub(super) fn check_all(play: &Play) {
    for listed in &play.model.instances {
        let folder = play.folder(&listed.id);
        let database = rusqlite::Connection::open(folder.join("instance.db")).unwrap();
        let stored = Stored { database, folder };
        // The log first: it tells most.
        same(listed, "log", stored.log(), log(&listed.state));
        same(listed, "records", stored.records(), records(&listed.state));
        stored.check_state(listed);
        indexes_are_right(&stored.database);
        counts_are_right(&stored.database);
    }
}

fn same(listed: &Listed, what: &str, stored: Vec<Value>, expected: Vec<Value>) {
    for (stored, expected) in stored.iter().zip(&expected) {
        assert_eq!(stored, expected, "{what} of {}: what is stored is on the left", listed.name);
    }
    assert_eq!(stored.len(), expected.len(), "{what} of {}", listed.name);
}

/// Searches the files, of search and large values too: a value is found only where the model says that it is kept.
pub(super) fn check_files(play: &Play) {
    let mut folders = BTreeSet::new();
    for shelf in fs::read_dir(play.engine.folder.path().join("instances")).unwrap() {
        let ids = fs::read_dir(shelf.unwrap().path()).unwrap();
        folders.extend(ids.map(|folder| folder.unwrap().file_name().into_string().unwrap()));
    }
    let known: BTreeSet<String> = play.model.instances.iter().map(|listed| listed.id.clone()).collect();
    assert_eq!(folders, known, "folders on the left, instances on the right");
    for listed in &play.model.instances {
        let (kept, current) = kept(&listed.state);
        for file in files(&play.folder(&listed.id)) {
            // Only what the keys are now is searched.
            let is_index = file.file_name().unwrap().to_string_lossy().starts_with("search.");
            let wanted = if is_index { &current } else { &kept };
            let found = canaries(&fs::read(&file).unwrap()).collect::<BTreeSet<_>>();
            let lingering: Vec<_> = found.difference(wanted).collect();
            assert!(lingering.is_empty(), "{lingering:?} of {} in {}", listed.name, file.display());
        }
    }
}

/// Everything under a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The word of a canary: letters that stand nowhere else. They come first, as an index of words leaves out what a word
/// begins with like the one before it.
pub(super) fn canary(number: u64) -> String {
    const LETTERS: &[u8; 16] = b"bcdfghjklmnpqrst";
    // Of numbers that are near each other, not one looks like the other.
    let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let letters = (0..16).map(|at| char::from(LETTERS[usize::try_from(mixed >> (4 * at) & 15).unwrap()]));
    letters.chain(MARK.chars()).collect()
}

/// The canaries in some bytes, by the letters before the mark.
fn canaries(bytes: &[u8]) -> impl Iterator<Item = String> {
    const LETTERS: usize = 6;
    let marks = bytes.windows(MARK.len()).enumerate().filter(|(_, window)| *window == MARK.as_bytes());
    marks.map(|(at, _)| String::from_utf8_lossy(&bytes[at.saturating_sub(LETTERS)..at]).into_owned())
}

/// The canaries that an instance keeps, and those among them that keys hold now.
fn kept(instance: &Instance) -> (BTreeSet<String>, BTreeSet<String>) {
    let of = |text: &str| canaries(text.as_bytes()).collect::<Vec<_>>();
    let held = instance.records.values().filter_map(|record| record.thing.key());
    let current: BTreeSet<_> = held.flat_map(|key| of(&key.text())).collect();
    let logged = instance.log.iter().filter_map(|row| row.key.as_ref()?.value.as_deref());
    (logged.flat_map(of).chain(current.iter().cloned()).collect(), current)
}

fn hand(hand: &Hand) -> Value {
    json!({"principal": hand.principal, "kind": hand.kind, "client": hand.client, "run": hand.run})
}

fn shown(key: &Key) -> Value {
    json!({
        "type": key.kind, "content_type": key.content_type, "system_tags": key.system_tags, "tags": key.tags,
        "z_index": key.z_index, "description": key.description, "schema": key.schema, "keeps_history": key.keeps_history, "value": key.value.as_deref(),
    })
}

fn records(instance: &Instance) -> Vec<Value> {
    let records = instance.records.iter().map(|((kind, id), record)| {
        let thing = match &record.thing {
            Thing::Key(key) => shown(key),
            Thing::Reply(reply) => json!({ "result": plain(reply.result.clone()) }),
            Thing::Undone(turns) => json!({ "turns": turns }),
        };
        json!({
            "kind": kind, "id": id, "version": record.version, "created_at": record.created_at,
            "updated_at": record.updated_at, "expires_at": record.expires_at, "by": hand(&record.by), "thing": thing,
        })
    });
    records.collect()
}

fn log(instance: &Instance) -> Vec<Value> {
    let rows = instance.log.iter().enumerate().map(|(index, row)| {
        let seq = index as u64 + 1;
        json!({
            "seq": seq, "at": row.at, "txn": row.txn, "previous": instance.change_before(row.kind, &row.id, seq),
            "kind": row.kind, "id": row.id, "change": row.change, "operation": row.operation, "by": hand(&row.by),
            "expires_at": row.expires_at, "key": row.key.as_ref().map(shown),
        })
    });
    rows.collect()
}

/// An instance's files, looked at behind the kernel's back.
struct Stored {
    database: rusqlite::Connection,
    folder: PathBuf,
}

impl Stored {
    fn check_state(&self, listed: &Listed) {
        let stored: (u64, i64, u8) = self
            .database
            .query_row("SELECT head, clock_ms, access FROM state", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .unwrap();
        let expected = (listed.state.head(), listed.state.clock, listed.access());
        assert_eq!(stored, expected, "head, clock and access of {}", listed.name);
    }

    fn records(&self) -> Vec<Value> {
        let sql = "SELECT kind, id, version, created_at, updated_at, expires_at, updated_by, body FROM record \
                   ORDER BY kind, id";
        let mut statement = self.database.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| {
            let (kind, body): (String, String) = (row.get(0)?, row.get(7)?);
            Ok(json!({
                "kind": kind, "id": row.get::<_, String>(1)?, "version": row.get::<_, u64>(2)?,
                "created_at": row.get::<_, i64>(3)?, "updated_at": row.get::<_, i64>(4)?,
                "expires_at": row.get::<_, Option<i64>>(5)?, "by": parsed(&row.get::<_, String>(6)?),
                "thing": self.thing(&kind, &body),
            }))
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    fn log(&self) -> Vec<Value> {
        let sql = "SELECT seq, at, txn, previous, kind, id, change, operation, actor, expires_at, body FROM log \
                   ORDER BY seq";
        let mut statement = self.database.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| {
            let (kind, body): (String, Option<String>) = (row.get(4)?, row.get(10)?);
            let key = body.filter(|_| kind == "key").map(|body| self.thing(&kind, &body));
            Ok(json!({
                "seq": row.get::<_, u64>(0)?, "at": row.get::<_, i64>(1)?, "txn": row.get::<_, u64>(2)?,
                "previous": row.get::<_, Option<u64>>(3)?, "kind": kind, "id": row.get::<_, String>(5)?,
                "change": row.get::<_, String>(6)?, "operation": row.get::<_, String>(7)?,
                "by": parsed(&row.get::<_, String>(8)?), "expires_at": row.get::<_, Option<i64>>(9)?, "key": key,
            }))
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    fn thing(&self, kind: &str, body: &str) -> Value {
        let body = parsed(body);
        match kind {
            "reply" => json!({ "result": plain(body["result"].clone()) }),
            "key" => json!({
                "type": body["type"], "content_type": body["content_type"], "system_tags": body["system_tags"],
                "tags": body.get("tags").unwrap_or(&json!([])), "z_index": body.get("z_index").unwrap_or(&json!(0)),
                "description": body["description"], "schema": body["schema"],
                "keeps_history": body["history"] != "none", "value": self.value(&body),
            }),
            _ => body,
        }
    }

    fn value(&self, body: &Value) -> Value {
        let value = &body["value"];
        let Some(sha256) = value["blob"]["sha256"].as_str() else { return value["inline"].clone() };
        let bytes = fs::read(self.folder.join("blobs").join(&sha256[..2]).join(sha256)).unwrap();
        let is_text = body["type"] == "text" || body["type"] == "json";
        if is_text { String::from_utf8(bytes).unwrap().into() } else { BASE64.encode(bytes).into() }
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}
