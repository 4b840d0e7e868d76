//! Writing an archive as a stream: nothing has to be known before it is written, and no more than a part is in memory.

use std::{
    collections::HashSet,
    io::{self, Write},
};

use super::{ABOUT, Contents, FORM, Instance, Origin};
use crate::{
    derive::{json, sealed},
    model::{digest::sha256, portable::Portable},
};

/// Bytes of records after which a part is full.
const PART_BYTES: usize = 1024 * 1024;

/// An archive that is being written.
pub struct Writer<'w> {
    tar: sealed::Writer<&'w mut dyn Write>,
    contents: Contents,
    blobs: HashSet<String>,
    /// The records that are not written yet.
    part: Vec<u8>,
    /// Parts of the instance so far.
    parts: usize,
}

impl<'w> Writer<'w> {
    /// Begins an archive; `all` is one of a whole store.
    pub fn new(out: &'w mut dyn Write, all: bool) -> io::Result<Self> {
        let contents = Contents { all, ..Contents::default() };
        let tar = sealed::Writer::new(out, &FORM)?;
        Ok(Self { tar, contents, blobs: HashSet::new(), part: Vec::new(), parts: 0 })
    }

    /// Begins an instance.
    pub fn begin(&mut self, name: &str, as_of_seq: u64, origin: Origin) -> io::Result<()> {
        self.flush()?;
        self.parts = 0;
        self.contents.instances.push(Instance { name: name.to_owned(), as_of_seq, keys: 0, origin });
        Ok(())
    }

    /// Adds a key to the instance.
    pub fn key(&mut self, key: &Portable) -> io::Result<()> {
        let mut blob = None;
        if key.content.is_large() {
            let sha = sha256(key.content.as_bytes());
            if self.blobs.insert(sha.clone()) {
                self.entry(&format!("blobs/{sha}"), key.content.as_bytes())?;
            }
            blob = Some(sha);
        }
        json::record(&mut self.part, key, blob)?;
        self.part.push(b'\n');
        if let Some(instance) = self.contents.instances.last_mut() {
            instance.keys += 1;
        }
        if self.part.len() >= PART_BYTES { self.flush() } else { Ok(()) }
    }

    /// Adds what is told beside the keys; once.
    pub fn about(&mut self, about: &serde_json::Value) -> io::Result<()> {
        self.flush()?;
        self.entry(ABOUT, &serde_json::to_vec(about)?)
    }

    /// Ends the archive.
    pub fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        let contents = self.contents;
        self.tar.finish(|entries| Contents { entries, ..contents }).map(drop)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.part.is_empty() {
            return Ok(());
        }
        self.parts += 1;
        let name = format!("instances/{}/{}.ndjson", self.contents.instances.len(), self.parts);
        let part = std::mem::take(&mut self.part);
        self.entry(&name, &part)
    }

    fn entry(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.tar.add(name, bytes.len() as u64, bytes).map(drop)
    }
}
