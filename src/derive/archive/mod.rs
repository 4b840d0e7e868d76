//! The `.mindcache` archive: one or all instances in a single uncompressed tar, written and checked as a stream.
//!
//! | entry | what |
//! |---|---|
//! | `manifest.json` | the first: format and version |
//! | `blobs/<sha256>` | a large value, once, before the record that names it |
//! | `instances/<n>/<part>.ndjson` | records, a key a line, at most about 1 MiB |
//! | `contents.json` | the last: the instances, and name, size and SHA-256 of each entry before it |
//!
//! An archive is read only when it holds exactly what its last entry says.

mod read;
mod write;

use serde::{Deserialize, Serialize};

use super::sealed::{self, CONTENTS, Form, Sum};

pub use read::Archive;
pub use write::Writer;

/// What an archive says it is.
const FORM: Form = Form { format: "mindcache-archive", version: 1, contents_bytes: 64 * 1024 * 1024 };

/// What the archive holds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    /// It is of a whole store: its instances go where they came from.
    all: bool,
    instances: Vec<Instance>,
    entries: Vec<Sum>,
}

/// An instance of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// The last change that is in it.
    pub as_of_seq: u64,
    /// How many keys it has.
    pub keys: u64,
}

/// Whether an archive begins so.
pub fn is_archive(head: &[u8]) -> bool {
    sealed::is_sealed(head)
}

#[cfg(test)]
mod tests;
