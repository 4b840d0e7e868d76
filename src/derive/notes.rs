//! A note that is a file of its own, such as `CLAUDE.md`, `AGENTS.md` or one of a folder of Markdown: one text key.

use std::io::Read;

use crate::model::{
    error::OpError,
    limits,
    portable::{Item, Portable, Sink},
};

/// Hands over a note as the key of this name. Errors: `invalid_argument` for what is no text.
pub fn read(name: &str, source: impl Read, sink: &mut Sink<'_>) -> Result<(), OpError> {
    let mut bytes = Vec::new();
    source
        .take(limits::VALUE_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| OpError::invalid("file", format!("it cannot be read: {error}"), ""))?;
    let text = String::from_utf8(bytes).map_err(|_| OpError::invalid("file", "this is not UTF-8", ""))?;
    if text.contains('\0') {
        return Err(OpError::invalid("file", "this is not text", ""));
    }
    let content_type = Some("text/markdown".to_owned());
    sink(Item::of(name, |name| Ok(Portable { content_type, ..Portable::text(name, text) })))
}
