//! What remembers: the seam between the kernel and a database. No SQL, no row ids above it.
//!
//! A store is synchronous, but for the wait for other processes; the kernel calls it on its own threads. SQLite is
//! its one implementation so far.

pub mod search;
pub mod sqlite;
pub mod upkeep;

use std::{
    io::{Read, Seek},
    pin::Pin,
};

use crate::model::{
    actor::Actor,
    error::OpError,
    instance::InstanceId,
    record::Done,
    value::{BlobRef, Content, Kept},
    view::{Access, Position, ReadView},
};

use search::Search;
use upkeep::{Duty, Holder, Upkeep};

/// All instances of one place.
pub trait Store: Send + Sync {
    /// The writer of an instance. Errors: `unavailable`; never makes what is missing.
    fn open(&self, id: &InstanceId) -> Result<Box<dyn Instance>, OpError>;
    /// A reader of an instance, independent of its writer.
    fn reader(&self, id: &InstanceId) -> Result<Box<dyn Reader>, OpError>;
    /// Makes an empty instance, whole or not at all. `false` when it was there already.
    fn create(&self, id: &InstanceId) -> Result<bool, OpError>;
    /// Makes `to` a copy of one state of `from`, with its log and its large values, whole or not at all. `access` is
    /// what may be done with the copy.
    fn copy(&self, from: &InstanceId, to: &InstanceId, access: Access) -> Result<(), OpError>;
    /// Puts large values of one instance into another as well, durable when this returns.
    fn share_blobs(&self, from: &InstanceId, to: &InstanceId, blobs: &[BlobRef]) -> Result<(), OpError>;
    /// Removes an instance and everything in it. Nothing may have it open.
    fn remove(&self, id: &InstanceId) -> Result<(), OpError>;
    /// A number that is another one after each commit to this instance, by any process: a hint, cheap to ask for.
    /// Nothing where there is none.
    fn hint(&self, id: &InstanceId) -> Option<u64>;
    /// Watches for commits of other processes.
    fn watch(&self) -> Result<Box<dyn Watch>, OpError>;
    /// Keeps a large value, durable when this returns.
    fn save_blob(&self, id: &InstanceId, content: &Content) -> Result<BlobRef, OpError>;
    /// Begins to keep a large value that comes in pieces.
    fn begin_blob(&self, id: &InstanceId) -> Result<Box<dyn BlobWriter>, OpError>;
    /// Opens a large value: its bytes stay readable although it is replaced meanwhile.
    fn open_blob(&self, id: &InstanceId, blob: &BlobRef) -> Result<Box<dyn BlobReader>, OpError>;
    /// Whether a large value that was kept is still there. Inside a turn nothing takes it away.
    fn has_blob(&self, id: &InstanceId, blob: &BlobRef) -> bool;
    /// Which process holds an instance for writing at this moment, where that can be known.
    fn holder(&self, id: &InstanceId) -> Option<Holder>;
    /// What keeps an instance well.
    fn upkeep(&self, id: &InstanceId) -> Result<Box<dyn Upkeep>, OpError>;
    /// The word index of an instance, made empty when there is none that can be used. Open it for the work and drop it.
    fn search(&self, id: &InstanceId) -> Result<Box<dyn Search>, OpError>;
    /// Whether there is a word index, of use or not.
    fn has_search(&self, id: &InstanceId) -> bool;
    /// Removes the word index. Errors: `unavailable` while it is in use.
    fn forget_search(&self, id: &InstanceId) -> Result<(), OpError>;
    /// Notes, durably, that an instance is to be scrubbed, until it is said to be done.
    fn note_scrub(&self, id: &InstanceId) -> Result<(), OpError>;
    /// What is noted now, to be given back when it is done.
    fn noted_scrubs(&self, id: &InstanceId) -> Result<Vec<String>, OpError>;
    /// Notes that what was noted is done. What was noted since stays.
    fn note_scrubbed(&self, noted: &[String]) -> Result<(), OpError>;
    /// The duties of the store; nothing while another process has them, or when there is no store yet.
    fn duty(&self) -> Result<Option<Box<dyn Duty>>, OpError>;
}

/// A large value on its way in. Dropped, it leaves nothing.
pub trait BlobWriter: Send {
    /// Takes the next piece.
    fn write(&mut self, piece: &[u8]) -> Result<(), OpError>;
    /// Makes it durable under its name. Again, when somebody has tidied it away before a record named it.
    fn finish(&mut self) -> Result<Kept, OpError>;
}

/// The bytes of a large value.
pub trait BlobReader: Read + Seek + Send {}

impl<T: Read + Seek + Send> BlobReader for T {}

/// Hints of what other processes have committed: a reason to look at a log, never the truth.
pub trait Watch: Send {
    /// Which of these instances may have moved since the last call, and where to, as far as that was said: an instance
    /// that another one shares its place with may be meant.
    fn moved(&mut self, watched: &[InstanceId]) -> Vec<Option<u64>>;
    /// Resolves when something may have moved. May be dropped and called again.
    fn stirred(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The one writer of an instance in this process.
pub trait Instance: Send {
    /// Runs turns in one transaction and makes them durable together. An error means that none of them
    /// happened. May be called again with the same turns after an error: they are pure.
    fn group(&mut self, turns: &mut dyn Turns) -> Result<Committed, OpError>;
}

/// The turns of one group, one after the other.
pub trait Turns {
    /// The next finished turn, computed on this state; `None` ends the group.
    fn next(&mut self, view: &dyn ReadView, position: Position) -> Option<Turn>;
    /// A turn that changed something comes back when its changes are in the transaction, with the seq of the first. It
    /// has happened when the group is committed.
    fn applied(&mut self, first: u64, turn: Turn) {
        drop((first, turn));
    }
}

/// What one turn changes, with what the log says of it.
#[derive(Debug)]
pub struct Turn {
    /// When it ran, in milliseconds.
    pub now_ms: i64,
    /// Through which operation.
    pub operation: &'static str,
    /// Who asked.
    pub actor: Actor,
    /// What it did; nothing for a refused turn or one that found nothing to do.
    pub done: Done,
}

/// What a group came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// The seq of the last change now.
    pub head: u64,
    /// How many changes it made.
    pub changes: u64,
}

/// Reads an instance, one consistent state at a time.
pub trait Reader: Send {
    /// Shows one state; what is read in `look` belongs together.
    fn read(&mut self, look: &mut dyn FnMut(&dyn ReadView)) -> Result<(), OpError>;
}
