//! What is computed from records, pure: the system prompt, templates, the tools of single keys, the words of a search.

pub mod key_tools;
pub mod prompt;
pub mod search;
pub mod template;
