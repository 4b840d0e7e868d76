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
use sha2::{Digest as _, Sha256};

pub use read::Archive;
pub use write::Writer;

const MANIFEST: &str = "manifest.json";
const CONTENTS: &str = "contents.json";
const FORMAT: &str = "mindcache-archive";
const FORMAT_VERSION: u64 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format: String,
    format_version: u64,
}

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

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sum {
    name: String,
    bytes: u64,
    sha256: String,
}

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(digest: &[u8]) -> String {
    digest.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|half| char::from_digit(half.into(), 16)).collect()
}

/// Whether an archive begins so.
pub fn is_archive(head: &[u8]) -> bool {
    head.get(..MANIFEST.len()) == Some(MANIFEST.as_bytes()) && head.get(257..262) == Some(b"ustar")
}

#[cfg(test)]
mod tests;
