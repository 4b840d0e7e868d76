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

/// A key, and whether the caller may read and write it.
type Usable = (Held<Key>, bool, bool);

/// The key tools of a caller, beside the static ones of all modes.
pub fn list(tx: &mut Tx<'_>, cx: &Cx, static_tools: &[&str], budget: Budget) -> Result<Listed, OpError> {
    let slots = budget.slots();
    // As a rule the first keys may all be used, and what is behind them need not be looked at.
    let held = match usable(tx, cx, slots, slots)? {
        Some(held) => held,
        None => usable(tx, cx, slots, LOOKED_AT)?.unwrap_or_default(),
    };
    let candidates: Vec<Candidate<'_>> =
        held.iter().map(|(found, reads, writes)| candidate(found, *reads, *writes)).collect();
    let frame = Frame { static_tools, budget, beyond: 0 };
    key_tools::list(&candidates, &frame, |at, limit| names(tx, cx, at, limit))
}

/// The keys for so many slots among the first so many; `None` if those behind are needed too and may be looked at.
fn usable(tx: &mut Tx<'_>, cx: &Cx, slots: usize, looked_at: usize) -> Result<Option<Vec<Usable>>, OpError> {
    let names = tx.ordered::<Key>(TOOL_RANK, looked_at)?;
    let are_all = names.len() < looked_at || looked_at >= LOOKED_AT;
    let (mut held, mut writable, mut readable) = (Vec::new(), 0, 0);
    let are_enough =
        |writable: usize, readable: usize| readable >= slots && (writable >= slots || cx.mode == Mode::Read);
    for name in names {
        if are_enough(writable, readable) {
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
    Ok((are_all || are_enough(writable, readable)).then_some(held))
}

/// The key that a tool's name stands for.
pub fn resolve(tx: &mut Tx<'_>, cx: &Cx, tool: &str, static_tools: &[&str]) -> Result<Resolved, OpError> {
    key_tools::resolve(tool, static_tools, |at, limit| names(tx, cx, at, limit))
}

/// What the tools of a key are called for a caller: the one that writes it and the one that reads it.
pub fn named(
    tx: &mut Tx<'_>,
    cx: &Cx,
    held: &Held<Key>,
    static_tools: &[&str],
) -> Result<[Option<String>; 2], OpError> {
    let (reads, writes) = rights(cx, held);
    if !reads && !writes {
        return Ok([None, None]);
    }
    let names = key_tools::names_of(&held.record.id, static_tools, |at, limit| names(tx, cx, at, limit))?;
    let [write, read] = names.map_or([None, None], |[write, read]| [Some(write), Some(read)]);
    Ok([write.filter(|_| writes), read.filter(|_| reads)])
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
