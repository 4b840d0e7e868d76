//! A large value that comes in pieces: written beside, hashed and counted on the way, given its name at the end.

use std::{
    fs::{self, File},
    io::{self, BufReader, Write as _},
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

use super::{super::files, Blobs, is_whole};
use crate::{
    model::{digest::hex, error::OpError, value::Kept},
    store::BlobWriter,
};

/// The value so far. Dropped, its file goes.
pub(in super::super) struct Incoming {
    blobs: Blobs,
    beside: Beside,
    file: File,
    hash: Sha256,
    bytes: u64,
    text: Text,
}

/// A file that goes when nobody has renamed it.
struct Beside(PathBuf);

impl Drop for Beside {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::debug!(%error, "a file of an unfinished value stays until the next sweep");
        }
    }
}

impl Blobs {
    /// Begins to keep a value.
    pub(in super::super) fn begin(&self) -> Result<Incoming, OpError> {
        let path = self.folder.join(format!(".new-{}", uuid::Uuid::new_v4()));
        let file = files::new_file(&path).map_err(|error| files::unavailable(&error, "write", &path))?;
        Ok(Incoming {
            blobs: self.clone(),
            beside: Beside(path),
            file,
            hash: Sha256::new(),
            bytes: 0,
            text: Text::default(),
        })
    }

    /// Opens a value.
    pub(in super::super) fn open(&self, blob: &crate::model::value::BlobRef) -> Result<File, OpError> {
        let path = self.path(&blob.sha256);
        match File::open(&path) {
            Ok(file) if is_whole(&path, blob.bytes) => Ok(file),
            Ok(_) => Err(super::damaged(&path, "it has another size than it had")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(super::damaged(&path, "it is missing")),
            Err(error) => Err(files::unavailable(&error, "read", &path)),
        }
    }
}

impl BlobWriter for Incoming {
    fn write(&mut self, piece: &[u8]) -> Result<(), OpError> {
        self.file.write_all(piece).map_err(|error| files::unavailable(&error, "write", &self.beside.0))?;
        self.hash.update(piece);
        self.bytes += piece.len() as u64;
        self.text.take(piece);
        Ok(())
    }

    fn finish(&mut self) -> Result<Kept, OpError> {
        let (beside, bytes) = (&self.beside.0, self.bytes);
        let failed = |error: io::Error| files::unavailable(&error, "write", beside);
        self.file.sync_all().map_err(failed)?;
        let characters = self.text.characters();
        let is_json = characters.is_some() && is_json(beside).map_err(failed)?;
        let sha256 = hex(&self.hash.clone().finalize());
        let path = self.blobs.path(&sha256);
        let folder = path.parent().unwrap_or(&self.blobs.folder);
        let placed = files::make_folder(folder).and_then(|()| {
            if !is_whole(&path, bytes) {
                place(beside, &path)?;
            }
            // Also when it was there: whoever put it there may not have come to this yet.
            files::sync_folder(folder)?;
            files::sync_folder(&self.blobs.folder)
        });
        placed.map_err(failed)?;
        Ok(Kept { sha256, bytes, characters, is_json })
    }
}

/// Gives a file its second name; where there are no second names, its only one.
fn place(beside: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(beside, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::Unsupported => fs::rename(beside, path),
        other => other,
    }
}

/// Whether a file holds one JSON value, read in pieces.
fn is_json(path: &Path) -> io::Result<bool> {
    let read = serde_json::from_reader::<_, serde::de::IgnoredAny>(BufReader::new(File::open(path)?));
    match read {
        Ok(_) => Ok(true),
        Err(error) if error.is_io() => Err(error.into()),
        Err(_) => Ok(false),
    }
}

/// Whether what comes is UTF-8, and how many characters.
#[derive(Default)]
struct Text {
    is_other: bool,
    characters: u64,
    /// The beginning of a character whose rest is to come.
    rest: Vec<u8>,
}

impl Text {
    fn take(&mut self, piece: &[u8]) {
        if self.is_other {
            return;
        }
        let mut piece = piece;
        // At most three bytes wait, and a character has at most four.
        while !self.rest.is_empty() {
            let Some((first, others)) = piece.split_first() else { return };
            self.rest.push(*first);
            piece = others;
            match std::str::from_utf8(&self.rest) {
                Ok(_) => {
                    self.characters += 1;
                    self.rest.clear();
                }
                Err(error) if error.error_len().is_some() => {
                    self.is_other = true;
                    return;
                }
                Err(_) => {}
            }
        }
        match std::str::from_utf8(piece) {
            Ok(text) => self.characters += text.chars().count() as u64,
            Err(error) if error.error_len().is_some() => self.is_other = true,
            Err(error) => {
                let (whole, rest) = piece.split_at_checked(error.valid_up_to()).unwrap_or((piece, &[]));
                self.characters += whole.iter().filter(|byte| **byte & 0xc0 != 0x80).count() as u64;
                self.rest.extend_from_slice(rest);
            }
        }
    }

    fn characters(&self) -> Option<u64> {
        (!self.is_other && self.rest.is_empty()).then_some(self.characters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(bytes: &[u8], piece: usize) -> Option<u64> {
        let mut text = Text::default();
        bytes.chunks(piece).for_each(|piece| text.take(piece));
        text.characters()
    }

    #[test]
    fn characters_are_counted_across_pieces() {
        let text = "aé名😀z";
        for piece in 1..=12 {
            assert_eq!(counted(text.as_bytes(), piece), Some(5), "{piece}");
            assert_eq!(counted(&text.as_bytes()[..9], piece), None, "cut within a character, {piece}");
            assert_eq!(counted(b"a\xffb", piece), None, "{piece}");
            assert_eq!(counted(b"\xf0\x9fa", piece), None, "{piece}");
        }
        assert_eq!(counted(b"", 1), Some(0));
    }

    #[test]
    fn a_value_that_is_given_up_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("blobs")).unwrap();
        let blobs = Blobs::of(folder.path());
        let mut incoming = blobs.begin().unwrap();
        incoming.write(b"abc").unwrap();
        drop(incoming);
        assert_eq!(fs::read_dir(folder.path().join("blobs")).unwrap().count(), 0);
        let mut incoming = blobs.begin().unwrap();
        incoming.write(b"[1,").unwrap();
        incoming.write(b"2]").unwrap();
        let kept = incoming.finish().unwrap();
        assert_eq!((kept.bytes, kept.characters, kept.is_json), (5, Some(5), true));
        // Tidied away before a record named it: it can be placed again.
        fs::remove_file(blobs.path(&kept.sha256)).unwrap();
        assert_eq!(incoming.finish().unwrap(), kept);
        assert_eq!(fs::read(blobs.path(&kept.sha256)).unwrap(), b"[1,2]");
        drop(incoming);
        let names: Vec<_> = fs::read_dir(folder.path().join("blobs")).unwrap().flatten().collect();
        assert_eq!(names.len(), 1, "the folder of its first two digits");
    }
}
