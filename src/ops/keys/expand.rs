//! Templates: what a key with the tag `ApplyTemplate` reads as.

use jiff::tz::TimeZone;

use crate::{
    derive::template::{self, Clock, Expanded, Keys, Source, Template},
    model::{error::OpError, key::Key, permission::Mode, tags::SystemTag, value::Content},
};

use super::load;
use crate::ops::{operation::Cx, tx::Tx};

/// Whether a reader gets the expanded text. Who edits sees what is stored, or an edit would write it back expanded.
pub(super) fn applies(cx: &Cx, key: &Key) -> bool {
    cx.mode != Mode::Edit && is_template(key)
}

/// Whether the key is a template.
pub(super) fn is_template(key: &Key) -> bool {
    key.system_tags.has(SystemTag::ApplyTemplate) && !key.key_type.is_binary()
}

/// The text of a template with its markers replaced.
pub(super) fn expand(tx: &mut Tx<'_>, cx: &Cx, name: &str, key: &Key, text: &str) -> Result<String, OpError> {
    whole(tx, cx, name, key, text).map(|expanded| expanded.text)
}

/// The same, with the keys that it depends on.
pub(super) fn whole(tx: &mut Tx<'_>, cx: &Cx, name: &str, key: &Key, text: &str) -> Result<Expanded, OpError> {
    let template = Template { name, text, is_llm_writable: key.system_tags.llm_writable() };
    let (date, time) = now(cx);
    let clock = Clock { date: &date, time: &time, version: env!("CARGO_PKG_VERSION") };
    template::expand(&template, &clock, &mut Stored { tx, cx })
}

/// The date and time of the turn, in the zone of the settings.
pub(super) fn now(cx: &Cx) -> (String, String) {
    let zone: &TimeZone = &cx.zone;
    template::date_and_time(cx.now_ms, zone)
}

/// The keys as a turn sees them.
struct Stored<'t, 'v> {
    tx: &'t mut Tx<'v>,
    cx: &'t Cx,
}

impl Keys for Stored<'_, '_> {
    fn find(&mut self, name: &str) -> Result<Option<Source>, OpError> {
        Ok(self.tx.get::<Key>(name)?.map(|held| Source::of(&held.content, self.cx.mode)))
    }

    fn text(&mut self, name: &str) -> Result<String, OpError> {
        let held = self.tx.get::<Key>(name)?.ok_or_else(|| OpError::no_key(name))?;
        match load(self.tx, name, &held.content)? {
            Content::Text(text) => Ok(text),
            Content::Bytes(_) => Ok(String::new()),
        }
    }
}
