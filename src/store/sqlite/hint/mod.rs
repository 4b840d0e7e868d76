//! The hint file of a store: which instances have moved, told to other processes without a daemon.
//!
//! 4,096 slots of 8 bytes. After each commit the writer puts the new seq into the slot of its instance; a process
//! with listeners reads the file and looks at the logs whose slot moved. A torn, lost or colliding slot costs a late
//! or needless look; the truth is the log. (Watching the WAL is unsound: it changes before the commit is visible.)

mod stir;

use std::{fs::File, io, ops::Range, path::Path, pin::Pin};

use self::stir::Stir;
use super::files;
use crate::{model::instance::InstanceId, store::Watch};

const FILE: &str = "hint";
const SLOTS: usize = 4096;
const SLOT_BYTES: usize = 8;

/// The hint file, open.
#[derive(Debug)]
pub(super) struct Hint(File);

impl Hint {
    /// Opens the file of a store, making it if need be.
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        let path = root.join(FILE);
        let file = files::shared_file(&path)?;
        if file.metadata()?.len() != (SLOTS * SLOT_BYTES) as u64 {
            file.set_len((SLOTS * SLOT_BYTES) as u64)?;
        }
        Ok(Self(file))
    }

    /// What was last said of a slot.
    pub(super) fn said(&self, slot: usize) -> io::Result<u64> {
        let mut bytes = [0; SLOT_BYTES];
        files::read_at(&self.0, &mut bytes, (slot * SLOT_BYTES) as u64)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Says that an instance has moved.
    pub(super) fn note(&self, slot: usize, head: u64) -> io::Result<()> {
        files::write_at(&self.0, &head.to_le_bytes(), (slot * SLOT_BYTES) as u64)
    }
}

/// The slot of an instance: the same in every process and version, so not std's hash.
pub(super) fn slot_of(id: &InstanceId) -> usize {
    let hash = id.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3) // FNV-1a
    });
    usize::try_from(hash % SLOTS as u64).unwrap_or_default()
}

/// What is said of an instance of which nothing is known: no head is there.
const NOWHERE: u64 = u64::MAX;
/// Up to so many slots are read one by one: the whole file costs as much as a few dozen.
const ONE_BY_ONE: usize = 32;

/// What a watcher saw last.
pub(super) struct HintWatch {
    hint: Hint,
    seen: Vec<u8>,
    now: Vec<u8>,
    stir: Stir,
}

impl HintWatch {
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        let (seen, now) = (vec![0; SLOTS * SLOT_BYTES], vec![0; SLOTS * SLOT_BYTES]);
        let hint = Hint::open(root)?;
        // Listened to before the first look, so that nothing falls between.
        let mut watch = Self { hint, seen, now, stir: Stir::of(&root.join(FILE)) };
        files::read_at(&watch.hint.0, &mut watch.seen, 0)?;
        Ok(watch)
    }

    /// Brings the slots of these instances up to date.
    fn read(&mut self, slots: &[Range<usize>]) -> io::Result<()> {
        if slots.len() > ONE_BY_ONE {
            return files::read_at(&self.hint.0, &mut self.now, 0);
        }
        for slot in slots {
            if let Some(bytes) = self.now.get_mut(slot.clone()) {
                files::read_at(&self.hint.0, bytes, slot.start as u64)?;
            }
        }
        Ok(())
    }
}

impl Watch for HintWatch {
    fn moved(&mut self, watched: &[InstanceId]) -> Vec<Option<u64>> {
        let start = |id| slot_of(id) * SLOT_BYTES;
        let slots: Vec<Range<usize>> = watched.iter().map(|id| start(id)..start(id) + SLOT_BYTES).collect();
        if let Err(error) = self.read(&slots) {
            tracing::debug!(%error, "cannot read the hint file");
            return vec![Some(NOWHERE); watched.len()];
        }
        let moved = |slot: &Range<usize>| {
            let now = self.now.get(slot.clone()).filter(|now| self.seen.get(slot.clone()) != Some(now))?;
            Some(now.try_into().map_or(NOWHERE, u64::from_le_bytes))
        };
        let moved = slots.iter().map(moved).collect();
        for slot in slots {
            if let (Some(seen), Some(now)) = (self.seen.get_mut(slot.clone()), self.now.get(slot)) {
                seen.copy_from_slice(now);
            }
        }
        moved
    }

    fn stirred(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.stir.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_watcher_sees_what_moved_since_it_looked() {
        let folder = tempfile::tempdir().unwrap();
        let ids = [1, 2].map(|n| InstanceId::from_uuid(Uuid::from_u128(n)));
        let writer = Hint::open(folder.path()).unwrap();
        writer.note(slot_of(&ids[0]), 1).unwrap();
        let mut watch = HintWatch::open(folder.path()).unwrap();
        assert_eq!(watch.moved(&ids), [None, None]);
        writer.note(slot_of(&ids[1]), 7).unwrap();
        assert_eq!(watch.moved(&ids), [None, Some(7)]);
        assert_eq!(watch.moved(&ids), [None, None]);
    }

    #[test]
    fn the_slot_is_the_same_in_every_version() {
        assert_eq!(slot_of(&InstanceId::catalog()), 1893);
    }
}
