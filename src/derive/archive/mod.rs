//! The `.mindcache` archive: one or all instances in a single uncompressed tar, written and checked as a stream.
//!
//! | entry | what |
//! |---|---|
//! | `manifest.json` | the first: format and version |
//! | `blobs/<sha256>` | a large value, once, before the record that names it |
//! | `instances/<n>/<part>.ndjson` | records, a key a line, at most about 1 MiB |
//! | `about.json` | what is no key: projects, shares and whatever else belongs to it, for people; an import passes it over |
//! | `contents.json` | the last: the instances, and name, size and SHA-256 of each entry before it |
//!
//! An archive is read only when it holds exactly what its last entry says.

mod order;
mod read;
mod write;

use serde::{Deserialize, Serialize};

use super::sealed::{self, CONTENTS, Form, Sum};

pub use order::listed;
pub use read::Archive;
pub use write::Writer;

/// What is told beside the keys.
const ABOUT: &str = "about.json";

/// What an archive says it is.
const FORM: Form = Form { format: "mindcache-archive", version: 1, contents_bytes: 64 * 1024 * 1024 };

/// What the archive holds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Contents {
    /// It is of a whole store: its instances go where they came from.
    all: bool,
    /// Its instances: the records of the n-th, counted from 1, are in `instances/<n>/`.
    instances: Vec<Instance>,
    /// Each entry before this one, in order.
    entries: Vec<Sum>,
}

/// An instance of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// The last change that is in it.
    pub as_of_seq: u64,
    /// How many keys it has.
    pub keys: u64,
    /// What it was beside its keys.
    #[serde(default, skip_serializing_if = "Origin::is_plain")]
    pub origin: Origin,
}

/// What an instance is beside its keys: a clone or a snapshot of another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The name of the instance that it was cloned from, one that comes before it in the archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// What a snapshot was taken for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Nothing may be written to it.
    #[serde(default)]
    pub read_only: bool,
    /// It was taken to stay as it was.
    #[serde(default)]
    pub snapshot: bool,
}

impl Origin {
    fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether an archive begins so.
pub fn is_archive(head: &[u8]) -> bool {
    sealed::is_sealed(head)
}

#[cfg(test)]
mod tests;
