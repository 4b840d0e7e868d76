//! What is computed from records, pure: today the system prompt.

pub mod prompt;
