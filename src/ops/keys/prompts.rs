//! The prompts that people pick in their client: keys with the content tag `Prompt` or `Workflow`.
//!
//! A view of the records, not an operation: nothing here runs in a turn.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    derive::template,
    model::{
        error::OpError,
        key::{Key, KeyName},
        kind, limits,
        permission::may_read,
        tool_name,
        value::{Content, Stored},
        view::IdRange,
    },
};

use super::{expand, load};
use crate::ops::{
    operation::Cx,
    tx::{Held, Tx},
};

/// What marks a key as a prompt.
const TAGS: [&str; 2] = ["Prompt", "Workflow"];
/// Pages of tagged keys that are looked through for those that a caller may read.
const PAGES: usize = 20;
/// Longest name of a prompt, in bytes, before it is replaced by a shorter one.
const NAME_BYTES: usize = 64;

/// A prompt of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// What it is called: the key's name, or what is left of it and a mark where clients could not show it.
    pub name: String,
    /// Its key.
    pub key: String,
    /// What it is for.
    pub description: Option<String>,
    /// What has to be filled in.
    pub arguments: Vec<String>,
}

/// Whether a key is a prompt.
pub(super) fn is_offered(key: &Key) -> bool {
    !key.key_type.is_binary() && key.tags.iter().any(|tag| TAGS.contains(&tag.as_str()))
}

/// What can be filled into a prompt, in order. A value too large to lie in its record has nothing to fill in.
pub(super) fn arguments(key: &Key) -> Vec<String> {
    let Stored::Inline(text) = &key.value else { return Vec::new() };
    let mut seen = BTreeSet::new();
    let names = template::names(text).filter(|name| is_argument(name) && seen.insert(*name));
    names.take(limits::PROMPT_ARGUMENTS).map(str::to_owned).collect()
}

/// A name that a person can be asked for. It comes out of a stored value, so it shows words and nothing else.
fn is_argument(name: &str) -> bool {
    KeyName::parse(name).is_ok()
        && name.chars().count() <= limits::PROMPT_ARGUMENT_CHARACTERS
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.'))
}

/// The prompts of a caller by name; `taken` are names that they cannot have.
pub fn list(tx: &mut Tx<'_>, cx: &Cx, taken: &[&str]) -> Result<Vec<Offered>, OpError> {
    let mut keys: BTreeMap<String, Held<Key>> = BTreeMap::new();
    for tag in TAGS {
        let mut after: Option<String> = None;
        let mut found = 0;
        // Those that the caller may not read take no places from those that he may.
        for _ in 0..PAGES {
            let range = IdRange::page("", after.as_deref());
            let page = tx.scan_index::<Key>(kind::TAG, tag.as_bytes(), &range, limits::PROMPTS)?;
            let is_last = page.len() < limits::PROMPTS;
            after = page.last().map(|held| held.record.id.clone());
            let page = page.into_iter().filter(|held| is_offered(&held.content) && may_read(cx.mode, &held.content));
            for held in page.take(limits::PROMPTS - found) {
                found += 1;
                keys.insert(held.record.id.clone(), held);
            }
            if is_last || found == limits::PROMPTS {
                break;
            }
        }
    }
    let mut offered: BTreeMap<String, Offered> = BTreeMap::new();
    for (key, held) in keys {
        let mut left = Vec::new();
        for name in arguments(&held.content) {
            // What a key fills in need not be asked for.
            let is_filled = tx.get::<Key>(&name)?.is_some_and(|held| may_read(cx.mode, &held.content));
            if !is_filled {
                left.push(name);
            }
        }
        let name = name_of(&key, taken);
        let is_exact = name == key;
        let prompt = Offered { name, key, description: held.content.description, arguments: left };
        // The key that is called so has the name before one that is only marked so.
        if is_exact || !offered.contains_key(&prompt.name) {
            offered.insert(prompt.name.clone(), prompt);
        }
    }
    Ok(offered.into_values().collect())
}

/// A prompt with its arguments filled in; nothing when there is none of this name.
///
/// Errors: `invalid_argument` naming what is missing or unknown.
pub fn fill(
    tx: &mut Tx<'_>,
    cx: &Cx,
    name: &str,
    given: &BTreeMap<String, String>,
    taken: &[&str],
) -> Result<Option<(Offered, String)>, OpError> {
    let Some(prompt) = list(tx, cx, taken)?.into_iter().find(|prompt| prompt.name == name) else { return Ok(None) };
    let Some(held) = tx.get::<Key>(&prompt.key)? else { return Ok(None) };
    // A key may have come that fills one in: what the client was asked for still counts.
    let known = arguments(&held.content);
    if let Some(unknown) = given.keys().find(|name| !known.contains(name)) {
        let rule = format!("the prompt {name} takes: {}", listed(&known));
        return Err(OpError::invalid("arguments", rule, unknown));
    }
    let missing: Vec<String> = prompt.arguments.iter().filter(|name| !given.contains_key(*name)).cloned().collect();
    if !missing.is_empty() {
        let rule = format!("the prompt {name} also needs: {}", listed(&missing));
        return Err(OpError::invalid("arguments", rule, &listed(&given.keys().cloned().collect::<Vec<_>>())));
    }
    let Content::Text(text) = load(tx, &prompt.key, &held.content)? else { return Ok(None) };
    let text = expand::filled(tx, cx, &expand::template(&prompt.key, &held.content, &text), given)?;
    Ok(Some((prompt, text)))
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "nothing".into() } else { names.join(", ") }
}

fn name_of(key: &str, taken: &[&str]) -> String {
    if key.len() <= NAME_BYTES && key.chars().all(tool_name::is_safe) && !taken.contains(&key) {
        key.to_owned()
    } else {
        tool_name::marked(key)
    }
}
