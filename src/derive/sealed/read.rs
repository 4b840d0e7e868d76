//! Reading a sealed tar as a stream: what is handed over counts only when the whole was found to be as it says.

use std::{
    collections::HashSet,
    io::{self, Read},
};

use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::{BLOBS, CONTENTS, Form, MANIFEST, Manifest, Sum, write::Hashed};
use crate::model::{digest::hex, error::OpError};

/// Largest manifest.
const MANIFEST_BYTES: u64 = 4096;

/// Where an entry is.
#[derive(Debug)]
pub struct Place {
    /// Its name, one that `limit` knows.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Where in the file it begins.
    pub at: u64,
}

/// The refusal of an entry.
pub fn refused(entry: &str, rule: impl Into<String>) -> OpError {
    OpError::invalid(format!("entry \"{}\"", entry.escape_debug()), rule, "")
}

/// Reads a sealed tar to its end and answers its contents. `limit` gives the most bytes of an entry of this name, and
/// nothing for a name that there cannot be; `each` is handed every entry but the first and the last, and need not read
/// it; `sums` finds the list of entries in the contents. Errors: `invalid_argument` naming the entry; those of `each`.
pub fn read<C: DeserializeOwned>(
    source: impl Read,
    form: &Form,
    limit: impl Fn(&str) -> Option<u64>,
    mut each: impl FnMut(&Place, &mut dyn Read) -> Result<(), OpError>,
    sums: impl Fn(&C) -> &[Sum],
) -> Result<C, OpError> {
    let broken = |error: io::Error| refused("archive", format!("it cannot be read: {error}"));
    let mut tar = tar::Archive::new(source);
    let (mut found, mut names) = (Vec::new(), HashSet::new());
    let mut contents: Option<C> = None;
    // Raw: a long name, a link or a hole of a sparse file is an entry like any other, and refused.
    for entry in tar.entries().map_err(broken)?.raw(true) {
        let mut entry = entry.map_err(broken)?;
        let place = place(&entry, form, &limit)?;
        let Place { name, bytes, .. } = &place;
        if contents.is_some() {
            return Err(refused(name, "it comes after the end"));
        }
        if !names.insert(name.clone()) {
            return Err(refused(name, "the archive has it twice"));
        }
        if found.is_empty() != (name == MANIFEST) {
            return Err(refused(name, format!("this is no {}", form.format)));
        }
        let mut hashed = Hashed { content: &mut entry, hash: Sha256::new(), bytes: 0 };
        let mut kept = Vec::new();
        if [MANIFEST, CONTENTS].contains(&name.as_str()) {
            hashed.read_to_end(&mut kept).map_err(broken)?;
        } else {
            each(&place, &mut hashed)?;
            io::copy(&mut hashed, &mut io::sink()).map_err(broken)?;
        }
        let (bytes_read, sha256) = (hashed.bytes, hex(&hashed.hash.finalize()));
        if bytes_read != *bytes {
            return Err(refused(name, "the file ends within it"));
        }
        if name.strip_prefix(BLOBS).is_some_and(|told| told != sha256) {
            return Err(refused(name, "it is not what its name says"));
        }
        if name == CONTENTS {
            let parsed = serde_json::from_slice(&kept);
            contents = Some(parsed.map_err(|error| refused(name, error.to_string()))?);
            continue;
        }
        if name == MANIFEST {
            check_manifest(form, &kept)?;
        }
        found.push(Sum { name: place.name, bytes: bytes_read, sha256 });
    }
    let contents = contents.ok_or_else(|| refused(CONTENTS, "the file ends before it"))?;
    if sums(&contents) == found {
        Ok(contents)
    } else {
        Err(refused(CONTENTS, "the archive does not hold what it says"))
    }
}

fn place(
    entry: &tar::Entry<'_, impl Read>,
    form: &Form,
    limit: &impl Fn(&str) -> Option<u64>,
) -> Result<Place, OpError> {
    let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
    let most = match name.as_str() {
        MANIFEST => Some(MANIFEST_BYTES),
        CONTENTS => Some(form.contents_bytes),
        other => limit(other),
    };
    let most = most.ok_or_else(|| refused(&name, format!("a {} has no such entry", form.format)))?;
    let bytes = entry.size();
    if entry.header().entry_type() != tar::EntryType::Regular || bytes > most {
        return Err(refused(&name, "it is no file, or larger than it can be"));
    }
    Ok(Place { name, bytes, at: entry.raw_file_position() })
}

fn check_manifest(form: &Form, bytes: &[u8]) -> Result<(), OpError> {
    let refused = |rule: String| Err(refused(MANIFEST, rule));
    let manifest: Manifest = match serde_json::from_slice(bytes) {
        Ok(manifest) => manifest,
        Err(error) => return refused(error.to_string()),
    };
    if manifest.format != form.format {
        return refused(format!("this is a \"{}\", no {}", manifest.format.escape_debug(), form.format));
    }
    if manifest.format_version != form.version {
        return refused(format!("format_version {} is for a newer mindcache", manifest.format_version));
    }
    Ok(())
}
