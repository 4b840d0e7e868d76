//! What is computed from records, pure: the system prompt and templates.

pub mod key_tools;
pub mod prompt;
pub mod template;
