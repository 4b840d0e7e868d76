//! The files of a store, looked at past the program: what must hold in them however the program ended.
//!
//! The database is opened by SQLite alone, one connection at a time: opening and closing the file in any other way
//! would let go of the locks that a connection of this process holds on it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use mindcache::model::kind;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// A row of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) seq: u64,
    /// The first seq of its turn.
    pub(crate) txn: u64,
    pub(crate) previous: Option<u64>,
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) change: String,
    pub(crate) operation: String,
    pub(crate) body: Option<String>,
}

/// A record: its version, when it expires, its body.
type Records = BTreeMap<(String, String), (u64, Option<i64>, String)>;

/// An entry of the index: kind, id, name of the index, key.
type Entry = (String, String, String, Vec<u8>);

/// An instance as its files have it.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    /// The log, oldest first.
    pub(crate) rows: Vec<Row>,
    /// From here on the log is whole. Of what was before, one row of each record is left.
    pub(crate) start: u64,
    /// Files that no record and no row of the log names: left for a sweep.
    pub(crate) orphans: Vec<String>,
    /// What does not hold.
    pub(crate) problems: Vec<String>,
    records: Records,
    folder: PathBuf,
}

impl Audit {
    /// Looks at the folder of an instance.
    pub(crate) fn of(folder: &Path) -> Self {
        let mut audit = Self { folder: folder.to_owned(), ..Self::default() };
        if let Err(error) = audit.look() {
            audit.problems.push(format!("{}: {error}", folder.display()));
        }
        audit
    }

    /// The seq of the last change.
    pub(crate) fn head(&self) -> u64 {
        self.rows.last().map_or(0, |row| row.seq)
    }

    /// The keys with their values.
    pub(crate) fn values(&self) -> BTreeMap<String, String> {
        let keys = self.records.iter().filter(|((kind, _), _)| kind == "key");
        keys.map(|((_, id), (_, _, body))| (id.clone(), self.value(body))).collect()
    }

    /// The ids of the instances by name: of a catalog.
    pub(crate) fn instances(&self) -> BTreeMap<String, String> {
        let records = self.records.iter().filter(|((kind, _), _)| kind == "instance");
        records.map(|((_, id), (_, _, body))| (member(body, "name"), id.clone())).collect()
    }

    /// The ids of the instances, deleted ones too: of a catalog.
    pub(crate) fn instance_ids(&self) -> Vec<String> {
        self.records.keys().filter(|(kind, _)| kind == "instance").map(|(_, id)| id.clone()).collect()
    }

    /// Where the files are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The value in the body of a key, from its file when it has one.
    pub(crate) fn value(&self, body: &str) -> String {
        let body: Value = serde_json::from_str(body).expect("a body is JSON");
        let value = &body["value"];
        if let Some(inline) = value["inline"].as_str() {
            return inline.to_owned();
        }
        let path = self.blob(value["blob"]["sha256"].as_str().expect("a value is inline or a file"));
        fs::read_to_string(path).unwrap_or_else(|error| format!("unreadable: {error}"))
    }

    fn blob(&self, sha256: &str) -> PathBuf {
        self.folder.join("blobs").join(&sha256[..2]).join(sha256)
    }

    fn look(&mut self) -> rusqlite::Result<()> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(self.folder.join("instance.db"), flags)?;
        connection.busy_timeout(super::DEADLINE)?;
        let state = connection.transaction()?;
        let integrity: String = state.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        self.expect(integrity == "ok", || integrity);
        self.rows = rows(&state)?;
        self.records = records(&state)?;
        self.check_log(&state)?;
        self.check_records(&state)?;
        self.check_entries(&state)?;
        self.check_files();
        Ok(())
    }

    fn expect(&mut self, holds: bool, problem: impl FnOnce() -> String) {
        if !holds {
            self.problems.push(problem());
        }
    }

    /// No gap, whole turns, and each change fits to the one before.
    fn check_log(&mut self, state: &Connection) -> rusqlite::Result<()> {
        let (head, start): (u64, u64) =
            state.query_row("SELECT head, log_start FROM state", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        self.start = start;
        let seqs: Vec<_> = self.rows.iter().map(|row| row.seq).filter(|seq| *seq >= start).collect();
        let is_gapless = seqs.iter().copied().eq(start..=head);
        self.expect(is_gapless, || format!("the log is not {start}..={head} without a gap: {seqs:?}"));
        let trimmed: Vec<_> = self.rows.iter().filter(|row| row.seq < start).map(|row| (&row.kind, &row.id)).collect();
        let is_one_each = trimmed.len() == trimmed.iter().collect::<BTreeSet<_>>().len();
        let problem = || format!("more than one row of a record is left below {start}: {:?}", self.rows);
        let problem = (!is_one_each).then(problem);
        self.problems.extend(problem);
        let mut last: BTreeMap<(&str, &str), &Row> = BTreeMap::new();
        let mut problems = Vec::new();
        let mut txn = 0;
        for row in &self.rows {
            let is_first = row.txn == row.seq;
            txn = if is_first { row.seq } else { txn };
            let before = last.insert((&row.kind, &row.id), row);
            let was_there = before.is_some_and(|before| before.body.is_some());
            let fits = match row.change.as_str() {
                "created" => !was_there && row.body.is_some(),
                "updated" => was_there && row.body.is_some(),
                _ => was_there && row.body.is_none(),
            };
            // What was before the rows that are left of a trimmed log is not known.
            let is_known = row.seq >= start && (start == 1 || before.is_some());
            if (row.txn != txn && row.txn >= start)
                || (is_known && (!fits || row.previous != before.map(|before| before.seq)))
            {
                problems.push(format!("a row of the log does not fit to what was before it: {row:?}"));
            }
        }
        self.problems.append(&mut problems);
        Ok(())
    }

    /// Every record is what its last row of the log made of it, and is counted.
    fn check_records(&mut self, state: &Connection) -> rusqlite::Result<()> {
        let last: BTreeMap<_, _> = self.rows.iter().map(|row| ((row.kind.clone(), row.id.clone()), row)).collect();
        let mut problems = Vec::new();
        for (id, row) in &last {
            let agrees = match (&row.body, self.records.get(id)) {
                (None, None) => true,
                // A log that keeps no values says so in its body.
                (Some(logged), Some((version, _, body))) => {
                    *version == row.seq && (logged == body || logged.contains("\"value\":\"gone\""))
                }
                _ => false,
            };
            if !agrees {
                problems.push(format!("{id:?} is {:?}, its last row {row:?}", self.records.get(id)));
            }
        }
        let mut gone = BTreeSet::new();
        let mut statement = state.prepare("SELECT kind, id, seq FROM tombstone")?;
        for found in statement.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get::<_, u64>(2)?)))? {
            let (id, seq): ((String, String), u64) = found?;
            if last.get(&id).is_some_and(|row| row.seq != seq) {
                problems.push(format!("the tombstone of {id:?} is at {seq}"));
            }
            gone.insert(id);
        }
        for (id, row) in &last {
            if row.body.is_none() != gone.contains(id) {
                problems.push(format!("{id:?} has a tombstone without being gone, or is gone without one"));
            }
        }
        let mut counts: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        for ((kind, _), (_, _, body)) in &self.records {
            let (records, bytes) = counts.entry(kind.clone()).or_default();
            (*records, *bytes) = (*records + 1, *bytes + i64::try_from(body.len()).expect("a length"));
        }
        let mut statement = state.prepare("SELECT kind, records, bytes FROM tally WHERE records <> 0 OR bytes <> 0")?;
        let tally: rusqlite::Result<BTreeMap<_, _>> =
            statement.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?.collect();
        let tally = tally?;
        if tally != counts {
            problems.push(format!("counted {tally:?}, there are {counts:?}"));
        }
        self.problems.append(&mut problems);
        Ok(())
    }

    /// The index is what the records say.
    fn check_entries(&mut self, state: &Connection) -> rusqlite::Result<()> {
        let mut statement = state.prepare("SELECT kind, id, name, key FROM entry")?;
        let found: rusqlite::Result<BTreeSet<Entry>> =
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?.collect();
        let mut expected = BTreeSet::new();
        let mut author = state.prepare("SELECT updated_by FROM record WHERE kind = ?1 AND id = ?2")?;
        for ((kind, id), (_, expires_at, body)) in &self.records {
            let by: String = author.query_row([kind, id], |row| row.get(0))?;
            let by = serde_json::from_str(&by).expect("an author");
            let Some(Ok(entries)) = kind::recompute(kind, id, body, *expires_at, &by) else {
                self.problems.push(format!("the body of {kind} {id} is not one of its kind: {body}"));
                continue;
            };
            expected
                .extend(entries.into_iter().map(|entry| (kind.clone(), id.clone(), entry.index.to_owned(), entry.key)));
        }
        let found = found?;
        let problem =
            || format!("entries that differ: {:?}", found.symmetric_difference(&expected).collect::<Vec<_>>());
        self.expect(found == expected, problem);
        Ok(())
    }

    /// Every value that is named has its file, whole; every file is of a kind that a later start tolerates.
    fn check_files(&mut self) {
        let bodies =
            self.records.values().map(|(_, _, body)| body).chain(self.rows.iter().filter_map(|row| row.body.as_ref()));
        let named: BTreeSet<_> = bodies.filter_map(|body| blob_of(body)).collect();
        for sha256 in &named {
            let found = fs::read(self.blob(sha256)).map(|bytes| hex(&Sha256::digest(bytes)));
            self.expect(found.as_ref().is_ok_and(|found| found == sha256), || format!("blob {sha256}: {found:?}"));
        }
        for path in files_below(&self.folder) {
            let name = path.strip_prefix(&self.folder).unwrap_or(&path).to_string_lossy().into_owned();
            let last = name.rsplit('/').next().unwrap_or_default();
            if ["instance.db", "instance.db-wal", "instance.db-shm", "lock"].contains(&name.as_str()) {
                continue;
            }
            let is_value = name.starts_with("blobs/") && last.len() == 64;
            if is_value && named.contains(last) {
                continue;
            }
            let is_swept = is_value || last.starts_with(".new-");
            self.expect(is_swept, || format!("nobody knows what {name} is"));
            self.orphans.push(name);
        }
    }
}

fn rows(state: &Connection) -> rusqlite::Result<Vec<Row>> {
    let sql = "SELECT seq, txn, previous, kind, id, change, operation, body FROM log ORDER BY seq";
    let mut statement = state.prepare(sql)?;
    let rows = statement.query_map([], |row| {
        Ok(Row {
            seq: row.get(0)?,
            txn: row.get(1)?,
            previous: row.get(2)?,
            kind: row.get(3)?,
            id: row.get(4)?,
            change: row.get(5)?,
            operation: row.get(6)?,
            body: row.get(7)?,
        })
    })?;
    rows.collect()
}

fn records(state: &Connection) -> rusqlite::Result<Records> {
    let mut statement = state.prepare("SELECT kind, id, version, expires_at, body FROM record")?;
    let records =
        statement.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), (row.get(2)?, row.get(3)?, row.get(4)?))))?;
    records.collect()
}

/// The file that a body names.
fn blob_of(body: &str) -> Option<String> {
    let body: Value = serde_json::from_str(body).ok()?;
    body["value"]["blob"]["sha256"].as_str().map(str::to_owned)
}

fn member(body: &str, name: &str) -> String {
    let body: Value = serde_json::from_str(body).expect("a body is JSON");
    body[name].as_str().unwrap_or_default().to_owned()
}

/// Bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// All files below a folder.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.expect("a folder can be listed").path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found
}

/// `instances/<aa>/<id>`.
pub(crate) fn instance_folder(data: &Path, id: &str) -> PathBuf {
    data.join("instances").join(&id[..2]).join(id)
}

/// The catalog and the instance of a name, if it is there.
pub(crate) fn audit(data: &Path, name: &str) -> (Audit, Option<Audit>) {
    let catalog = Audit::of(&data.join("catalog"));
    let instance = catalog.instances().get(name).map(|id| Audit::of(&instance_folder(data, id)));
    (catalog, instance)
}

#[test]
fn what_does_not_hold_in_the_files_is_found() {
    let env = super::Env::new();
    let mut client = env.mcp();
    client.write("small", "value");
    client.write("large", &"x".repeat(70_000));
    client.call("delete_key", serde_json::json!({"key": "small"})).ok();
    client.write("last", "words");
    assert!(client.close_stdin_and_wait().status.success());
    let (catalog, instance) = audit(&env.data(), "default");
    let instance = instance.unwrap();
    assert_eq!((catalog.problems, instance.problems), (vec![], vec![]));
    let folder = instance.folder;
    // Each change is looked at and then taken back.
    for (change, finding) in [
        ("DELETE FROM log WHERE seq = 2", "without a gap"),
        ("UPDATE state SET head = 5", "without a gap"),
        ("UPDATE log SET txn = 2 WHERE seq = 4", "does not fit"),
        ("UPDATE log SET change = 'updated' WHERE seq = 1", "does not fit"),
        ("UPDATE record SET body = replace(body, 'words', 'other') WHERE id = 'last'", "its last row"),
        ("UPDATE record SET version = 2 WHERE id = 'last'", "its last row"),
        ("DELETE FROM record WHERE id = 'large'", "its last row"),
        ("DELETE FROM tombstone", "tombstone"),
        ("DELETE FROM entry WHERE id = 'last' AND name = 'type'", "entries that differ"),
        ("UPDATE tally SET records = 7", "counted"),
    ] {
        let file = folder.join("instance.db");
        let before = fs::read(&file).unwrap();
        Connection::open(&file).and_then(|connection| connection.execute_batch(change)).unwrap();
        let found = Audit::of(&folder).problems.join("\n");
        assert!(found.contains(finding), "{change}: {found}");
        for suffix in ["-wal", "-shm"] {
            drop(fs::remove_file(folder.join(format!("instance.db{suffix}"))));
        }
        fs::write(file, before).unwrap();
    }
    let blob = files_below(&folder.join("blobs")).pop().unwrap();
    fs::write(&blob, "y".repeat(70_000)).unwrap();
    assert!(Audit::of(&folder).problems.join("\n").contains("blob"));
    fs::rename(&blob, folder.join("stray")).unwrap();
    assert!(Audit::of(&folder).problems.join("\n").contains("nobody knows what stray is"));
}
