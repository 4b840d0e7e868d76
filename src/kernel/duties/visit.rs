//! One visit to one instance: a few slices of whatever there is to do.

use crate::{
    model::{error::OpError, instance::InstanceId},
    store::{Store, upkeep::Retention},
};

/// Slices of trimming in one visit; writers come in between them, the other instances after them.
const SLICES: usize = 20;
/// How old a large value must be that nothing names: a younger one may be on its way into a record. No more than that,
/// as a value of a key without history is gone only with its file.
const UNNAMED_MS: i64 = 3600 * 1000;
/// How long nothing must have been written until the WAL is emptied. At a thorough visit it is all the same: what keys
/// without history were stays in a part of it that is not written to again.
const IDLE_MS: i64 = 120_000;

/// Does what there is to do; answers whether that was all.
pub(super) fn visit(
    store: &dyn Store,
    id: &InstanceId,
    keep: &Retention,
    now_ms: i64,
    is_thorough: bool,
) -> Result<bool, OpError> {
    let mut upkeep = store.upkeep(id)?;
    // How large a log is takes a look at the whole of it.
    let keep = Retention { bytes: if is_thorough { keep.bytes } else { 0 }, ..*keep };
    let mut has_more = true;
    for _ in 0..SLICES {
        has_more = upkeep.trim(&keep, now_ms)?;
        if !has_more {
            break;
        }
    }
    if is_thorough {
        let removed = upkeep.collect(now_ms - UNNAMED_MS)?;
        if removed > 0 {
            tracing::info!(removed, instance = %id, "removed large values that nothing named");
        }
    }
    let is_settled = match upkeep.wal_written_ms() {
        None => true,
        Some(at) if at > now_ms - IDLE_MS && !is_thorough => false,
        Some(_) => upkeep.empty_wal()?,
    };
    Ok(!has_more && is_settled)
}
