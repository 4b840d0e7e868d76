//! Names of key tools, and the way back from a called name to its key.
//!
//! A key has one name part for its two tools. Short: its name with every UTF-16 unit outside `[A-Za-z0-9_-]`
//! made `_`. Marked: that, cut to 33 characters, with `_` and 8 hexadecimal digits of the SHA-256 of its exact
//! name. A key takes the marked one
//! - by its own name alone: when the short one is longer than 42 characters, is that of a static tool, or ends
//!   as a marked one does; so no short name can equal a marked one, whatever else exists;
//! - by its neighbours: when another key in the caller's sight has the same short one. All of them take it, the
//!   key that is spelt exactly so too: a short name that meant `a b` while it was alone must never come to mean
//!   `a_b` for a client that still has the old list. In sight is what may be read or written, so that neither
//!   tool's name depends on who may write the other key.
//!
//! The marked name of a key always leads to it, also while the short one is listed.
//!
//! Names are found through a lookup that the caller gives: `lookup(at, limit)` answers with the names of at most
//! `limit` keys in sight (and of no others) that are `at` itself, which comes first, or are indexed under `at`
//! by [`index_keys`]. It may answer with more than that. Naming a tool takes at most three such lookups, a call
//! at most three, however many keys there are.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::tool_name::{
    MARK_CHARACTERS, PART_CHARACTERS, has_letter, index_keys, is_safe, mark_key, marked, sanitised,
};

/// Longest name part that is looked up: no key's name is longer.
const LOOKED_UP_CHARACTERS: usize = 256;
/// Names that one lookup asks for, and so most tools that a refusal names.
const LOOKED_AT: usize = 16;

/// What a key tool does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Replaces the key's value.
    Write,
    /// Reads the key.
    Read,
}

impl Verb {
    /// Both, in the order in which their tools are listed.
    pub const ALL: [Self; 2] = [Self::Write, Self::Read];

    /// What the names of its tools begin with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Write => "write_",
            Self::Read => "read_",
        }
    }

    /// The verb and the name part of a tool's name.
    pub fn split(tool: &str) -> Option<(Self, &str)> {
        Self::ALL.into_iter().find_map(|verb| Some((verb, tool.strip_prefix(verb.prefix())?)))
    }

    fn tool(self, part: &str) -> String {
        format!("{}{part}", self.prefix())
    }
}

/// The lookup of names that are all at hand, for instances small enough to be held as a whole.
#[derive(Debug, Default)]
pub struct Names(BTreeMap<String, BTreeSet<String>>);

impl Names {
    /// The names of keys that are `at`, which comes first, or are indexed under it, at most `limit`.
    pub fn lookup(&self, at: &str, limit: usize) -> Vec<String> {
        let Some(names) = self.0.get(at) else { return Vec::new() };
        let others = names.iter().filter(|name| *name != at);
        names.get(at).into_iter().chain(others).take(limit).cloned().collect()
    }
}

impl<'a> FromIterator<&'a str> for Names {
    fn from_iter<I: IntoIterator<Item = &'a str>>(names: I) -> Self {
        let mut index: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for name in names {
            for at in index_keys(name).into_iter().chain([name.to_owned()]) {
                index.entry(at).or_default().insert(name.to_owned());
            }
        }
        Self(index)
    }
}

/// What a called name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// The tool of this key. Whether the verb is permitted is for the operation to say, which gives the reason.
    Key(Verb, String),
    /// Not the name of one key's tool, though keys share it: the names that were meant, at most 16. Empty when
    /// the keys cannot be told apart by a tool's name, so that only the static tools reach them.
    Ambiguous(Vec<String>),
    /// The name of a key tool, and no key in sight has it (any more).
    Gone,
    /// Neither `write_…` nor `read_…`, or a static tool.
    NotAKeyTool,
}

/// The key of a tool's name, on the state that `lookup` sees. `static_tools` as for [`super::list`].
pub fn resolve<E>(
    tool: &str,
    static_tools: &[&str],
    mut lookup: impl FnMut(&str, usize) -> Result<Vec<String>, E>,
) -> Result<Resolved, E> {
    let Some((verb, part)) = Verb::split(tool).filter(|_| !static_tools.contains(&tool)) else {
        return Ok(Resolved::NotAKeyTool);
    };
    if part.is_empty() || part.len() > LOOKED_UP_CHARACTERS || !part.chars().all(is_safe) {
        return Ok(Resolved::Gone);
    }
    if is_marked(part) {
        match bearers(part, &mut lookup)?.as_slice() {
            [] => {}
            [only] => return Ok(Resolved::Key(verb, only.clone())),
            _ => return Ok(Resolved::Ambiguous(Vec::new())),
        }
    }
    let found = distinct(lookup(part, LOOKED_AT)?, |name| sanitised(name) == part);
    Ok(match found.as_slice() {
        [] => Resolved::Gone,
        [only] if may_be_short(part, static_tools) => Resolved::Key(verb, only.clone()),
        several => {
            let tools: Vec<String> = several.iter().map(|name| verb.tool(&marked(name))).collect();
            let is_one = |tool: &&String| tools.iter().filter(|other| other == tool).count() == 1;
            Resolved::Ambiguous(tools.iter().filter(is_one).cloned().collect())
        }
    })
}

/// The names of the tools that write and read a key; nothing when it cannot have any.
pub fn names_of<E>(
    name: &str,
    static_tools: &[&str],
    mut lookup: impl FnMut(&str, usize) -> Result<Vec<String>, E>,
) -> Result<Option<[String; 2]>, E> {
    Ok(part_of(name, static_tools, &mut lookup)?.map(|part| Verb::ALL.map(|verb| verb.tool(&part))))
}

/// The name part of a key; nothing when it cannot have a tool, because another key in sight has the same mark
/// (somebody made two such names on purpose) or because a static tool is called so.
pub(super) fn part_of<E>(
    name: &str,
    static_tools: &[&str],
    lookup: &mut impl FnMut(&str, usize) -> Result<Vec<String>, E>,
) -> Result<Option<String>, E> {
    let short = sanitised(name);
    if may_be_short(&short, static_tools)
        && lookup(&short, 2)?.iter().all(|other| other == name || sanitised(other) != short)
    {
        return Ok(Some(short));
    }
    let part = marked(name);
    let is_alone = bearers(&part, lookup)?.iter().all(|other| other == name);
    Ok(Some(part).filter(|part| is_alone && !is_static(part, static_tools)))
}

/// Keys that have this marked name.
fn bearers<E>(part: &str, lookup: &mut impl FnMut(&str, usize) -> Result<Vec<String>, E>) -> Result<Vec<String>, E> {
    let (stem, mark) = part.rsplit_once('_').unwrap_or_default();
    let mut found = lookup(stem, 1)?;
    found.extend(lookup(&mark_key(mark), LOOKED_AT)?);
    Ok(distinct(found, |name| marked(name) == part))
}

/// Those that are meant, each once, in an order of their own.
fn distinct(mut names: Vec<String>, is_meant: impl Fn(&str) -> bool) -> Vec<String> {
    names.retain(|name| is_meant(name));
    names.sort_unstable();
    names.dedup();
    names
}

/// Whether a short name part is a tool's name as long as no other key has it.
fn may_be_short(part: &str, static_tools: &[&str]) -> bool {
    !part.is_empty() && part.len() <= PART_CHARACTERS && !is_marked(part) && !is_static(part, static_tools)
}

/// Whether a static tool is called so. One verb decides for both, and capitals do not matter: `write_KEY` beside
/// `write_key` would be taken for it.
fn is_static(part: &str, static_tools: &[&str]) -> bool {
    static_tools.iter().any(|tool| Verb::split(tool).is_some_and(|(_, taken)| taken.eq_ignore_ascii_case(part)))
}

/// Whether a name part ends as a marked one does. A mark has a letter, so `log_20261121` is not one.
fn is_marked(part: &str) -> bool {
    let is_mark = |mark: &str| mark.len() == MARK_CHARACTERS && mark.bytes().all(is_digit) && has_letter(mark);
    part.rsplit_once('_').is_some_and(|(_, mark)| is_mark(mark))
}

fn is_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}
