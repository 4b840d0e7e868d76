//! Reading an archive: all of it is checked before any of it is handed over.

use std::{
    collections::{HashMap, HashSet},
    io::{BufRead as _, BufReader, Read, Seek, SeekFrom},
};

use super::{ABOUT, CONTENTS, Contents, FORM, Instance};
use crate::{
    derive::{
        json,
        sealed::{self, Place, refused},
    },
    model::{
        error::OpError,
        limits,
        portable::{Item, Sink},
    },
};

/// Largest part: a full one, and one more record.
const PART_BYTES: u64 = 64 * 1024 * 1024;

/// An archive that was found to be whole.
pub struct Archive {
    contents: Contents,
    /// Where each entry is.
    places: HashMap<String, (u64, u64)>,
}

/// The most bytes that an entry of this name may have; nothing for a name that no archive has.
fn limit(name: &str) -> Option<u64> {
    let number = |text: &str| (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    match name.split('/').collect::<Vec<_>>().as_slice() {
        ["blobs", sha] if sealed::is_sha256(sha) => Some(limits::VALUE_BYTES as u64),
        ["instances", instance, part] if number(instance) && part.strip_suffix(".ndjson").is_some_and(number) => {
            Some(PART_BYTES)
        }
        [ABOUT] => Some(PART_BYTES),
        _ => None,
    }
}

impl Archive {
    /// Reads a whole archive and compares it with what it says of itself. Errors: `invalid_argument` naming the entry.
    pub fn check(source: impl Read) -> Result<Self, OpError> {
        let mut places = HashMap::new();
        let note = |place: &Place, _: &mut dyn Read| {
            places.insert(place.name.clone(), (place.at, place.bytes));
            Ok(())
        };
        let contents = sealed::read(source, &FORM, limit, note, |contents: &Contents| &contents.entries)?;
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
