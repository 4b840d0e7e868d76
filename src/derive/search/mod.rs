//! Searching, the pure part: the words of a record for the index, the words of a question, and the piece of a value
//! that shows why it was found.

mod question;
mod snippet;
mod stop;
mod text;
mod words;

pub use question::{is_found, question};
pub use snippet::{SNIPPET_CHARACTERS, snippet};
pub use text::{INDEXED_BYTES, plain};
pub use words::spread;

#[cfg(test)]
mod tests;
