//! The tools that single keys have: made from an index, so that they cost the same however many keys there are.
//!
//! A view of the records, not an operation: nothing here runs in a turn.

use crate::{
    derive::key_tools::{self, Budget, Candidate, Frame, Listed, Resolved},
    model::{
        error::OpError,
        key::Key,
        kind::{self, TOOL_RANK},
        permission::{Action, Mode, may_read},
        tags::SystemTag,
        view::IdRange,
    },
};

use crate::ops::{
    operation::Cx,
    tx::{Held, Tx},
};

/// Keys looked at for a list, at most, when few of them may be used.
const LOOKED_AT: usize = 1000;

/// The key tools of a caller, beside the static ones of all modes.
pub fn list(tx: &mut Tx<'_>, cx: &Cx, static_tools: &[&str], budget: Budget) -> Result<Listed, OpError> {
    let (mut held, mut writable, mut readable) = (Vec::new(), 0, 0);
    let slots = budget.slots();
    for name in tx.ordered::<Key>(TOOL_RANK, LOOKED_AT)? {
        if writable >= slots && readable >= slots {
            break;
        }
        let Some(found) = tx.get::<Key>(&name)? else { continue };
        let (reads, writes) = rights(cx, &found);
        if reads || writes {
            writable += usize::from(writes);
            readable += usize::from(reads);
            held.push((found, reads, writes));
        }
    }
    let candidates: Vec<Candidate<'_>> =
        held.iter().map(|(found, reads, writes)| candidate(found, *reads, *writes)).collect();
    let frame = Frame { static_tools, budget, beyond: 0 };
    key_tools::list(&candidates, &frame, |at, limit| names(tx, cx, at, limit))
}

/// The key that a tool's name stands for.
pub fn resolve(tx: &mut Tx<'_>, cx: &Cx, tool: &str, static_tools: &[&str]) -> Result<Resolved, OpError> {
    key_tools::resolve(tool, static_tools, |at, limit| names(tx, cx, at, limit))
}

fn rights(cx: &Cx, held: &Held<Key>) -> (bool, bool) {
    let writes = cx.check(Action::Write, &held.record.id, &held.content).is_ok();
    (may_read(cx.mode, &held.content), writes && cx.mode != Mode::Read)
}

fn candidate(held: &Held<Key>, is_readable: bool, is_writable: bool) -> Candidate<'_> {
    let key = &held.content;
    Candidate {
        name: &held.record.id,
        key_type: key.key_type,
        description: key.description.as_deref(),
        schema: key.schema.as_ref(),
        z_index: key.z_index,
        in_prompt: key.system_tags.has(SystemTag::SystemPrompt),
        is_readable,
        is_writable,
    }
}

/// Names of keys in the caller's sight that are `at` or are indexed under it.
fn names(tx: &mut Tx<'_>, cx: &Cx, at: &str, limit: usize) -> Result<Vec<String>, OpError> {
    let in_sight = |held: &Held<Key>| {
        let (reads, writes) = rights(cx, held);
        reads || writes
    };
    let own = tx.get::<Key>(at)?.filter(in_sight);
    let others = tx.scan_index::<Key>(kind::TOOL, at.as_bytes(), &IdRange::all(), LOOKED_AT.min(limit * 8))?;
    let all = own.into_iter().chain(others.into_iter().filter(in_sight));
    Ok(all.map(|held| held.record.id).take(limit).collect())
}
