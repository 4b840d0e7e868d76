//! `log_read`: the change log, for who keeps a copy or wants to know what happened.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{
    actor::Origin,
    error::OpError,
    key::Key,
    kind::{self, Kind as _},
    limits,
    permission::{Action, Mode, may_read, reads_all},
    record::{Change, ChangeKind},
    time,
};

use super::{
    bounds::{Version, Whole},
    operation::{Cx, EffectClass, Listing, OpMeta, Operation, Report, Step, Target},
    tx::Tx,
};

/// Read what changed after a seq, oldest first, without values. Call again with since = as_of_seq until nothing
/// comes. Fails with log_truncated when the log does not go back so far: list the keys anew then.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogRead {
    /// Changes after this seq; 0 from the beginning
    pub since: Version,
    /// How many, default 100
    #[serde(default)]
    pub limit: Option<Whole<1, { limits::PAGE as u64 }>>,
}

/// A row of the log.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Row {
    /// 1, 2, 3 … in the instance.
    pub seq: u64,
    /// When.
    pub at: String,
    /// What kind of record.
    pub kind: String,
    /// Which one.
    pub id: String,
    /// What happened to it.
    pub change: ChangeKind,
    /// Through which operation.
    pub operation: String,
    /// By whom.
    pub actor: Origin,
    /// The seq of the first change of the same turn.
    pub txn: u64,
}

/// A piece of the log.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Rows {
    /// Oldest first.
    #[schemars(schema_with = "crate::ops::schema::objects")]
    pub changes: Vec<Row>,
    /// Everything up to here was looked at.
    pub as_of_seq: u64,
}

impl Report for Rows {
    fn outcome(&self) -> String {
        format!("{} changes, up to seq {}.", self.changes.len(), self.as_of_seq)
    }
}

impl Operation for LogRead {
    const NAME: &'static str = "log_read";
    const META: OpMeta = OpMeta {
        title: "Read the log",
        toolset: "core",
        listing: Listing::Search,
        target: Target::Instance,
        action: Action::Read,
        effect: EffectClass::Read,
        idempotent: true,
        waits: false,
        events: &[],
    };
    type Out = Rows;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Rows>, OpError> {
        let floor = tx.log_start()?;
        if self.since.get().saturating_add(1) < floor {
            return Err(OpError::LogTruncated { floor });
        }
        let limit = self.limit.map_or(limits::LIST_PAGE as usize, Whole::size);
        let mut changes = Vec::new();
        let mut seen = self.since.get();
        let mut looked_at = 0;
        while changes.len() < limit && looked_at < limits::LOOKED_AT {
            let rows = tx.changes(seen, limit)?;
            if rows.is_empty() {
                seen = seen.max(tx.seq());
                break;
            }
            for row in rows {
                if changes.len() == limit {
                    break;
                }
                (seen, looked_at) = (row.seq, looked_at + 1);
                if is_visible(tx, cx.mode, &row)? {
                    changes.push(shown(row));
                }
            }
        }
        Ok(Step::Done(Rows { changes, as_of_seq: seen }))
    }
}

/// Whether the caller could read the record before or after.
fn is_visible(tx: &Tx<'_>, mode: Mode, change: &Change) -> Result<bool, OpError> {
    if kind::is_internal(&change.kind) {
        return Ok(false);
    }
    if reads_all(mode) {
        return Ok(true);
    }
    let readable = |body: Option<&str>| {
        body.and_then(|body| serde_json::from_str::<Key>(body).ok()).is_some_and(|key| may_read(mode, &key))
    };
    if change.kind != Key::KIND || readable(change.body.as_deref()) {
        return Ok(change.kind == Key::KIND);
    }
    let previous = change.previous.map(|seq| tx.change(seq)).transpose()?.flatten();
    Ok(readable(previous.and_then(|previous| previous.body).as_deref()))
}

fn shown(change: Change) -> Row {
    Row {
        seq: change.seq,
        at: time::rfc3339(change.at),
        kind: change.kind,
        id: change.id,
        change: change.change,
        operation: change.operation,
        actor: Origin::from(&change.actor),
        txn: change.transaction,
    }
}
