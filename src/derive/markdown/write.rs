//! Writing a Markdown document.

use std::io::{self, Write};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use super::{
    END, FORMAT_VERSION, MARK, TITLE,
    attributes::{span, spans},
};
use crate::model::{
    key::{History, KeyType},
    portable::Portable,
    time,
    value::Content,
};

/// Begins a document of the state after the change `as_of_seq`.
pub fn begin(out: &mut dyn Write, as_of_seq: u64) -> io::Result<()> {
    writeln!(out, "{TITLE}\n{MARK}{{\"format_version\":{FORMAT_VERSION},\"as_of_seq\":{as_of_seq}}} -->\n")
}

/// Writes one key.
pub fn key(out: &mut dyn Write, key: &Portable) -> io::Result<()> {
    writeln!(out, "### {}", key.name)?;
    let mut line = |name: &str, text: &str| writeln!(out, "- **{name}**: {text}");
    line("Type", &span(key.key_type.name()))?;
    line("System Tags", &spans(&key.system_tags.names()))?;
    if !key.tags.is_empty() {
        line("Tags", &spans(&key.tags))?;
    }
    if key.z_index != 0 {
        line("Z-Index", &span(&key.z_index.to_string()))?;
    }
    if let Some(text) = &key.content_type {
        line("Content Type", &span(text))?;
    }
    if let Some(text) = &key.description {
        line("Description", &span(text))?;
    }
    if let Some(schema) = &key.schema {
        line("Schema", &schema.to_string())?;
    }
    if key.history == History::None {
        line("History", &span("none"))?;
    }
    if let Some(at) = key.expires_at {
        line("Expires", &span(&time::rfc3339(at)))?;
    }
    let (word, text) = match &key.content {
        Content::Text(text) if key.key_type == KeyType::Json => ("json", text.as_str().into()),
        Content::Text(text) => ("", text.as_str().into()),
        Content::Bytes(bytes) => ("base64", std::borrow::Cow::from(BASE64.encode(bytes))),
    };
    let fence = "`".repeat(longest_run(&text).max(2) + 1);
    write!(out, "\n{fence}{word}\n{text}\n{fence}\n\n")
}

/// Ends a document of so many keys.
pub fn end(out: &mut dyn Write, count: u64) -> io::Result<()> {
    writeln!(out, "{END}{count} keys*")
}

/// The longest run of backticks.
fn longest_run(text: &str) -> usize {
    let (mut longest, mut run) = (0, 0);
    for byte in text.bytes() {
        run = if byte == b'`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}
