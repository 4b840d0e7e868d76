//! `wait_for_change`: a long poll over the log. It leaves nothing behind, and it is resumable: pass
//! `as_of_seq` as `after_version` and nothing in between is missed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{
    error::OpError,
    key::{Key, KeyName},
    kind::Kind as _,
    limits,
    permission::{Action, Mode, may_read, reads_all},
    record::{Change, ChangeKind},
};

use super::meta;
use crate::ops::{
    bounds::{Text, Version, Whole},
    operation::{Cx, EffectClass, OpMeta, Operation, Report, Step},
    tx::Tx,
};

/// How many rows of the log one read takes, and how many reads one look.
const SLICE: usize = 500;
const SLICES: usize = 10;

/// Wait until a key, or any key with the prefix, changes; answers at once if one did after after_version. Pass
/// as_of_seq as after_version to go on without a gap. On timed_out: true nothing changed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitForChange {
    /// Only this key
    #[serde(default)]
    pub key: Option<KeyName>,
    /// Only keys that begin so
    #[serde(default)]
    pub prefix: Option<Text<0, { limits::KEY_NAME_CHARACTERS }>>,
    /// Changes after this version or as_of_seq; left out, from now on
    #[serde(default)]
    pub after_version: Option<Version>,
    /// How long, at most 45000; default 30000
    #[serde(default)]
    pub wait_ms: Option<Whole<0, { limits::WAIT_MS }>>,
}

/// A key that changed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct KeyChange {
    /// Its name.
    pub key: String,
    /// What happened.
    pub change: ChangeKind,
    /// Its version then.
    pub version: u64,
}

/// The changes, oldest first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Changes {
    /// At most 100; ask again from `as_of_seq` for more.
    pub changes: Vec<KeyChange>,
    /// Everything up to here has been reported or did not match.
    pub as_of_seq: u64,
    /// The time was up before anything changed.
    pub timed_out: bool,
}

impl Report for Changes {
    fn outcome(&self) -> String {
        match self.changes.as_slice() {
            [] => format!("TIMED OUT: nothing changed; go on with after_version {}.", self.as_of_seq),
            [only] => format!("Key \"{}\" was {}, version {}.", only.key, only.change.name(), only.version),
            many => format!("{} changes; go on with after_version {}.", many.len(), self.as_of_seq),
        }
    }
}

impl Operation for WaitForChange {
    const NAME: &'static str = "wait_for_change";
    const META: OpMeta = OpMeta { waits: true, ..meta("Wait for a change", Action::Read, EffectClass::Read) };
    type Out = Changes;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Changes>, OpError> {
        let since = cx.wait.since.or(self.after_version.map(Whole::get)).unwrap_or(tx.seq());
        let found = self.since(tx, cx.mode, since)?;
        let wait_ms = self.wait_ms.map_or(limits::DEFAULT_WAIT_MS, Whole::get);
        if found.changes.is_empty() && !cx.wait.timed_out && wait_ms > 0 {
            return Ok(Step::Park { wait_ms, seen: found.as_of_seq });
        }
        Ok(Step::Done(found))
    }
}

impl WaitForChange {
    fn since(&self, tx: &Tx<'_>, mode: Mode, since: u64) -> Result<Changes, OpError> {
        let mut changes = Vec::new();
        let mut seen = since;
        for _ in 0..SLICES {
            if changes.len() == limits::WAIT_CHANGES {
                break;
            }
            let slice = tx.changes(seen, SLICE)?;
            let is_last = slice.len() < SLICE;
            for change in slice {
                if changes.len() == limits::WAIT_CHANGES {
                    break;
                }
                seen = change.seq;
                if self.matches(&change) && may_know(tx, mode, &change)? {
                    changes.push(KeyChange { key: change.id, change: change.change, version: change.seq });
                }
            }
            if is_last {
                break;
            }
        }
        let timed_out = changes.is_empty();
        Ok(Changes { changes, as_of_seq: seen, timed_out })
    }

    fn matches(&self, change: &Change) -> bool {
        change.kind == Key::KIND
            && self.key.as_ref().is_none_or(|key| key.as_str() == change.id)
            && self.prefix.as_ref().is_none_or(|prefix| change.id.starts_with(prefix.as_str()))
    }
}

/// Whether the caller may learn of the change: it could read the key after it, or before it went.
fn may_know(tx: &Tx<'_>, mode: Mode, change: &Change) -> Result<bool, OpError> {
    if reads_all(mode) {
        return Ok(true);
    }
    let readable = |body: &str| serde_json::from_str::<Key>(body).is_ok_and(|key| may_read(mode, &key));
    if let Some(body) = &change.body {
        return Ok(readable(body));
    }
    let before = change.previous.map(|seq| tx.change(seq)).transpose()?.flatten();
    Ok(before.and_then(|before| before.body).is_some_and(|body| readable(&body)))
}
