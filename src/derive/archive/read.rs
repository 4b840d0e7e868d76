//! Reading an archive: all of it is checked before any of it is handed over.

use std::{
    collections::{HashMap, HashSet},
    io::{BufRead as _, BufReader, Read, Seek, SeekFrom},
};

use sha2::{Digest as _, Sha256};

use super::{CONTENTS, Contents, FORMAT, FORMAT_VERSION, Instance, MANIFEST, Manifest, Sum, hex};
use crate::{
    derive::json,
    model::{
        error::OpError,
        limits,
        portable::{Item, Sink},
    },
};

/// Largest part: a full one, and one more record.
const PART_BYTES: u64 = 64 * 1024 * 1024;
/// Largest list of contents, and so most entries.
const CONTENTS_BYTES: u64 = 64 * 1024 * 1024;

/// An archive that was found to be whole.
pub struct Archive {
    contents: Contents,
    /// Where each entry is.
    places: HashMap<String, (u64, u64)>,
}

fn refused(entry: &str, rule: impl Into<String>) -> OpError {
    OpError::invalid(format!("entry \"{}\"", entry.escape_debug()), rule, "")
}

/// The most bytes that an entry of this name may have; nothing for a name that no archive has.
fn limit(name: &str) -> Option<u64> {
    let number = |text: &str| (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    match name.split('/').collect::<Vec<_>>().as_slice() {
        [name] if *name == MANIFEST => Some(4096),
        [name] if *name == CONTENTS => Some(CONTENTS_BYTES),
        ["blobs", sha] if sha.len() == 64 && sha.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) => {
            Some(limits::VALUE_BYTES as u64)
        }
        ["instances", instance, part] if number(instance) && part.strip_suffix(".ndjson").is_some_and(number) => {
            Some(PART_BYTES)
        }
        _ => None,
    }
}

impl Archive {
    /// Reads a whole archive and compares it with what it says of itself. Errors: `invalid_argument` naming the entry.
    pub fn check(source: impl Read) -> Result<Self, OpError> {
        let broken = |error: std::io::Error| refused("archive", format!("it cannot be read: {error}"));
        let mut tar = tar::Archive::new(source);
        let (mut sums, mut places) = (Vec::new(), HashMap::new());
        let mut contents: Option<Contents> = None;
        for entry in tar.entries().map_err(broken)?.raw(true) {
            let mut entry = entry.map_err(broken)?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let most = limit(&name).ok_or_else(|| refused(&name, "an archive of mindcache has no such entry"))?;
            let bytes = entry.size();
            if entry.header().entry_type() != tar::EntryType::Regular || bytes > most {
                return Err(refused(&name, "it is no file, or larger than it can be"));
            }
            if contents.is_some() {
                return Err(refused(&name, "it comes after the end"));
            }
            if places.insert(name.clone(), (entry.raw_file_position(), bytes)).is_some() {
                return Err(refused(&name, "the archive has it twice"));
            }
            let (sha256, kept) = digest(&mut entry, [MANIFEST, CONTENTS].contains(&name.as_str())).map_err(broken)?;
            if name.strip_prefix("blobs/").is_some_and(|told| told != sha256) {
                return Err(refused(&name, "it is not what its name says"));
            }
            if name == CONTENTS {
                let read = serde_json::from_slice(&kept);
                contents = Some(read.map_err(|error| refused(&name, error.to_string()))?);
                continue;
            }
            if sums.is_empty() {
                check_manifest(&name, &kept)?;
            }
            sums.push(Sum { name, bytes, sha256 });
        }
        let contents = contents.ok_or_else(|| refused(CONTENTS, "the file ends before it"))?;
        if contents.entries != sums {
            return Err(refused(CONTENTS, "the archive does not hold what it says"));
        }
        Ok(Self { contents, places })
    }

    /// Its instances.
    pub fn instances(&self) -> &[Instance] {
        &self.contents.instances
    }

    /// Whether it is of a whole store.
    pub fn is_all(&self) -> bool {
        self.contents.all
    }

    /// Hands over the keys of its n-th instance, the first being 1, from the same source.
    pub fn read(&self, mut source: impl Read + Seek, number: usize, sink: &mut Sink<'_>) -> Result<(), OpError> {
        let mut seen = HashSet::new();
        for part in 1.. {
            let name = format!("instances/{number}/{part}.ndjson");
            if !self.places.contains_key(&name) {
                break;
            }
            let text = self.entry(&mut source, &name)?;
            let mut lines = BufReader::new(text.as_slice());
            let mut line = Vec::new();
            for at in 1.. {
                line.clear();
                let read = lines.read_until(b'\n', &mut line);
                if read.map_err(|error| refused(&name, error.to_string()))? == 0 {
                    break;
                }
                let load = |sha: &str| self.entry(&mut source, &format!("blobs/{sha}"));
                let key = json::parse_record(&line, load)
                    .map_err(|error| refused(&name, format!("line {at}: {}", error.without_quote())))?;
                seen.insert(key.name.clone());
                sink(Item::Key(Box::new(key)))?;
            }
        }
        let told = self.contents.instances.get(number.wrapping_sub(1)).map(|instance| instance.keys);
        if told == Some(seen.len() as u64) { Ok(()) } else { Err(refused(CONTENTS, "it has another number of keys")) }
    }

    fn entry(&self, source: &mut (impl Read + Seek), name: &str) -> Result<Vec<u8>, OpError> {
        let (at, bytes) = self.places.get(name).ok_or_else(|| refused(name, "the archive does not have it"))?;
        let mut content = Vec::new();
        source
            .seek(SeekFrom::Start(*at))
            .and_then(|_| source.take(*bytes).read_to_end(&mut content))
            .map_err(|error| refused(name, format!("it cannot be read: {error}")))?;
        Ok(content)
    }
}

fn check_manifest(name: &str, bytes: &[u8]) -> Result<(), OpError> {
    let manifest: Manifest = serde_json::from_slice(bytes).map_err(|error| refused(name, error.to_string()))?;
    match manifest.format_version {
        _ if name != MANIFEST || manifest.format != FORMAT => Err(refused(name, "this is no archive of mindcache")),
        FORMAT_VERSION => Ok(()),
        version => Err(refused(name, format!("format_version {version} is for a newer mindcache"))),
    }
}

/// SHA-256 of an entry, and the entry itself where it is wanted.
fn digest(entry: &mut impl Read, is_kept: bool) -> std::io::Result<(String, Vec<u8>)> {
    let (mut digest, mut kept, mut piece) = (Sha256::new(), Vec::new(), vec![0; 64 * 1024]);
    loop {
        let read = entry.read(&mut piece)?;
        let Some(read) = piece.get(..read).filter(|read| !read.is_empty()) else { break };
        digest.update(read);
        if is_kept {
            kept.extend_from_slice(read);
        }
    }
    Ok((hex(&digest.finalize()), kept))
}
