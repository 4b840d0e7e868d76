//! Writing a sealed tar as a stream: nothing but the list of its entries is kept in memory.

use std::io::{self, Read, Write};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{CONTENTS, Form, MANIFEST, Manifest, Sum};
use crate::model::digest::hex;

/// A sealed tar that is being written.
pub struct Writer<W: Write> {
    tar: tar::Builder<W>,
    sums: Vec<Sum>,
}

impl<W: Write> Writer<W> {
    /// Begins it.
    pub fn new(out: W, form: &Form) -> io::Result<Self> {
        let mut writer = Self { tar: tar::Builder::new(out), sums: Vec::new() };
        let manifest = Manifest { format: form.format.into(), format_version: form.version };
        let manifest = serde_json::to_vec(&manifest)?;
        writer.add(MANIFEST, manifest.len() as u64, manifest.as_slice())?;
        Ok(writer)
    }

    /// Adds an entry of so many bytes; answers what was added. Errors: `UnexpectedEof` when there are fewer.
    pub fn add(&mut self, name: &str, bytes: u64, content: impl Read) -> io::Result<&Sum> {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes);
        header.set_mode(0o600);
        header.set_entry_type(tar::EntryType::Regular);
        let mut hashed = Hashed { content: content.take(bytes), hash: Sha256::new(), bytes: 0 };
        self.tar.append_data(&mut header, name, &mut hashed)?;
        if hashed.bytes != bytes {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter while it was read"));
        }
        self.sums.push(Sum { name: name.into(), bytes, sha256: hex(&hashed.hash.finalize()) });
        self.sums.last().ok_or_else(|| io::Error::other("nothing was added"))
    }

    /// Ends it with its contents, into which the list of the entries goes.
    pub fn finish<C: Serialize>(mut self, contents: impl FnOnce(Vec<Sum>) -> C) -> io::Result<W> {
        let contents = serde_json::to_vec(&contents(std::mem::take(&mut self.sums)))?;
        self.add(CONTENTS, contents.len() as u64, contents.as_slice())?;
        self.tar.into_inner()
    }
}

/// Hashes what is read through it.
pub(super) struct Hashed<R> {
    pub(super) content: R,
    pub(super) hash: Sha256,
    pub(super) bytes: u64,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(piece)?;
        self.hash.update(piece.get(..read).unwrap_or_default());
        self.bytes += read as u64;
        Ok(read)
    }
}
