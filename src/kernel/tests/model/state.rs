//! One instance as the model sees it, and one turn over it: maps and vectors, written to be read.

use std::{collections::BTreeMap, rc::Rc};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};

/// The system tags in the order in which they are shown.
pub(super) const SYSTEM_TAGS: [&str; 5] = ["SystemPrompt", "LLMRead", "LLMWrite", "ApplyTemplate", "protected"];

/// A value up to this many bytes is shown in lists.
const SHOWN_BYTES: usize = 1024;

/// A refusal: its code and the few members that a program acts on.
pub(super) type Refusal = Value;

pub(super) fn refuse<T>(code: &str) -> Result<T, Refusal> {
    Err(json!({ "code": code }))
}

/// How much a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mode {
    Read,
    Use,
    Write,
    Edit,
}

impl Mode {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Use => "use",
            Self::Write => "write",
            Self::Edit => "edit",
        }
    }
}

/// The author of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hand {
    pub(super) principal: &'static str,
    pub(super) kind: &'static str,
    pub(super) client: &'static str,
    pub(super) run: &'static str,
}

impl Hand {
    /// Whose changes an undo takes back: a person's of any run, since each command is one.
    pub(super) fn author(&self) -> String {
        let run = if self.kind == "human" { "" } else { self.run };
        format!("{}/{}/{run}", self.principal, self.client)
    }

    pub(super) fn shown(&self) -> Value {
        json!({"principal": self.principal, "client": self.client})
    }

    /// As the log shows it.
    pub(super) fn logged(&self) -> Value {
        json!({"kind": self.kind, "principal": self.principal, "client": self.client})
    }
}

/// Who notices that something has expired: nobody did it.
pub(super) const SYSTEM: Hand = Hand { principal: "system", kind: "app", client: "mindcache", run: "" };

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) kind: String,
    pub(super) content_type: Option<String>,
    pub(super) system_tags: Vec<&'static str>,
    pub(super) tags: Vec<String>,
    pub(super) z_index: i64,
    pub(super) description: Option<String>,
    /// Says of what type a value must be, and nothing else.
    pub(super) schema: Option<Value>,
    pub(super) keeps_history: bool,
    /// As it goes over the wire: text, or base64. Nothing in a row of the log that does not keep it.
    pub(super) value: Option<Rc<str>>,
}

impl Key {
    pub(super) fn new(key_type: &str) -> Self {
        Self {
            kind: key_type.into(),
            content_type: None,
            system_tags: vec!["LLMRead", "LLMWrite"],
            tags: Vec::new(),
            z_index: 0,
            description: None,
            schema: None,
            keeps_history: true,
            value: Some("".into()),
        }
    }

    pub(super) fn has(&self, tag: &str) -> bool {
        self.system_tags.contains(&tag)
    }

    pub(super) fn is_readable(&self, mode: Mode) -> bool {
        mode >= Mode::Write || self.has("LLMRead") || self.has("SystemPrompt")
    }

    pub(super) fn is_writable(&self, mode: Mode) -> bool {
        mode >= Mode::Write || self.has("LLMWrite")
    }

    pub(super) fn is_binary(&self) -> bool {
        is_binary(&self.kind)
    }

    pub(super) fn text(&self) -> Rc<str> {
        self.value.clone().expect("a key that is there has a value")
    }

    /// The bytes that it stands for.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let text = self.text();
        if self.is_binary() { BASE64.decode(&*text).unwrap() } else { text.as_bytes().to_vec() }
    }

    /// Whether its schema allows a text.
    pub(super) fn may_be(&self, text: &str) -> bool {
        let is_json = self.kind == "json";
        match self.schema.as_ref().and_then(|schema| schema["type"].as_str()) {
            None => true,
            _ if self.is_binary() => true,
            Some("string") => !is_json || text.trim_start().starts_with('"'),
            Some("object") => is_json && text.trim_start().starts_with('{'),
            Some(other) => panic!("the model does not know {other}"),
        }
    }

    /// The value where lists and histories show it.
    pub(super) fn short_value(&self) -> Option<Rc<str>> {
        self.value.clone().filter(|value| value.len() <= SHOWN_BYTES)
    }
}

pub(super) fn is_binary(key_type: &str) -> bool {
    ["image", "file"].contains(&key_type)
}

/// An answer kept under an idempotency key, without the values that it showed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reply {
    pub(super) args: Value,
    pub(super) result: Value,
}

/// What a record holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Thing {
    Key(Key),
    Reply(Reply),
    /// The turns that an author has taken back.
    Undone(Vec<u64>),
}

impl Thing {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Key(_) => "key",
            Self::Reply(_) => "reply",
            Self::Undone(_) => "undone",
        }
    }

    pub(super) fn key(&self) -> Option<&Key> {
        if let Self::Key(key) = self { Some(key) } else { None }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) thing: Thing,
    pub(super) version: u64,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
    pub(super) expires_at: Option<i64>,
    pub(super) by: Hand,
}

impl Record {
    pub(super) fn key(&self) -> &Key {
        self.thing.key().expect("a record of a key")
    }
}

/// A row of the log.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) at: i64,
    pub(super) txn: u64,
    pub(super) kind: &'static str,
    pub(super) id: String,
    pub(super) change: &'static str,
    pub(super) operation: String,
    pub(super) by: Hand,
    pub(super) expires_at: Option<i64>,
    /// Of a key that is there after it.
    pub(super) key: Option<Key>,
}

impl Row {
    pub(super) fn is_of(&self, kind: &str, id: &str) -> bool {
        self.kind == kind && self.id == id
    }
}

/// Kind and id.
pub(super) type Place = (&'static str, String);

/// One instance.
#[derive(Debug, Clone, Default)]
pub(super) struct Instance {
    pub(super) records: BTreeMap<Place, Record>,
    /// The row of seq 1 is the first.
    pub(super) log: Vec<Row>,
    /// No turn runs before this.
    pub(super) clock: i64,
}

impl Instance {
    pub(super) fn head(&self) -> u64 {
        self.log.len() as u64
    }

    pub(super) fn now(&self, wall: i64) -> i64 {
        wall.max(self.clock)
    }

    pub(super) fn row(&self, seq: u64) -> Option<&Row> {
        self.log.get(usize::try_from(seq.checked_sub(1)?).ok()?)
    }

    /// The seq of the last change of a record before `seq`.
    pub(super) fn change_before(&self, kind: &str, id: &str, seq: u64) -> Option<u64> {
        (1..seq).rev().find(|seq| self.row(*seq).is_some_and(|row| row.is_of(kind, id)))
    }

    pub(super) fn last_change(&self, kind: &str, id: &str) -> Option<u64> {
        self.change_before(kind, id, self.head() + 1)
    }

    pub(super) fn live_keys(&self, now: i64) -> Vec<(&str, &Record)> {
        let records = self.records.iter().filter(|((kind, _), record)| *kind == "key" && is_alive(record, now));
        records.map(|((_, name), record)| (name.as_str(), record)).collect()
    }

    pub(super) fn dead(&self, now: i64) -> Vec<Place> {
        let mut dead: Vec<_> = self.records.iter().filter(|(_, record)| !is_alive(record, now)).collect();
        dead.sort_by_key(|(place, record)| (record.expires_at, (*place).clone()));
        dead.into_iter().map(|(place, _)| place.clone()).collect()
    }
}

pub(super) fn is_alive(record: &Record, now: i64) -> bool {
    record.expires_at.is_none_or(|at| now < at)
}

/// A turn: what an instance was, and what it has become so far.
#[derive(Clone)]
pub(super) struct Turn {
    pub(super) now: i64,
    pub(super) by: Hand,
    pub(super) mode: Mode,
    pub(super) operation: String,
    pub(super) before: Rc<Instance>,
    pub(super) state: Instance,
    /// A row of the log has lost its value.
    pub(super) has_blanked: bool,
}

impl Turn {
    pub(super) fn new(instance: &Instance, wall: i64, by: &Hand, mode: Mode, operation: &str) -> Self {
        Self {
            now: instance.now(wall),
            by: by.clone(),
            mode,
            operation: operation.into(),
            before: Rc::new(instance.clone()),
            state: instance.clone(),
            has_blanked: false,
        }
    }

    /// The instance after it.
    pub(super) fn commit(mut self) -> Instance {
        if self.has_blanked || self.state.head() > self.before.head() {
            self.state.clock = self.state.clock.max(self.now);
        }
        self.state
    }

    /// The record of a key that is there. A dead one is expired by asking for it.
    pub(super) fn key(&mut self, name: &str) -> Option<Record> {
        self.live("key", name)
    }

    pub(super) fn live(&mut self, kind: &'static str, id: &str) -> Option<Record> {
        let record = self.state.records.get(&(kind, id.to_owned()))?.clone();
        if is_alive(&record, self.now) {
            return Some(record);
        }
        self.remove(kind, id, "expired");
        None
    }

    pub(super) fn put(&mut self, id: &str, thing: Thing, expires_at: Option<i64>) -> u64 {
        let kind = thing.kind();
        let before = self.live(kind, id);
        let change = if before.is_some() { "updated" } else { "created" };
        let mut logged = thing.key().cloned();
        if let Some(key) = logged.as_mut().filter(|key| !key.keeps_history) {
            key.value = None;
        }
        self.log(kind, id, change);
        if let Some(row) = self.state.log.last_mut() {
            (row.expires_at, row.key) = (expires_at, logged);
        }
        let version = self.state.head();
        let created_at = before.map_or(self.now, |before| before.created_at);
        let by = self.by.clone();
        let record = Record { thing, version, created_at, updated_at: self.now, expires_at, by };
        self.state.records.insert((kind, id.into()), record);
        version
    }

    pub(super) fn delete(&mut self, name: &str) -> Option<u64> {
        self.key(name)?;
        self.remove("key", name, "deleted");
        Some(self.state.head())
    }

    pub(super) fn remove(&mut self, kind: &'static str, id: &str, change: &'static str) {
        self.state.records.remove(&(kind, id.to_owned()));
        self.log(kind, id, change);
    }

    fn log(&mut self, kind: &'static str, id: &str, change: &'static str) {
        self.state.log.push(Row {
            at: self.now,
            txn: self.before.head() + 1,
            kind,
            id: id.into(),
            change,
            operation: self.operation.clone(),
            by: if change == "expired" { SYSTEM } else { self.by.clone() },
            expires_at: None,
            key: None,
        });
    }
}

/// A time as replies show it.
pub(super) fn time(at_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(at_ms).unwrap().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
