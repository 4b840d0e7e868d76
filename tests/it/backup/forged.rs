//! Backups that somebody made up: sealed as they should be, but for what is wrong with them.

use std::{io::Read, path::Path};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

use crate::harness::audit::hex;

/// The entries of a backup, to be changed and sealed again.
#[derive(Clone)]
pub(super) struct Forged {
    pub(super) entries: Vec<(String, Vec<u8>)>,
    pub(super) contents: Value,
}

impl Forged {
    /// Takes a backup apart.
    pub(super) fn of(file: &Path) -> Self {
        let mut archive = tar::Archive::new(std::fs::File::open(file).unwrap());
        let mut entries = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().to_str().unwrap().to_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            entries.push((name, bytes));
        }
        let (last, contents) = entries.pop().unwrap();
        assert_eq!(last, "contents.json");
        Self { entries, contents: serde_json::from_slice(&contents).unwrap() }
    }

    /// The entry of a name that ends so.
    pub(super) fn entry(&mut self, end: &str) -> &mut (String, Vec<u8>) {
        self.entries.iter_mut().find(|(name, _)| name.ends_with(end)).unwrap()
    }

    /// Changes a database of it.
    pub(super) fn alter(&mut self, name: &str, folder: &Path, sql: &str) {
        let path = folder.join("altered.db");
        std::fs::write(&path, &self.entry(name).1).unwrap();
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.execute_batch(sql).unwrap();
        connection.close().unwrap();
        self.entry(name).1 = std::fs::read(&path).unwrap();
    }

    /// The file, with the right sums of what is in it.
    pub(super) fn sealed(mut self) -> Vec<u8> {
        let sums = self
            .entries
            .iter()
            .map(|(name, bytes)| json!({"name": name, "bytes": bytes.len(), "sha256": hex(&Sha256::digest(bytes))}));
        self.contents["entries"] = sums.collect();
        self.entries.push(("contents.json".to_owned(), self.contents.to_string().into_bytes()));
        let mut out = Builder::new(Vec::new());
        for (name, bytes) in &self.entries {
            let header = header(name, EntryType::Regular, bytes.len() as u64);
            out.append(&header, bytes.as_slice()).unwrap();
        }
        out.into_inner().unwrap()
    }
}

/// A header with any name in it.
pub(super) fn header(name: &str, kind: EntryType, bytes: u64) -> Header {
    let mut header = Header::new_ustar();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o600);
    header.set_size(bytes);
    if kind == EntryType::Symlink || kind == EntryType::Link {
        header.set_link_name("/etc/passwd").unwrap();
    }
    header.set_cksum();
    header
}
