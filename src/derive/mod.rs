//! What is computed from records, pure: the system prompt and templates, tools, the words of a search, and keys as
//! documents.

pub mod archive;
pub mod graph;
pub mod json;
pub mod key_tools;
pub mod markdown;
pub mod notes;
pub mod prompt;
pub mod sealed;
pub mod search;
pub mod template;

#[cfg(test)]
mod published;
#[cfg(test)]
mod samples;
