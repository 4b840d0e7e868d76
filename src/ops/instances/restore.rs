//! `instance_restore`: the keys of an instance become those of another.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::{
    error::OpError,
    key::{History, Key},
    value::{BlobRef, Stored},
};

use super::{InstanceView, arguments::Which, meta};
use crate::ops::{
    keys::purge,
    operation::{Call, Cx, EffectClass, OpMeta, Reply, Step},
    procedure,
    tx::Tx,
};

/// Make the keys of an instance exactly those of a snapshot, or of any other instance, protected ones included: one
/// change, which undo takes back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Restore {
    /// Name or id of the instance that is changed
    pub instance: Which,
    /// Name or id of the snapshot
    pub snapshot: Which,
}

impl procedure::Arguments for Restore {
    const NAME: &'static str = "instance_restore";
    const META: OpMeta = OpMeta {
        events: &["key.created", "key.updated", "key.deleted"],
        idempotent: true,
        ..meta("Restore an instance", EffectClass::Update)
    };
    type Out = InstanceView;
}

/// The live keys of an instance at one moment, each with its expiry.
#[derive(Debug, Default)]
pub struct Keys(BTreeMap<String, (Key, Option<i64>)>);

impl Keys {
    /// Adds a key, in place of one of that name.
    pub fn insert(&mut self, name: String, key: Key, expires_at: Option<i64>) {
        self.0.insert(name, (key, expires_at));
    }

    /// Reads them all.
    pub fn read(tx: &Tx<'_>) -> Result<Self, OpError> {
        let mut keys = BTreeMap::new();
        tx.each::<Key, OpError>(|held| {
            keys.insert(held.record.id, (held.content, held.record.expires_at));
            Ok(())
        })?;
        Ok(Self(keys))
    }

    /// Their large values.
    pub fn blobs(&self) -> Vec<BlobRef> {
        let blob = |(key, _): &(Key, _)| match &key.value {
            Stored::Blob(blob) => Some(blob.clone()),
            Stored::Inline(_) | Stored::Gone => None,
        };
        self.0.values().filter_map(blob).collect()
    }

    /// How much memory they take, roughly.
    pub fn bytes(&self) -> usize {
        let inline = |key: &Key| if let Stored::Inline(text) = &key.value { text.len() } else { 0 };
        self.0.iter().map(|(name, (key, _))| name.len() + inline(key) + 500).sum()
    }
}

/// Makes the keys of an instance exactly these. Errors: `unavailable` when a large value is not in its files.
#[derive(Debug)]
pub struct Become(pub Keys);

impl Call for Become {
    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Reply>, OpError> {
        let (mut gone, mut unchanged) = (Vec::new(), BTreeSet::new());
        let mut updated = 0;
        // All is looked at before anything is changed: what is staged would be laid over each further page.
        tx.each::<Key, OpError>(|held| {
            match self.0.0.get(&held.record.id) {
                Some((key, expires_at)) if *key == held.content && *expires_at == held.record.expires_at => {
                    unchanged.insert(held.record.id);
                }
                Some((_, expires_at)) if expires_at.is_none_or(|at| cx.now_ms < at) => updated += 1,
                // It is not among them, or has died since they were read.
                _ => gone.push(held.record.id),
            }
            Ok(())
        })?;
        for name in &gone {
            tx.delete::<Key>(name)?;
        }
        let mut written = 0_u64;
        for (name, (key, expires_at)) in &self.0.0 {
            // What has died since the keys were read is dead in both.
            if !unchanged.contains(name) && expires_at.is_none_or(|at| cx.now_ms < at) {
                // Nothing named it until now, so upkeep may have taken it away; from here to the commit it does not.
                if let Stored::Blob(blob) = &key.value {
                    tx.blob(blob, 0..1)?;
                }
                tx.put(name, key, *expires_at)?;
                if key.history == History::None {
                    purge::older_values(tx, name)?;
                }
                written += 1;
            }
        }
        let outcome = format!("Keys written: {written}, deleted: {}, unchanged: {}.", gone.len(), unchanged.len());
        let result = serde_json::json!({
            "created": written.saturating_sub(updated), "updated": updated, "deleted": gone.len(),
            "unchanged": unchanged.len(), "expired": self.0.0.len() as u64 - written - unchanged.len() as u64,
        });
        Ok(Step::Done(Reply { outcome, result, image: None }))
    }
}
