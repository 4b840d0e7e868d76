//! Copies of an instance: clones and snapshots.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::{error::OpError, key::Key, kind, limits, view::IdRange};

use super::{
    InstanceView,
    arguments::{NewName, Which},
    meta,
};
use crate::ops::{
    access::Word,
    bounds::Text,
    operation::{EffectClass, OpMeta},
    procedure,
    tx::{Held, Tx},
};

/// Copy an instance under a new name: whole, with its history, or only the keys with a tag or a prefix, then without
/// history. The copy is open for writing. Fails with already_exists when the name is taken.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Duplicate {
    /// Name or id of the instance to copy
    pub instance: Which,
    /// Name of the copy, without / and \
    pub name: NewName,
    /// Name or id of its project, default the caller's
    #[serde(default)]
    pub project: Option<Word>,
    /// Only keys with this content tag
    #[serde(default)]
    pub tag: Option<Text<1, { limits::TAG_CHARACTERS }>>,
    /// Only keys whose names begin so
    #[serde(default)]
    pub prefix: Option<Text<1, { limits::KEY_NAME_CHARACTERS }>>,
}

impl Duplicate {
    /// Which keys are wanted; nothing for the whole instance.
    pub fn filter(&self) -> Option<Filter> {
        if self.tag.is_none() && self.prefix.is_none() {
            return None;
        }
        Some(Filter {
            tag: self.tag.as_ref().map(|tag| tag.as_str().to_owned()),
            prefix: self.prefix.as_ref().map_or_else(String::new, |prefix| prefix.as_str().to_owned()),
        })
    }
}

impl procedure::Arguments for Duplicate {
    const NAME: &'static str = "instance_clone";
    const META: OpMeta = OpMeta { events: &["instance.created"], ..meta("Clone an instance", EffectClass::Create) };
    type Out = InstanceView;
}

/// Which keys are copied.
#[derive(Debug)]
pub struct Filter {
    tag: Option<String>,
    prefix: String,
}

impl Filter {
    /// Every key.
    pub fn all() -> Self {
        Self { tag: None, prefix: String::new() }
    }

    /// The next wanted keys after a name.
    pub fn page(&self, tx: &Tx<'_>, after: Option<&str>, limit: usize) -> Result<Vec<Held<Key>>, OpError> {
        let range = IdRange::page(&self.prefix, after);
        match &self.tag {
            Some(tag) => tx.scan_index(kind::TAG, tag.as_bytes(), &range, limit),
            None => tx.scan(&range, limit),
        }
    }
}

/// Keep an instance as it is now: a read-only copy with its history and a note, named after the instance and the time.
/// Its id serves instance_restore, and reading it like any instance.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// Name or id of the instance
    pub instance: Which,
    /// What it is taken for
    #[serde(default)]
    pub note: Option<Text<0, { limits::NOTE_CHARACTERS }>>,
}

impl procedure::Arguments for Snapshot {
    const NAME: &'static str = "instance_snapshot";
    const META: OpMeta = OpMeta { events: &["instance.created"], ..meta("Take a snapshot", EffectClass::Create) };
    type Out = InstanceView;
}
