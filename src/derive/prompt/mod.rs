//! The system prompt: a heading and a fenced value per key, so that no value can pass for another key.
//!
//! A heading is one line: the name in JSON's quotes, with every character escaped that could end the line or
//! turn its direction. A fence is one backtick longer than any run of backticks in its value, so that nothing
//! in a value closes it: not a row of backticks or tildes after whatever a reader takes for a line end, not a
//! missing newline. This keeps keys apart for whoever reads the marks; it cannot stop a model from believing
//! what a value says.

use std::fmt::Write as _;

use crate::model::key::KeyType;

mod v1;

pub use v1::render_v1;

/// Most characters of the line that says which keys were left out.
const NOTICE_CHARACTERS: usize = 1024;

/// A key of the prompt.
#[derive(Debug, Clone)]
pub struct Section {
    /// Its name.
    pub name: String,
    /// Its type.
    pub key_type: KeyType,
    /// Its MIME type.
    pub content_type: Option<String>,
    /// Its text; nothing for images and files, and for a text that is too long to be considered.
    pub text: Option<String>,
    /// The tool that writes it, such as `write_notes`; nothing where models may not write it.
    pub writer: Option<String>,
}

/// The prompt and what became of each key.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The text. When keys were left out, its last line but those of the clock says so and names what it can.
    pub text: String,
    /// Keys in it, in order.
    pub included: Vec<String>,
    /// Keys that did not fit, in order.
    pub left_out: Vec<String>,
}

/// Renders the sections in their order, within a budget of characters. A section that does not fit is left
/// out whole, and smaller ones after it still have their chance.
pub fn render(sections: &[Section], budget: usize) -> Rendered {
    fit(sections, budget, block)
}

/// Puts together the blocks that fit, and the line that names the others.
fn fit(sections: &[Section], budget: usize, block: fn(&Section) -> Option<String>) -> Rendered {
    let (whole, _) = fill(sections, budget, block);
    if whole.left_out.is_empty() {
        return whole;
    }
    let reserve = NOTICE_CHARACTERS.min(budget / 4);
    let (mut rendered, used) = fill(sections, budget - reserve, block);
    let room = NOTICE_CHARACTERS.min(budget - used);
    rendered.text.push_str(&notice(&rendered.left_out, room));
    rendered
}

/// The blocks that fit, and how many characters they have.
fn fill(sections: &[Section], budget: usize, block: fn(&Section) -> Option<String>) -> (Rendered, usize) {
    let mut rendered = Rendered::default();
    let mut used = 0;
    for section in sections {
        let text = block(section).unwrap_or_default();
        let length = text.chars().count();
        if text.is_empty() || used + length > budget {
            rendered.left_out.push(section.name.clone());
            continue;
        }
        used += length;
        rendered.text.push_str(&text);
        rendered.included.push(section.name.clone());
    }
    (rendered, used)
}

/// The line that says what was left out, with as many names as fit; empty when not even their count does.
fn notice(left_out: &[String], room: usize) -> String {
    let line = |named: &str, more: usize| match (named, more) {
        ("", 1) => "(left out for lack of room: 1 key)\n".to_owned(),
        ("", more) => format!("(left out for lack of room: {more} keys)\n"),
        (named, 0) => format!("(left out for lack of room: {named})\n"),
        (named, more) => format!("(left out for lack of room: {named} and {more} more)\n"),
    };
    let mut named = String::new();
    let mut best = line("", left_out.len());
    for (index, name) in left_out.iter().enumerate() {
        let comma = if named.is_empty() { "" } else { ", " };
        named = format!("{named}{comma}{}", quoted(name));
        if named.chars().count() > room {
            break;
        }
        let longer = line(&named, left_out.len() - index - 1);
        if longer.chars().count() <= room {
            best = longer;
        }
    }
    if best.chars().count() > room { String::new() } else { best }
}

fn block(section: &Section) -> Option<String> {
    let heading = format!("## {}", quoted(&section.name));
    if section.key_type.is_binary() {
        let kind = section.key_type.name();
        let content_type = one_line(section.content_type.as_deref().unwrap_or(UNKNOWN_FORMAT));
        return Some(format!("{heading}\n({kind}, {content_type}: read the key to see it)\n\n"));
    }
    let text = section.text.as_ref()?;
    let fence = "`".repeat(longest_run(text).max(2) + 1);
    let language = if section.key_type == KeyType::Json { "json" } else { "" };
    Some(format!("{heading}\n{fence}{language}\n{text}\n{fence}\n\n"))
}

const UNKNOWN_FORMAT: &str = "unknown format";

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// A name as a JSON string that stays on its line and reads from left to right.
fn quoted(name: &str) -> String {
    one_line(&serde_json::Value::from(name).to_string())
}

/// A text in which line ends, other control characters and marks of direction are escaped as in JSON.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        let breaks = c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        let turns =
            matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if breaks || turns {
            // Writing to a String does not fail.
            write!(line, "\\u{:04x}", u32::from(c)).unwrap_or_default();
        } else {
            line.push(c);
        }
    }
    line
}

#[cfg(test)]
mod tests;
