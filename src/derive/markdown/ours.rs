//! Reading a Markdown document of ours, a line at a time.

use std::io::{BufRead, Read as _};

use serde_json::Value;

use super::{END, FORMAT_VERSION, MARK, TITLE, attributes};
use crate::model::{
    error::OpError,
    key::{History, KeyName, KeyType},
    limits,
    portable::{Item, Portable, Sink},
    tags::{SystemTag, SystemTags},
    time,
};

/// Most bytes of a value as it stands in the document.
const VALUE_BYTES: usize = limits::VALUE_BYTES / 3 * 4 + 1024;

/// Reads the keys of a document.
pub(super) fn read(source: impl BufRead, sink: &mut Sink<'_>) -> Result<(), OpError> {
    let mut lines = Lines { source, number: 0, ends_with_cr: false };
    match document(&mut lines, sink) {
        Err(Stop::Wrong(rule)) => Err(OpError::invalid(format!("line {}", lines.number.max(1)), rule, "")),
        Err(Stop::Refused(error)) => Err(error),
        Ok(()) => Ok(()),
    }
}

/// Why reading ends before the end.
enum Stop {
    /// The document is wrong at this line.
    Wrong(String),
    /// The sink does not want it.
    Refused(OpError),
}

impl From<String> for Stop {
    fn from(rule: String) -> Self {
        Self::Wrong(rule)
    }
}

impl From<&str> for Stop {
    fn from(rule: &str) -> Self {
        Self::Wrong(rule.to_owned())
    }
}

struct Lines<R> {
    source: R,
    number: u64,
    /// The first line ended so: somebody has converted the file.
    ends_with_cr: bool,
}

impl<R: BufRead> Lines<R> {
    /// The next line without its end, of at most so many bytes; nothing at the end of the file.
    fn next(&mut self, most: usize) -> Result<Option<String>, Stop> {
        let mut line = Vec::new();
        self.number += 1;
        let read = (&mut self.source).take(most as u64 + 2).read_until(b'\n', &mut line);
        let read = read.map_err(|error| format!("it cannot be read: {error}"))?;
        if read == 0 {
            return Ok(None);
        }
        if line.pop_if(|last| *last == b'\n').is_none() {
            return Err(if read > most { "a line that is longer than any can be" } else { "the file ends here" }.into());
        }
        if self.number == 1 {
            self.ends_with_cr = line.ends_with(b"\r");
        }
        if self.ends_with_cr {
            line.pop_if(|last| *last == b'\r');
        }
        String::from_utf8(line).map(Some).map_err(|_| "this is not UTF-8".into())
    }

    fn must(&mut self, most: usize) -> Result<String, Stop> {
        self.next(most)?.ok_or_else(|| "the file ends here".into())
    }
}

/// Longest line but for those of values: a schema, escaped.
const LINE_BYTES: usize = 8 * limits::SCHEMA_BYTES;

fn document<R: BufRead>(lines: &mut Lines<R>, sink: &mut Sink<'_>) -> Result<(), Stop> {
    if lines.must(LINE_BYTES)?.trim_start_matches('\u{feff}') != TITLE {
        return Err(format!("the first line is \"{TITLE}\"").into());
    }
    let mark = lines.must(LINE_BYTES)?;
    let mark = mark.strip_prefix(MARK).and_then(|rest| rest.strip_suffix("-->")).unwrap_or_default();
    let version = serde_json::from_str::<Value>(mark).ok().and_then(|mark| mark.get("format_version")?.as_u64());
    match version {
        Some(FORMAT_VERSION) => {}
        Some(version) => return Err(format!("format_version {version} is for a newer mindcache").into()),
        None => return Err("the format_version of the export is missing".into()),
    }
    let mut count = 0_u64;
    loop {
        let line = lines.must(LINE_BYTES)?;
        if line.is_empty() {
            continue;
        }
        if let Some(told) = line.strip_prefix(END) {
            if told.strip_suffix(" keys*").and_then(|told| told.parse().ok()) != Some(count) {
                return Err(format!("there are {count} keys before this line").into());
            }
            break;
        }
        let name = line.strip_prefix("### ").ok_or("here stands \"### \" and the name of a key, or the end")?;
        let name = KeyName::parse(name)?;
        let key = key(lines, name)?;
        count += 1;
        sink(Item::Key(Box::new(key))).map_err(Stop::Refused)?;
    }
    while let Some(line) = lines.next(LINE_BYTES)? {
        if !line.trim().is_empty() {
            return Err("there is something after the end of the export".into());
        }
    }
    Ok(())
}

fn key<R: BufRead>(lines: &mut Lines<R>, name: KeyName) -> Result<Portable, Stop> {
    let mut key = Portable { system_tags: SystemTags::default(), ..Portable::text(name, String::new()) };
    let opener = loop {
        let line = lines.must(LINE_BYTES)?;
        if line.starts_with("```") {
            break line;
        }
        if !line.is_empty() {
            let (attribute, text) =
                attributes::parse(&line).ok_or("here stands an attribute, or the fence of a value")?;
            set(&mut key, attribute, text).ok_or_else(|| format!("this is no {attribute}"))?;
        }
    };
    let word = opener.trim_start_matches('`');
    let expected = match key.key_type {
        KeyType::Text => "",
        KeyType::Json => "json",
        KeyType::Image | KeyType::File => "base64",
    };
    if word != expected {
        return Err(format!("the fence of a key of type {} is followed by \"{expected}\"", key.key_type.name()).into());
    }
    let fence = opener.strip_suffix(word).unwrap_or_default();
    let mut value: Option<String> = None;
    loop {
        let line = lines.must(VALUE_BYTES)?;
        if line == fence {
            break;
        }
        let value = match &mut value {
            None => value.insert(String::new()),
            Some(value) => {
                value.push('\n');
                value
            }
        };
        value.push_str(&line);
        if value.len() > VALUE_BYTES {
            return Err("a value that is longer than any can be".into());
        }
    }
    let told = |error: OpError| Stop::Wrong(error.without_quote().to_string());
    key.content = key.key_type.decode(key.name.as_str(), value.unwrap_or_default()).map_err(told)?;
    key.checked().map_err(told)
}

/// Sets an attribute; nothing when it is not known, or wrong.
fn set(key: &mut Portable, attribute: &str, text: &str) -> Option<()> {
    let span = || attributes::unspan(text);
    match attribute {
        "Type" => key.key_type = serde_json::from_value(Value::String(span()?)).ok()?,
        "System Tags" => {
            let words = attributes::unspans(text)?;
            key.system_tags = words.iter().map(|word| SystemTag::from_name(word)).collect::<Option<_>>()?;
        }
        "Tags" => key.tags = attributes::unspans(text)?,
        "Z-Index" => key.z_index = span()?.parse().ok()?,
        "Content Type" => key.content_type = Some(span()?),
        "Description" => key.description = Some(span()?),
        "Schema" => key.schema = Some(serde_json::from_str(text).ok()?),
        "History" => key.history = if span()? == "none" { History::None } else { return None },
        "Expires" => key.expires_at = Some(time::from_rfc3339(&span()?)?),
        _ => return None,
    }
    Some(())
}
