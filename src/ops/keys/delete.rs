//! `delete_key` and `clear_keys`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{
    error::OpError,
    key::{Key, KeyName},
    permission::Action,
    tags::SystemTag,
    view::IdRange,
};

use super::{check_version, meta};
use crate::ops::{
    bounds::Version,
    operation::{Cx, EffectClass, OpMeta, Operation, Report, Step},
    tx::Tx,
};

/// Delete a key. A key that does not exist is deleted: false, not an error. Fails on protected keys.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delete {
    /// Key name
    pub key: KeyName,
    /// Only if the key is at this version
    #[serde(default)]
    pub if_version: Option<Version>,
}

/// What became of it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Deleted {
    /// The key.
    pub key: String,
    /// Whether there was one.
    pub deleted: bool,
    /// The seq of the deletion; 0 when there was nothing.
    pub version: u64,
}

impl Report for Deleted {
    fn outcome(&self) -> String {
        if self.deleted {
            format!("Deleted key \"{}\" at version {}.", self.key, self.version)
        } else {
            format!("NOT DELETED: there is no key \"{}\".", self.key)
        }
    }
}

impl Operation for Delete {
    const NAME: &'static str = "delete_key";
    const META: OpMeta =
        OpMeta { events: &["key.deleted"], ..meta("Delete a key", Action::Delete, EffectClass::Delete) };
    type Out = Deleted;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Deleted>, OpError> {
        let name = self.key.as_str();
        let held = tx.get::<Key>(name)?;
        if let Some(held) = &held {
            cx.check(Action::Delete, name, &held.content)?;
        }
        check_version(name, self.if_version, held.as_ref())?;
        let version = tx.delete::<Key>(name)?;
        Ok(Step::Done(Deleted { key: name.to_owned(), deleted: version.is_some(), version: version.unwrap_or(0) }))
    }
}

/// Delete all keys but the protected ones, as one change. Each can be restored from its history.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clear {}

/// What became of them.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Cleared {
    /// How many were deleted.
    pub deleted: u64,
    /// How many were kept because they are protected.
    pub kept: u64,
    /// The seq of the last deletion, or of the last change when there was none.
    pub version: u64,
}

impl Report for Cleared {
    fn outcome(&self) -> String {
        format!("Deleted {} keys and kept {} protected ones.", self.deleted, self.kept)
    }
}

impl Operation for Clear {
    const NAME: &'static str = "clear_keys";
    const META: OpMeta =
        OpMeta { events: &["key.deleted"], ..meta("Delete all keys", Action::Arrange, EffectClass::Delete) };
    type Out = Cleared;

    fn apply(&self, tx: &mut Tx<'_>, _: &Cx) -> Result<Step<Cleared>, OpError> {
        const PAGE: usize = 1000;
        let (mut deleted, mut kept) = (0, 0);
        let mut after: Option<String> = None;
        loop {
            let page = tx.scan::<Key>(&IdRange::page("", after.as_deref()), PAGE)?;
            let is_last = page.len() < PAGE;
            for held in page {
                if held.content.system_tags.has(SystemTag::Protected) {
                    kept += 1;
                } else {
                    tx.delete::<Key>(&held.record.id)?;
                    deleted += 1;
                }
                after = Some(held.record.id);
            }
            if is_last {
                return Ok(Step::Done(Cleared { deleted, kept, version: tx.seq() }));
            }
        }
    }
}
