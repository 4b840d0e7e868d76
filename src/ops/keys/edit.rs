//! `append_key` and `edit_key`: change a part of a text.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::{
    error::OpError,
    key::{self, Key, KeyName, KeyType},
    permission::{Action, may_read},
    value::{Content, Stored},
};

use super::{Written, check_version, load, meta, store};
use crate::ops::{
    bounds::{IdempotencyKey, UNBOUNDED, Version, Whole},
    operation::{Cx, EffectClass, OpMeta, Operation, Step},
    tx::{Held, Tx},
};

/// Append text to a key's end, exactly as given: begin it with a newline where one is wanted. Creates a text
/// key when there is none. Fails on image and file keys.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Append {
    /// Key name
    pub key: KeyName,
    /// What to append
    pub text: String,
    /// Only if the key is at this version
    #[serde(default)]
    pub if_version: Option<Version>,
    /// Repeat an append that got no answer with the same key: it is done once
    #[serde(default)]
    pub idempotency_key: Option<IdempotencyKey>,
}

impl Operation for Append {
    const NAME: &'static str = "append_key";
    const META: OpMeta = OpMeta {
        idempotent: false,
        events: &["key.created", "key.updated"],
        ..meta("Append to a key", Action::Write, EffectClass::Update)
    };
    type Out = Written;

    fn idempotency_key(&self) -> Option<&IdempotencyKey> {
        self.idempotency_key.as_ref()
    }

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Written>, OpError> {
        let name = self.key.as_str();
        let Some(held) = tx.get::<Key>(name)? else {
            check_version(name, self.if_version, None)?;
            let key = Key::new(KeyType::Text, Stored::Inline(String::new()));
            cx.check(Action::Create, name, &key)?;
            let version = store(tx, name, key, Content::Text(self.text.clone()), None)?;
            return Ok(Step::Done(Written { key: name.to_owned(), version, created: true, warning: None }));
        };
        let mut text = text_to_change(tx, cx, name, &held, self.if_version)?;
        text.push_str(&self.text);
        replace(tx, name, held, &text)
    }
}

/// Replace one exact piece of a key's text. Fails unless old_text occurs exactly expect_count times (1 unless
/// told), so read the key first.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// Key name
    pub key: KeyName,
    /// The exact text to replace
    pub old_text: String,
    /// What comes in its place
    pub new_text: String,
    /// How often old_text must occur; all are replaced. Default 1
    #[serde(default)]
    pub expect_count: Option<Whole<1, UNBOUNDED>>,
    /// Only if the key is at this version
    #[serde(default)]
    pub if_version: Option<Version>,
}

impl Operation for Edit {
    const NAME: &'static str = "edit_key";
    const META: OpMeta = OpMeta {
        idempotent: false,
        events: &["key.updated"],
        ..meta("Edit a key", Action::Write, EffectClass::Update)
    };
    type Out = Written;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Written>, OpError> {
        let name = self.key.as_str();
        if self.old_text.is_empty() {
            return Err(OpError::invalid(
                "old_text",
                "it must name the text to replace; append_key adds to the end",
                "\"\"",
            ));
        }
        let held = tx.get::<Key>(name)?.ok_or_else(|| OpError::no_key(name))?;
        let text = text_to_change(tx, cx, name, &held, self.if_version)?;
        let expected = self.expect_count.map_or(1, Whole::get);
        let found = text.matches(&self.old_text).count() as u64;
        if found != expected {
            let rule = format!(
                "it must occur exactly {expected} times in key \"{name}\": read the key and send a piece that does"
            );
            // How often a piece occurs is something of the value: only for who may read it.
            let got = if may_read(cx.mode, &held.content) { format!("{found} occurrences") } else { String::new() };
            return Err(OpError::invalid("old_text", rule, &got));
        }
        // Checked before it is built: a short text with many occurrences can grow without bound.
        let count = usize::try_from(found).unwrap_or(usize::MAX);
        let kept = text.len().saturating_sub(self.old_text.len().saturating_mul(count));
        key::check_size(name, kept.saturating_add(self.new_text.len().saturating_mul(count)))?;
        replace(tx, name, held, &text.replace(&self.old_text, &self.new_text))
    }
}

fn text_to_change(
    tx: &Tx<'_>,
    cx: &Cx,
    name: &str,
    held: &Held<Key>,
    if_version: Option<Version>,
) -> Result<String, OpError> {
    let key = &held.content;
    cx.check(Action::Write, name, key)?;
    check_version(name, if_version, Some(held))?;
    match load(tx, name, key)? {
        Content::Text(text) => Ok(text),
        Content::Bytes(_) => {
            let rule = format!(
                "key \"{name}\" holds {}, which has no text to change: write_key replaces it",
                key.key_type.name()
            );
            Err(OpError::invalid("key", rule, key.key_type.name()))
        }
    }
}

/// Stores the changed text; the expiry and everything else of the key stay.
fn replace(tx: &mut Tx<'_>, name: &str, held: Held<Key>, text: &str) -> Result<Step<Written>, OpError> {
    // The caller may append to a key that it may not read: a refusal must not quote what was there.
    let stored = |held: Held<Key>, tx: &mut Tx<'_>| {
        let content = held.content.key_type.decode(name, text.to_owned())?;
        store(tx, name, held.content, content, held.record.expires_at)
    };
    let version = stored(held, tx).map_err(OpError::without_quote)?;
    Ok(Step::Done(Written { key: name.to_owned(), version, created: false, warning: None }))
}
