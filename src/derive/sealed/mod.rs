//! A sealed tar: entries with their sizes and checksums, written and read as a stream, uncompressed.
//!
//! `manifest.json` comes first and says what it is; `contents.json` comes last and lists name, size and SHA-256 of each
//! entry before it. An entry below `blobs/` is named by its SHA-256. What ends before its contents, or does not hold
//! exactly what they say, is refused.

mod read;
mod write;

use serde::{Deserialize, Serialize};

pub use read::{Place, read, refused};
pub use write::Writer;

/// The first entry.
const MANIFEST: &str = "manifest.json";
/// The last entry.
pub const CONTENTS: &str = "contents.json";
/// Where entries lie that are named by their SHA-256.
pub const BLOBS: &str = "blobs/";

/// What a sealed tar is.
#[derive(Debug)]
pub struct Form {
    /// Its `format`.
    pub format: &'static str,
    /// Its `format_version`; a newer one is refused.
    pub version: u64,
    /// Most bytes of the contents, and so most entries: about 180 bytes each.
    pub contents_bytes: u64,
}

/// The first entry: what the file is.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    /// What it is.
    format: String,
    /// Another one is refused.
    format_version: u64,
}

/// Name, size and SHA-256 of an entry.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Sum {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its bytes, in lower-case hexadecimal.
    pub sha256: String,
}

/// Whether this is a SHA-256 in lower-case hexadecimal.
pub fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether a sealed tar begins so.
pub fn is_sealed(head: &[u8]) -> bool {
    head.get(..MANIFEST.len()) == Some(MANIFEST.as_bytes()) && head.get(257..262) == Some(b"ustar")
}
