//! Templates: what a key with the tag `ApplyTemplate` reads as.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use crate::{
    derive::template::{self, Clock, Expanded, Keys, Source, Template},
    model::{
        error::OpError,
        key::{Key, KeyType},
        permission::reads_all,
        tags::SystemTag,
        value::Content,
    },
};

use super::{feed::Notice, load};
use crate::ops::{
    operation::Cx,
    tx::{Held, Tx},
};

/// Whether a reader gets the expanded text. Who edits sees what is stored, or an edit would write it back expanded.
pub(super) fn applies(cx: &Cx, key: &Key) -> bool {
    !reads_all(cx.mode) && is_template(key)
}

/// Whether the key is a template.
pub(super) fn is_template(key: &Key) -> bool {
    key.system_tags.has(SystemTag::ApplyTemplate) && !key.key_type.is_binary()
}

/// A key's value as a template.
pub(super) fn template<'a>(name: &'a str, key: &Key, text: &'a str) -> Template<'a> {
    Template { name, text, is_llm_writable: key.system_tags.llm_writable() }
}

/// The text of a template with its markers replaced.
pub(super) fn expand(tx: &mut Tx<'_>, cx: &Cx, template: &Template<'_>) -> Result<String, OpError> {
    filled(tx, cx, template, &BTreeMap::new())
}

/// The same with values for some names, which are not looked up then.
pub(super) fn filled(
    tx: &mut Tx<'_>,
    cx: &Cx,
    template: &Template<'_>,
    given: &BTreeMap<String, String>,
) -> Result<String, OpError> {
    whole(tx, cx, template, given).map(|expanded| expanded.text)
}

fn whole(
    tx: &mut Tx<'_>,
    cx: &Cx,
    template: &Template<'_>,
    given: &BTreeMap<String, String>,
) -> Result<Expanded, OpError> {
    let (date, time) = now(cx);
    let clock = Clock { date: &date, time: &time, version: env!("CARGO_PKG_VERSION") };
    template::expand(template, &clock, &mut Stored { tx, cx, given })
}

/// The keys that a text is made of beside its own: what its follower must hear of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uses {
    /// Each change of these is one of the text.
    used: BTreeSet<String>,
    /// These matter when the reader may read them; that they changed must not be told otherwise.
    unseen: BTreeSet<String>,
}

impl Uses {
    /// Whether a change is one of the text.
    pub fn concern(&self, notice: &Notice) -> bool {
        self.used.contains(&notice.key) || (notice.is_readable && self.unseen.contains(&notice.key))
    }

    pub(super) fn add(&mut self, tx: &mut Tx<'_>, cx: &Cx, held: &Held<Key>) -> Result<(), OpError> {
        let (name, key) = (&held.record.id, &held.content);
        if is_template(key)
            && let Content::Text(text) = load(tx, name, key)?
        {
            let expanded = whole(tx, cx, &template(name, key, &text), &BTreeMap::new())?;
            self.used.extend(expanded.used);
            self.unseen.extend(expanded.unseen);
        }
        Ok(())
    }
}

/// What the value of a key is made of beside its own text.
pub fn uses(tx: &mut Tx<'_>, cx: &Cx, name: &str) -> Result<Uses, OpError> {
    let mut uses = Uses::default();
    if let Some(held) = tx.get::<Key>(name)?.filter(|held| applies(cx, &held.content)) {
        uses.add(tx, cx, &held)?;
    }
    Ok(uses)
}

/// The date and time of the turn, in the zone of the settings.
pub(super) fn now(cx: &Cx) -> (String, String) {
    let zone: &TimeZone = &cx.zone;
    template::date_and_time(cx.now_ms, zone)
}

/// The keys as a turn sees them, but for what is given.
struct Stored<'t, 'v> {
    tx: &'t mut Tx<'v>,
    cx: &'t Cx,
    given: &'t BTreeMap<String, String>,
}

/// What is given is text, and its braces are only braces.
const GIVEN: Source = Source { key_type: KeyType::Text, is_template: false, is_llm_writable: false, may_read: true };

impl Keys for Stored<'_, '_> {
    fn find(&mut self, name: &str) -> Result<Option<Source>, OpError> {
        if self.given.contains_key(name) {
            return Ok(Some(GIVEN));
        }
        Ok(self.tx.get::<Key>(name)?.map(|held| Source::of(&held.content, self.cx.mode)))
    }

    fn text(&mut self, name: &str) -> Result<String, OpError> {
        if let Some(given) = self.given.get(name) {
            return Ok(given.clone());
        }
        let held = self.tx.get::<Key>(name)?.ok_or_else(|| OpError::no_key(name))?;
        match load(self.tx, name, &held.content)? {
            Content::Text(text) => Ok(text),
            Content::Bytes(_) => Ok(String::new()),
        }
    }
}
