//! Keys as a Markdown document for people: ours, and the two of the first MindCache.
//!
//! Ours cannot be forged by what it holds: a value stands in a fence longer than any run of backticks in it, and nothing
//! in a fence is looked at. A first line names the version, the last one the number of keys.
//!
//! ````text
//! # MindCache Export
//! <!-- mindcache: {"format_version":1,"as_of_seq":7} -->
//!
//! ### notes
//! - **Type**: `text`
//! - **System Tags**: `LLMRead`, `LLMWrite`
//!
//! ```
//! Ask Mira.
//! ```
//!
//! *End of MindCache Export: 1 keys*
//! ````

mod attributes;
mod old;
mod ours;
mod write;

use std::io::BufRead;

use crate::model::{error::OpError, portable::Sink};

pub use write::{begin, end, key};

/// How our second line begins.
const MARK: &str = "<!-- mindcache: ";
/// The first line.
const TITLE: &str = "# MindCache Export";
/// How our last line begins.
const END: &str = "*End of MindCache Export: ";
/// The version of our form; a reader refuses a newer one.
const FORMAT_VERSION: u64 = 1;

/// Whether a text is an export, by how it begins: ours, or one of the first MindCache. Other Markdown is a note.
pub fn is_export(head: &str) -> bool {
    is_ours(head) || old::is_old(head)
}

fn is_ours(head: &str) -> bool {
    let mut lines = head.lines();
    lines.next() == Some(TITLE) && lines.next().is_some_and(|line| line.starts_with(MARK))
}

/// Reads an export and hands over its keys. Errors: `invalid_argument` with line and reason; what the sink refuses.
pub fn read(head: &str, source: impl BufRead, sink: &mut Sink<'_>) -> Result<(), OpError> {
    if is_ours(head) { ours::read(source, sink) } else { old::read(source, sink) }
}

#[cfg(test)]
mod tests;
