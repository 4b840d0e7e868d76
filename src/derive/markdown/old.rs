//! Reading the two Markdown grammars of the first MindCache: `## STM Entries` up to 2.4, `## Keys & Values` from 3.0.
//!
//! Their writers put any value between plain fences. Where such a value has fences itself, the one that ends it is the
//! one after which the document goes on, so that more is read than their own readers could.

use std::{
    collections::BTreeMap,
    io::{BufRead, Read as _},
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use super::attributes;
use crate::{
    derive::json,
    model::{
        error::OpError,
        key::{KeyName, KeyType},
        legacy::{self, Booleans},
        portable::{Item, Portable, Sink},
        value::Content,
    },
};

/// Largest file: the first MindCache has it whole in memory too.
const FILE_BYTES: u64 = 64 * 1024 * 1024;

const STM: &str = "## STM Entries";
const KEYS: &str = "## Keys & Values";
const APPENDIX: &str = "## Appendix: Binary Data";
const END: &str = "*End of MindCache Export*";

/// Whether a text is such an export.
pub(super) fn is_old(head: &str) -> bool {
    head.lines().any(|line| [STM, KEYS].contains(&line.trim()))
}

/// Reads the keys of a document.
pub(super) fn read(source: impl BufRead, sink: &mut Sink<'_>) -> Result<(), OpError> {
    let mut bytes = Vec::new();
    let refused = |line: usize, rule: String| OpError::invalid(format!("line {line}"), rule, "");
    let read = source.take(FILE_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| refused(1, format!("it cannot be read: {error}")))?;
    if bytes.len() as u64 > FILE_BYTES {
        return Err(refused(1, "an export of the first MindCache has at most 64 MiB".into()));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        refused(good.split(|byte| *byte == b'\n').count(), "this is not UTF-8".into())
    })?;
    let mut document = Document::new(&text);
    let entries = document.entries().map_err(|rule| refused(document.at.min(document.lines.len()) + 1, rule))?;
    let (is_stm, appendix) = (document.is_stm, document.appendix);
    entries.into_iter().try_for_each(|entry| sink(entry.item(is_stm, &appendix)))
}

/// An entry as it stands there.
#[derive(Default)]
struct Entry<'t> {
    name: &'t str,
    attributes: BTreeMap<&'t str, &'t str>,
    value: Option<String>,
}

struct Document<'t> {
    lines: Vec<&'t str>,
    at: usize,
    is_stm: bool,
    /// Content type and base64 by key.
    appendix: BTreeMap<&'t str, (Option<&'t str>, String)>,
}

impl<'t> Document<'t> {
    fn new(text: &'t str) -> Self {
        let is_converted =
            text.lines().next().is_some_and(|line| text.get(line.len()..).is_some_and(|rest| rest.starts_with('\r')));
        let bare = |line: &'t str| if is_converted { line.strip_suffix('\r').unwrap_or(line) } else { line };
        let lines: Vec<_> = text.split('\n').map(bare).collect();
        let start = lines.iter().position(|line| [STM, KEYS].contains(&line.trim()));
        let is_stm = start.and_then(|at| lines.get(at)).is_some_and(|line| line.trim() == STM);
        Self { at: start.map_or(lines.len(), |at| at + 1), lines, is_stm, appendix: BTreeMap::new() }
    }

    fn peek(&self) -> Option<&'t str> {
        self.lines.get(self.at).copied()
    }

    fn next(&mut self) -> Option<&'t str> {
        let line = self.peek()?;
        self.at += 1;
        Some(line)
    }

    fn entries(&mut self) -> Result<Vec<Entry<'t>>, String> {
        let mut entries = Vec::new();
        let mut is_appendix = false;
        while let Some(line) = self.next() {
            let line = line.trim();
            if line == APPENDIX {
                is_appendix = true;
            } else if line == END {
                return Ok(entries);
            } else if let Some(name) = line.strip_prefix("### ") {
                if !is_appendix {
                    entries.push(self.entry(name)?);
                } else if let Some((_, key)) = name.split_once(": ") {
                    let entry = self.appended()?;
                    self.appendix.insert(key, entry);
                }
            }
        }
        if self.is_stm { Err(format!("the file ends before \"{END}\"")) } else { Ok(entries) }
    }

    fn entry(&mut self, name: &'t str) -> Result<Entry<'t>, String> {
        let mut entry = Entry { name, ..Entry::default() };
        while let Some(line) = self.peek() {
            let Some((attribute, text)) = attributes::parse(line.trim()) else {
                if line.trim().is_empty() {
                    self.at += 1;
                    continue;
                }
                break;
            };
            self.at += 1;
            if attribute != "Value" {
                entry.attributes.insert(attribute, text);
                continue;
            }
            entry.value = self.value(text)?;
            break;
        }
        Ok(entry)
    }

    /// The value that begins on this line, or below it; nothing when it is in the appendix.
    fn value(&mut self, text: &'t str) -> Result<Option<String>, String> {
        if text.starts_with("[See Appendix ") {
            return Ok(None);
        }
        if text.starts_with("```") {
            return self.fenced().map(Some);
        }
        if let Some(inline) = text.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) {
            return Ok(Some(inline.to_owned()));
        }
        if text.is_empty() {
            while self.peek().is_some_and(|line| line.trim().is_empty()) {
                self.at += 1;
            }
            return match self.peek() {
                Some(line) if line.trim().starts_with("```") => {
                    self.at += 1;
                    self.fenced().map(Some)
                }
                _ => Ok(None),
            };
        }
        let mut value = vec![text];
        while let Some(line) = self.peek().filter(|line| !line.starts_with("### ") && !line.starts_with("## ")) {
            value.push(line);
            self.at += 1;
        }
        Ok(Some(value.join("\n").trim().to_owned()))
    }

    /// The lines up to the fence after which the document goes on.
    fn fenced(&mut self) -> Result<String, String> {
        let start = self.at;
        while let Some(line) = self.next() {
            if line.trim() == "```" && self.goes_on() {
                return Ok(self.lines.get(start..self.at - 1).unwrap_or_default().join("\n"));
            }
        }
        self.at = start;
        Err("the value that begins here has no end".into())
    }

    /// Whether the document goes on here, as after the end of an entry.
    fn goes_on(&self) -> bool {
        let mut rest = self.lines.iter().skip(self.at).map(|line| line.trim()).filter(|line| !line.is_empty());
        let mut next = rest.next();
        if self.is_stm {
            match next {
                Some("---") => next = rest.next(),
                // The appendix of some versions has no rule between its entries.
                Some(line) if line.starts_with("### Appendix ") => return true,
                _ => return false,
            }
        }
        next.is_none_or(|line| line.starts_with("### ") || line == APPENDIX || line == END)
    }

    fn appended(&mut self) -> Result<(Option<&'t str>, String), String> {
        let mut content_type = None;
        while let Some(line) = self.next() {
            let line = line.trim();
            if line.starts_with("```") {
                let data = self.fenced()?;
                return Ok((content_type, data.split_whitespace().collect()));
            }
            let told = line.trim_start_matches("- ");
            let told = told.strip_prefix("**Content Type**:").or_else(|| told.strip_prefix("**Type**:"));
            let told = told.map(|text| text.trim().trim_matches('`')).filter(|text| text.contains('/'));
            content_type = told.or(content_type);
        }
        Err("the value that begins here has no end".into())
    }
}

impl Entry<'_> {
    fn item(self, is_stm: bool, appendix: &BTreeMap<&str, (Option<&str>, String)>) -> Item {
        let name = self.name;
        Item::of(name, |name| self.portable(name, is_stm, appendix))
    }

    fn portable(
        self,
        name: KeyName,
        is_stm: bool,
        appendix: &BTreeMap<&str, (Option<&str>, String)>,
    ) -> Result<Portable, OpError> {
        let span = |attribute: &str| self.attributes.get(attribute).map(|text| text.trim_matches('`'));
        let word = span("Type").unwrap_or("text");
        let (key_type, told) = legacy::known_key_type("type", word)?;
        let appended = appendix.get(name.as_str());
        let value = self.value.or_else(|| appended.map(|(_, data)| data.clone()));
        let value = value.ok_or_else(|| OpError::invalid("value", "it has none", ""))?;
        let content = match key_type {
            KeyType::Text => Content::Text(value),
            KeyType::Json => Content::Text(json::json_text(value)),
            KeyType::Image | KeyType::File => Content::Bytes(
                BASE64
                    .decode(value)
                    .map_err(|error| OpError::invalid("value", format!("images and files are base64: {error}"), ""))?,
            ),
        };
        let content_type = span("Content Type").or_else(|| appended.and_then(|(told, _)| *told)).or(told);
        let flag = |attribute: &str| span(attribute).map(|text| text == "true");
        let booleans = Booleans {
            readonly: flag("Readonly"),
            visible: flag("Visible"),
            hardcoded: None,
            template: flag("Template"),
        };
        let words = span("System Tags").map(|text| list(text, ", "));
        // From 3.0 on, no tags are no line.
        let words = words.or_else(|| (!is_stm).then(Vec::new));
        Ok(Portable {
            key_type,
            content_type: content_type.map(str::to_owned).or_else(|| json::binary_type(key_type)),
            system_tags: json::tags_of(words.as_deref(), booleans),
            tags: span("Tags").map(|text| list(text, "`, `")).unwrap_or_default(),
            z_index: span("Z-Index").and_then(|text| text.parse().ok()).unwrap_or_default(),
            content,
            ..Portable::text(name, String::new())
        })
    }
}

fn list(text: &str, between: &str) -> Vec<String> {
    text.split(between).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}
