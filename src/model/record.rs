//! Records, changes and effects: what is stored, what the log says of it, and what a turn wants done.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{actor::Actor, view::Access};

/// A stored record of some kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its id, unique in its kind.
    pub id: String,
    /// The seq of its last change.
    pub version: u64,
    /// When it came into being, in milliseconds since 1970.
    pub created_at: i64,
    /// When it last changed, in milliseconds since 1970.
    pub updated_at: i64,
    /// It is dead from this moment on (alive at `t` iff `t < expires_at`).
    pub expires_at: Option<i64>,
    /// Who changed it last.
    pub updated_by: Actor,
    /// Its content as JSON.
    pub body: String,
}

/// What happened to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// It came into being.
    Created,
    /// It was there and is different now.
    Updated,
    /// Somebody removed it.
    Deleted,
    /// Its time was up.
    Expired,
}

impl ChangeKind {
    /// The word of the change.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
            Self::Expired => "expired",
        }
    }

    /// The change of a word.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Created, Self::Updated, Self::Deleted, Self::Expired].into_iter().find(|kind| kind.name() == name)
    }
}

/// A row of the log: what a record became, by whom, through which operation, in which transaction.
/// What it was is the row of `previous`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// 1, 2, 3 … in the instance, never reused.
    pub seq: u64,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// The first seq of the turn it belongs to.
    pub transaction: u64,
    /// The previous change of the same record, across delete and re-create.
    pub previous: Option<u64>,
    /// The kind of the record.
    pub kind: String,
    /// The id of the record.
    pub id: String,
    /// What happened.
    pub change: ChangeKind,
    /// The operation that did it.
    pub operation: String,
    /// Who did it.
    pub actor: Actor,
    /// When the record will expire.
    pub expires_at: Option<i64>,
    /// What it became; nothing when it is gone.
    pub body: Option<String>,
}

/// An entry of a declared index: the record is found under `key` in the index `index`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexEntry {
    /// Name of the index.
    pub index: &'static str,
    /// Order-preserving bytes.
    pub key: Vec<u8>,
}

/// One finished change of one record, to be applied as it stands. The store adds seq, time and actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// The kind of the record.
    pub kind: &'static str,
    /// The id of the record.
    pub id: String,
    /// What happens to it.
    pub change: ChangeKind,
    /// The previous change of the same record.
    pub previous: Option<u64>,
    /// When it will expire.
    pub expires_at: Option<i64>,
    /// What it was; nothing when it was not there.
    pub before: Option<String>,
    /// What it becomes; nothing when it goes.
    pub body: Option<String>,
    /// What the log keeps of that, where it is not the whole.
    pub logged: Option<String>,
    /// Index entries that come.
    pub enter: Vec<IndexEntry>,
    /// Index entries that go.
    pub leave: Vec<IndexEntry>,
    /// By how much the bodies of the kind grow, in bytes.
    pub grown_bytes: i64,
}

/// What a finished turn leaves to be applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// Changes of records, each a row of the log.
    pub effects: Vec<Effect>,
    /// Rows of the log that lose their values.
    pub blanks: Vec<Blank>,
    /// What may be done with the instance from now on.
    pub access: Option<Access>,
}

impl Done {
    /// Whether there is nothing to apply.
    pub fn is_empty(&self) -> bool {
        self.effects.is_empty() && self.blanks.is_empty() && self.access.is_none()
    }
}

/// A row of the log whose value is taken away; the row stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blank {
    /// Which row.
    pub seq: u64,
    /// What is left of its body.
    pub body: String,
}

impl Effect {
    /// Bytes that applying it writes, roughly: the record and the log row.
    pub fn cost_bytes(&self) -> usize {
        2 * self.body.as_ref().map_or(0, String::len) + 200
    }

    /// By how many the records of the kind grow.
    pub fn grown_records(&self) -> i64 {
        match self.change {
            ChangeKind::Created => 1,
            ChangeKind::Updated => 0,
            ChangeKind::Deleted | ChangeKind::Expired => -1,
        }
    }
}
