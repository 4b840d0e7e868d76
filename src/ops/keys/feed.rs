//! What a change of a key means to somebody who follows: its value, its place in lists, or the prompt.
//!
//! A reader of the log, not an operation: nothing here runs in a turn.

use crate::model::{
    error::OpError,
    key::Key,
    kind::Kind as _,
    permission::{Mode, may_read},
    record::Change,
    tags::SystemTag,
};

use super::prompts;
use crate::ops::tx::Tx;

/// How many rows of the log one look takes.
const SLICE: usize = 500;

/// A change. Of a key that the follower cannot read, only that it changed: a text that the follower may read can be
/// made of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is asked for by itself")]
pub struct Notice {
    /// The key.
    pub key: String,
    /// The follower can read it, or could before.
    pub is_readable: bool,
    /// Lists of keys, resources or tools are different now: it came, went, or has other attributes.
    pub listing: bool,
    /// The list of prompts is different now.
    pub prompts: bool,
    /// It is or was part of the system prompt.
    pub in_prompt: bool,
    /// A person made it, on the command line or the page.
    pub by_person: bool,
}

/// What happened after `since`, and how far it has looked.
pub fn notices(tx: &Tx<'_>, mode: Mode, since: u64) -> Result<(Vec<Notice>, u64), OpError> {
    let changes = tx.changes(since, SLICE)?;
    let seen = changes.last().map_or(since, |change| change.seq);
    let mut notices = Vec::new();
    for change in changes {
        if change.kind == Key::KIND {
            notices.push(notice(tx, mode, change)?);
        }
    }
    Ok((notices, seen))
}

fn notice(tx: &Tx<'_>, mode: Mode, change: Change) -> Result<Notice, OpError> {
    let previous = change.previous.map(|seq| tx.change(seq)).transpose()?.flatten();
    let visible = |body: Option<String>| {
        body.and_then(|body| serde_json::from_str::<Key>(&body).ok()).filter(|key| may_read(mode, key))
    };
    let (before, after) = (visible(previous.and_then(|previous| previous.body)), visible(change.body));
    if before.is_none() && after.is_none() {
        return Ok(Notice { key: change.id, ..Notice::default() });
    }
    let both = [&before, &after];
    let in_prompt = both.into_iter().flatten().any(|key| key.system_tags.has(SystemTag::SystemPrompt));
    let listing = match (&before, &after) {
        (Some(before), Some(after)) => !same_listing(before, after),
        _ => true,
    };
    let offered = |key: &Option<Key>| key.as_ref().filter(|key| prompts::is_offered(key)).map(prompts::arguments);
    let prompts =
        both.into_iter().flatten().any(prompts::is_offered) && (listing || offered(&before) != offered(&after));
    let by_person = change.actor.kind.is_human();
    Ok(Notice { key: change.id, is_readable: true, listing, prompts, in_prompt, by_person })
}

/// Whether two states of a key differ in their value alone.
fn same_listing(before: &Key, after: &Key) -> bool {
    before.key_type == after.key_type
        && before.content_type == after.content_type
        && before.system_tags == after.system_tags
        && before.tags == after.tags
        && before.z_index == after.z_index
        && before.description == after.description
        && before.schema == after.schema
}
