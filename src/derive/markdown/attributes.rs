//! The lines between a heading and its value: `- **Name**: what`, where what is words in backticks, or JSON where it
//! could be mistaken.

use serde_json::Value;

/// A text in backticks, or as a JSON string when it has backticks itself, control characters, or nothing in it.
pub(super) fn span(text: &str) -> String {
    let is_plain = !text.is_empty() && text.trim() == text && !text.contains(|c: char| c == '`' || c.is_control());
    if is_plain { format!("`{text}`") } else { Value::from(text).to_string() }
}

/// Words, each in backticks, or all as a JSON list.
pub(super) fn spans(words: &[String]) -> String {
    let spans: Vec<_> = words.iter().map(|word| span(word)).collect();
    if !spans.is_empty() && spans.iter().all(|span| span.starts_with('`')) {
        spans.join(", ")
    } else {
        Value::from(words).to_string()
    }
}

/// Name and text of an attribute line.
pub(super) fn parse(line: &str) -> Option<(&str, &str)> {
    let (name, text) = line.strip_prefix("- **")?.split_once("**:")?;
    Some((name, text.trim()))
}

/// What [`span`] wrote.
pub(super) fn unspan(text: &str) -> Option<String> {
    if text.starts_with('"') {
        return serde_json::from_str(text).ok();
    }
    Some(text.strip_prefix('`')?.strip_suffix('`')?.to_owned())
}

/// What [`spans`] wrote; also a comma list in one pair of backticks, as the first MindCache has them.
pub(super) fn unspans(text: &str) -> Option<Vec<String>> {
    if text.starts_with('[') {
        return serde_json::from_str(text).ok();
    }
    let inner = text.strip_prefix('`')?.strip_suffix('`')?;
    Some(inner.split("`, `").map(str::to_owned).collect())
}
