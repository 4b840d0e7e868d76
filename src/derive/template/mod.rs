//! Template injection: in the value of an `ApplyTemplate` key, `{{name}}` becomes the value of that key.
//!
//! A marker is any text without `}` between `{{` and `}}`; trimmed, it is the name. What becomes of it:
//!
//! | name | result |
//! |---|---|
//! | blank | the marker stays |
//! | `$date`, `$time`, `$version` | the clock's text |
//! | a template on the way to this marker, or one that would be the 17th below the first | the marker stays |
//! | an image or a file | the marker stays |
//! | unknown; or not for this reader, where a model may write a template on the way | nothing |
//! | another template | its value, with its markers replaced in turn |
//! | any other key | its text as it is, braces and all |
//!
//! The row of what is not for this reader keeps secrets: a model that may write a template could otherwise read
//! any key by writing `{{name}}` into it. A template that only people write may show what its reader cannot open.

use std::{
    collections::{BTreeSet, HashMap},
    rc::Rc,
};

use jiff::{Timestamp, tz::TimeZone};

use crate::model::{
    error::OpError,
    key::{Key, KeyName, KeyType},
    permission::{Mode, may_read},
    tags::SystemTag,
};

/// Most bytes of an expanded text, with its [`NOTICE`]; and how deep templates are injected into one another.
pub use crate::model::limits::{TEMPLATE_BYTES as OUTPUT_BYTES, TEMPLATE_DEPTH as DEPTH};
/// Most bytes of markers that one expansion replaces. Templates that multiply and come to nothing would
/// otherwise work for ever without filling the output.
pub const MARKER_BYTES: usize = 1024 * 1024;
/// How a text ends that went over a limit.
pub const NOTICE: &str = "\n[cut here: the template is too large]";

/// The template to expand, which its reader may read.
#[derive(Debug, Clone, Copy)]
pub struct Template<'a> {
    /// Its key.
    pub name: &'a str,
    /// Its value.
    pub text: &'a str,
    /// Whether models may write it.
    pub is_llm_writable: bool,
}

/// What `$date`, `$time` and `$version` give: of one instant, in one zone.
#[derive(Debug, Clone, Copy)]
pub struct Clock<'a> {
    /// Such as `2026-11-21`.
    pub date: &'a str,
    /// Such as `09:43:45`.
    pub time: &'a str,
    /// The version of mindcache.
    pub version: &'a str,
}

/// What a template has to know of a key before its value is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// Its type.
    pub key_type: KeyType,
    /// Whether its own markers are replaced.
    pub is_template: bool,
    /// Whether models may write it.
    pub is_llm_writable: bool,
    /// Whether the reader of the expanded text may read the key itself.
    pub may_read: bool,
}

impl Source {
    /// A key as a reader in this mode meets it.
    pub fn of(key: &Key, mode: Mode) -> Self {
        Self {
            key_type: key.key_type,
            is_template: key.system_tags.has(SystemTag::ApplyTemplate),
            is_llm_writable: key.system_tags.llm_writable(),
            may_read: may_read(mode, key),
        }
    }
}

/// The keys that markers may name. Each name is asked for once, its text at most once and only if it is shown.
pub trait Keys {
    /// The key's attributes; nothing when there is no such key.
    fn find(&mut self, name: &str) -> Result<Option<Source>, OpError>;
    /// The text of a key that [`Keys::find`] found; never asked of images and files.
    fn text(&mut self, name: &str) -> Result<String, OpError>;
}

/// An expanded template, and what it depends on.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Expanded {
    /// The text: at most [`OUTPUT_BYTES`].
    pub text: String,
    /// Keys whose every change is a change of this text, the template itself not among them.
    pub used: BTreeSet<String>,
    /// Other names that gave nothing because a model may write a template on the way: absent keys and keys
    /// that the reader may not read alike. A change of one matters only when the reader may read it by then;
    /// announcing more would tell a model of changes that it may not see.
    pub unseen: BTreeSet<String>,
    /// Whether a limit cut the text, which then ends with [`NOTICE`].
    pub truncated: bool,
}

/// Replaces the markers of a template. Errors: what `keys` reports.
pub fn expand(template: &Template<'_>, clock: &Clock<'_>, keys: &mut dyn Keys) -> Result<Expanded, OpError> {
    let mut expansion = Expansion {
        clock,
        keys,
        sources: HashMap::new(),
        texts: HashMap::new(),
        path: vec![template.name.to_owned()],
        marker_bytes: 0,
        out: Expanded::default(),
    };
    match expansion.walk(template.text, template.is_llm_writable) {
        Ok(()) => {}
        Err(Halt::Full) => expansion.cut(),
        Err(Halt::Failed(error)) => return Err(error),
    }
    let Expanded { text, used, mut unseen, truncated } = expansion.out;
    // A diamond may meet one key on an open way and on a closed one.
    unseen.retain(|name| !used.contains(name));
    Ok(Expanded { text, used, unseen, truncated })
}

/// The names that the markers of a text name, in order, repeats included; not those of what it injects.
pub fn names(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let marker = next_marker(rest)?;
        rest = marker.after;
        Some(marker.name)
    })
}

/// The date (`YYYY-MM-DD`) and the time (`HH:MM:SS`) of one instant in one zone. An instant outside the
/// calendar is shown as the calendar's first or last.
pub fn date_and_time(now_ms: i64, zone: &TimeZone) -> (String, String) {
    let edge = if now_ms < 0 { Timestamp::MIN } else { Timestamp::MAX };
    let local = Timestamp::from_millisecond(now_ms).unwrap_or(edge).to_zoned(zone.clone());
    (local.date().to_string(), format!("{:.0}", local.time()))
}

/// Why a walk ends early.
enum Halt {
    /// A limit is reached: what is there stays.
    Full,
    /// A key could not be read.
    Failed(OpError),
}

impl From<OpError> for Halt {
    fn from(error: OpError) -> Self {
        Self::Failed(error)
    }
}

struct Expansion<'a> {
    clock: &'a Clock<'a>,
    keys: &'a mut dyn Keys,
    sources: HashMap<String, Option<Source>>,
    texts: HashMap<String, Rc<str>>,
    /// The templates from the first to the one being walked. A stack: a template may come again beside itself.
    path: Vec<String>,
    marker_bytes: usize,
    out: Expanded,
}

impl Expansion<'_> {
    /// Writes a template's text with its markers replaced. `guarded`: models may write a template on the path.
    fn walk(&mut self, text: &str, guarded: bool) -> Result<(), Halt> {
        let mut rest = text;
        while let Some(marker) = next_marker(rest) {
            self.push(marker.before)?;
            self.inject(&marker, guarded)?;
            rest = marker.after;
        }
        self.push(rest)
    }

    fn inject(&mut self, marker: &Marker<'_>, guarded: bool) -> Result<(), Halt> {
        self.marker_bytes += marker.whole.len();
        if self.marker_bytes > MARKER_BYTES {
            return Err(Halt::Full);
        }
        let name = marker.name;
        match name {
            "$date" => return self.push(self.clock.date),
            "$time" => return self.push(self.clock.time),
            "$version" => return self.push(self.clock.version),
            _ if self.path.iter().any(|template| template == name) => return self.push(marker.whole),
            _ => {}
        }
        let Some(source) = self.find(name, guarded)? else { return Ok(()) };
        let has_room = self.path.len() <= DEPTH;
        if source.key_type.is_binary() || (source.is_template && !has_room) {
            return self.push(marker.whole);
        }
        let text = self.text(name)?;
        if !source.is_template {
            return self.push(&text);
        }
        self.path.push(name.to_owned());
        let walked = self.walk(&text, guarded || source.is_llm_writable);
        self.path.pop();
        walked
    }

    /// The key that a marker may show, and the note that it was looked at.
    fn find(&mut self, name: &str, guarded: bool) -> Result<Option<Source>, OpError> {
        let source = match self.sources.get(name) {
            Some(source) => *source,
            // No key can have such a name, so nothing depends on it.
            None if KeyName::parse(name).is_err() => return Ok(None),
            None => {
                let source = self.keys.find(name)?;
                self.sources.insert(name.to_owned(), source);
                source
            }
        };
        let shown = source.filter(|source| source.may_read || !guarded);
        let names = if guarded && shown.is_none() { &mut self.out.unseen } else { &mut self.out.used };
        if !names.contains(name) {
            names.insert(name.to_owned());
        }
        Ok(shown)
    }

    fn text(&mut self, name: &str) -> Result<Rc<str>, OpError> {
        if let Some(text) = self.texts.get(name) {
            return Ok(Rc::clone(text));
        }
        let text: Rc<str> = self.keys.text(name)?.into();
        self.texts.insert(name.to_owned(), Rc::clone(&text));
        Ok(text)
    }

    fn push(&mut self, text: &str) -> Result<(), Halt> {
        let room = OUTPUT_BYTES.saturating_sub(self.out.text.len());
        if text.len() <= room {
            self.out.text.push_str(text);
            return Ok(());
        }
        self.out.text.push_str(start(text, room));
        Err(Halt::Full)
    }

    fn cut(&mut self) {
        let kept = start(&self.out.text, OUTPUT_BYTES - NOTICE.len()).len();
        self.out.text.truncate(kept);
        self.out.text.push_str(NOTICE);
        self.out.truncated = true;
    }
}

/// The first characters of a text that fit into so many bytes.
fn start(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

/// A marker with what stands around it.
struct Marker<'a> {
    before: &'a str,
    whole: &'a str,
    name: &'a str,
    after: &'a str,
}

/// The first marker of a text. Takes time linear in the text up to the end of that marker.
fn next_marker(text: &str) -> Option<Marker<'_>> {
    let mut from = 0;
    loop {
        let open = from + text.get(from..)?.find("{{")?;
        let close = open + 2 + text.get(open + 2..)?.find('}')?;
        let name = text.get(open + 2..close)?.trim();
        if let Some(after) = text.get(close..)?.strip_prefix("}}")
            && !name.is_empty()
        {
            return Some(Marker { before: text.get(..open)?, whole: text.get(open..close + 2)?, name, after });
        }
        // No `{{` before this brace can be a marker: it would end here too. Without this step a long row of
        // opening braces would cost its square.
        from = close + 1;
    }
}

#[cfg(test)]
mod tests;
