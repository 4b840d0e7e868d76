//! Key tools: `write_<name>` and `read_<name>` for the keys of an instance, and the key of a called tool.
//!
//! They are made from names and attributes. A value is no part of the input, so none can come out; what people
//! wrote (names, descriptions, schemas) comes out without what cannot be seen, on one line and cut.
//!
//! The order is: all `write_…`, then `read_…` while the budget lasts; in each, keys of the system prompt first,
//! then by `z_index`, then by name in byte order. It depends on nothing else, in particular not on when a key was
//! made or used: a list that changes costs every client its prompt cache.
//!
//! Bytes are shared so that many plain tools come before few rich ones: as long as fewer than [`SHARED_BY`] tools
//! are listed, each leaves the following ones what their shortest form takes; what is over goes, in the order of
//! the list, to whole descriptions and to the schemas of keys.
//!
//! Costs: [`list`] sorts what it is given and looks up names for as many tools as may fit (40 at most unless told
//! otherwise, at most 100, three lookups each); [`resolve`] makes at most three lookups. Neither depends on how
//! many keys there are, when the lookup and the choice of candidates come from indexes ([`index_keys`], [`rank`]).

mod definition;
mod names;
mod schema;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::model::{key::KeyType, limits};

use definition::Form;

pub use crate::model::tool_name::{NAME_CHARACTERS, index_keys, rank, sanitised};
pub use definition::{DESCRIPTION_CHARACTERS, KeyTool, TITLE_CHARACTERS};
pub use names::{Names, Resolved, Verb, names_of, resolve};
pub use schema::normalise;
pub use text::clean;

/// Tools in all unless told otherwise: clients warn at 40.
pub const TOOLS: usize = limits::TOOLS;
/// Tools in all at the very most: some clients refuse more than 128 from all servers together.
pub const MOST_TOOLS: usize = 100;
/// Bytes of a whole list of tools.
pub const LIST_BYTES: usize = 16 * 1024;
/// What the reply around the tools may take of them.
const REPLY_BYTES: usize = 256;
/// Tools that share the bytes: so many fit, whatever their keys are called and described as, when there are
/// 5,800 bytes for them.
pub const SHARED_BY: usize = 14;

/// A key as a list of tools needs it. What may be done with it has been decided by the mode table.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its type.
    pub key_type: KeyType,
    /// What it is for.
    pub description: Option<&'a str>,
    /// Its own JSON Schema.
    pub schema: Option<&'a Value>,
    /// Its place: lower comes first.
    pub z_index: i64,
    /// It is part of the system prompt.
    pub in_prompt: bool,
    /// The caller may read it.
    pub is_readable: bool,
    /// The caller may write it.
    pub is_writable: bool,
}

/// How many key tools there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Tools in all, static ones included; over [`MOST_TOOLS`] counts as that.
    pub tools: usize,
    /// How many of them are static.
    pub static_tools: usize,
    /// Bytes of the definitions of key tools, as [`KeyTool::bytes`] counts them.
    pub bytes: usize,
}

impl Budget {
    /// What is left of [`TOOLS`] and [`LIST_BYTES`] beside so many static tools of so many bytes.
    pub fn beside(static_tools: usize, static_bytes: usize) -> Self {
        Self { tools: TOOLS, static_tools, bytes: (LIST_BYTES - REPLY_BYTES).saturating_sub(static_bytes) }
    }

    /// How many key tools there may be by count alone. Of each verb no more candidates than this are of use.
    pub fn slots(&self) -> usize {
        self.tools.min(MOST_TOOLS).saturating_sub(self.static_tools)
    }
}

/// What a list of key tools is made for.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// The names of all static tools, those that this caller's mode does not list too: a key tool's name must not
    /// depend on the mode.
    pub static_tools: &'a [&'a str],
    /// How many there may be.
    pub budget: Budget,
    /// Keys in the caller's sight that are not among the candidates.
    pub beyond: usize,
}

/// The key tools of a caller.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Listed {
    /// The tools in their order.
    pub tools: Vec<KeyTool>,
    /// Keys in sight that have no tool at all; the static tools reach them.
    pub over_budget: usize,
}

/// The key tools of a caller. `candidates` are the keys in sight, in any order, each once: all of them, or at
/// least the first [`Budget::slots`] writable and the first as many readable ones by [`rank`] and name. `lookup`
/// finds names among all keys in sight, see [`resolve`]. Errors: those of `lookup`.
pub fn list<E>(
    candidates: &[Candidate<'_>],
    frame: &Frame<'_>,
    mut lookup: impl FnMut(&str, usize) -> Result<Vec<String>, E>,
) -> Result<Listed, E> {
    let mut ordered: Vec<&Candidate<'_>> = candidates.iter().filter(|key| key.is_writable || key.is_readable).collect();
    ordered.sort_by_cached_key(|key| (rank(key.in_prompt, key.z_index), key.name));
    let tools = shared(drafts(&ordered, frame, &mut lookup)?, frame.budget.bytes);
    let with_tool: BTreeSet<&str> = tools.iter().map(|tool| tool.key.as_str()).collect();
    let over_budget = (ordered.len() + frame.beyond).saturating_sub(with_tool.len());
    Ok(Listed { tools, over_budget })
}

/// A tool that may be listed.
struct Draft<'a> {
    candidate: &'a Candidate<'a>,
    verb: Verb,
    part: String,
    /// Its shortest form.
    lean: KeyTool,
    lean_bytes: usize,
}

/// The tools that may be listed, in their order: as many as there are slots, and as fit in their shortest form.
fn drafts<'a, E>(
    ordered: &[&'a Candidate<'a>],
    frame: &Frame<'_>,
    lookup: &mut impl FnMut(&str, usize) -> Result<Vec<String>, E>,
) -> Result<Vec<Draft<'a>>, E> {
    let share = frame.budget.bytes / SHARED_BY;
    let mut left = frame.budget.bytes;
    let mut parts: BTreeMap<&str, Option<String>> = BTreeMap::new();
    let mut drafts = Vec::new();
    let wanted = Verb::ALL.into_iter().flat_map(|verb| ordered.iter().map(move |candidate| (verb, *candidate)));
    for (verb, candidate) in wanted.filter(|(verb, candidate)| may(*verb, candidate)) {
        if drafts.len() == frame.budget.slots() {
            break;
        }
        let part = match parts.get(candidate.name) {
            Some(part) => part.clone(),
            None => names::part_of(candidate.name, frame.static_tools, lookup)?,
        };
        parts.insert(candidate.name, part.clone());
        let Some(part) = part else { continue };
        let lean = KeyTool::lean(candidate, verb, &part, share);
        let lean_bytes = lean.bytes();
        let Some(rest) = left.checked_sub(lean_bytes) else { break };
        left = rest;
        drafts.push(Draft { candidate, verb, part, lean, lean_bytes });
    }
    Ok(drafts)
}

fn may(verb: Verb, candidate: &Candidate<'_>) -> bool {
    match verb {
        Verb::Write => candidate.is_writable,
        Verb::Read => candidate.is_readable,
    }
}

/// Each in the richest form for which there is room, until there is none.
fn shared(drafts: Vec<Draft<'_>>, bytes: usize) -> Vec<KeyTool> {
    let mut kept_free: usize = drafts.iter().take(SHARED_BY).map(|draft| draft.lean_bytes).sum();
    let mut left = bytes;
    let mut tools = Vec::with_capacity(drafts.len());
    for (place, draft) in drafts.into_iter().enumerate() {
        if place < SHARED_BY {
            kept_free = kept_free.saturating_sub(draft.lean_bytes);
        }
        let room = left.saturating_sub(kept_free);
        let rich =
            [Form::OwnSchema, Form::Plain].map(|form| KeyTool::of(draft.candidate, draft.verb, &draft.part, form));
        let rich = rich.into_iter().find(|tool| tool.bytes() <= room);
        let tool = rich.unwrap_or(draft.lean);
        let Some(rest) = left.checked_sub(tool.bytes()) else { break };
        left = rest;
        tools.push(tool);
    }
    tools
}

#[cfg(test)]
mod tests;
