//! Room in the log of a database, made ahead of the commits that will need it.
//!
//! A commit that makes the file longer is two flushes to the file system: one of the data and one of the file's length. One
//! that finds room is one. So a log that grows is made longer by as much again, with zeros: nothing takes those for commits,
//! whose frames carry a random number of their log and sums. When the log begins anew at its start it has its room.

use std::{
    cell::Cell,
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use super::files;

/// Bytes of the log before its first frame.
const HEAD_BYTES: u64 = 32;
/// Bytes of a frame: what it says of itself, and a page.
const FRAME_BYTES: u64 = 24 + 4096;
/// Frames by which the log is made longer at least and at most.
const FRAMES: (u64, u64) = (16, 128);
/// A log of so many frames begins anew soon.
const ENOUGH_FRAMES: u64 = 4000;

/// The end of the log of one database, as its writer saw it last.
pub(super) struct Room {
    path: PathBuf,
    end: Cell<Option<u64>>,
}

impl Room {
    /// Of the database in a folder.
    pub(super) fn of(folder: &Path) -> Self {
        Self { path: folder.join(files::LOG), end: Cell::default() }
    }

    /// Makes room if the commits have come to the end. To be called while nobody else can append: within a transaction
    /// that writes. A writer that commits once makes none.
    pub(super) fn make(&self) -> io::Result<()> {
        let end = fs::metadata(&self.path)?.len();
        let before = self.end.replace(Some(end));
        if before.is_some_and(|before| before != end) && end <= HEAD_BYTES + ENOUGH_FRAMES * FRAME_BYTES {
            self.end.set(Some(self.longer(end)?));
        }
        Ok(())
    }

    fn longer(&self, end: u64) -> io::Result<u64> {
        let frames = end.saturating_sub(HEAD_BYTES) / FRAME_BYTES;
        let is_whole = frames > 0 && end == HEAD_BYTES + frames * FRAME_BYTES;
        // No lock of SQLite is on this file, so that closing it lets go of none.
        let log = OpenOptions::new().read(true).write(true).open(&self.path)?;
        if !is_whole || is_empty(&log, end - FRAME_BYTES)? {
            // Another process has made room, or a commit was cut off in the middle.
            return Ok(end);
        }
        let (least, most) = FRAMES;
        let zeros = vec![0; usize::try_from(least * FRAME_BYTES).unwrap_or_default()];
        let mut to = end;
        for _ in 0..frames.clamp(least, most) / least {
            files::write_at(&log, &zeros, to)?;
            to += least * FRAME_BYTES;
        }
        Ok(to)
    }
}

/// Whether nothing was committed into the frame at a place: no page has the number 0.
fn is_empty(log: &File, at: u64) -> io::Result<bool> {
    let mut page = [0; 4];
    files::read_at(log, &mut page, at)?;
    Ok(page == [0; 4])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of so many frames.
    fn bytes(frames: u64) -> u64 {
        HEAD_BYTES + frames * FRAME_BYTES
    }

    fn append(path: &Path, frames: u64) -> u64 {
        let log = OpenOptions::new().create(true).truncate(false).write(true).open(path).unwrap();
        let end = log.metadata().unwrap().len().max(HEAD_BYTES);
        let frames = usize::try_from(frames * FRAME_BYTES).unwrap();
        files::write_at(&log, &vec![7; frames], end).unwrap();
        log.metadata().unwrap().len()
    }

    #[test]
    fn a_log_that_grows_is_given_room_and_one_that_has_room_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(files::LOG);
        let size = || fs::metadata(&path).unwrap().len();
        let (one, other) = (Room::of(folder.path()), Room::of(folder.path()));
        append(&path, 4);
        // Who commits once makes none.
        one.make().unwrap();
        assert_eq!(size(), bytes(4));
        append(&path, 4);
        one.make().unwrap();
        assert_eq!(size(), bytes(8 + 16));
        one.make().unwrap();
        // Another process sees it grow, and that there is room.
        other.end.set(Some(bytes(8)));
        other.make().unwrap();
        other.make().unwrap();
        assert_eq!(size(), bytes(24));
        // The commits have come to the end.
        append(&path, 300);
        one.make().unwrap();
        assert_eq!(size(), bytes(324 + 128));
        append(&path, ENOUGH_FRAMES);
        let long = size();
        one.make().unwrap();
        assert_eq!(size(), long);
    }

    #[test]
    fn a_log_that_ends_within_a_frame_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(files::LOG);
        let room = Room::of(folder.path());
        fs::write(&path, [7; 100]).unwrap();
        room.make().unwrap();
        fs::write(&path, [7; 5000]).unwrap();
        room.make().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 5000);
    }
}
