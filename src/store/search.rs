//! The word index of an instance: a reader of its log, in a file of its own that can be made anew at any time. It is
//! never part of a write.

use std::time::Duration;

use crate::model::{
    error::OpError,
    search::{Hit, Slice, Stand, Term},
};

/// Reads what follows in the log: told where the index stands, and the version whose words it holds of a record.
pub type ReadOn<'r> = dyn FnMut(Stand, &dyn Fn(&str) -> Option<u64>) -> Result<Slice, OpError> + 'r;

/// The word index of one instance, open for one piece of work. Any of its methods fails with `unavailable` and
/// `damaged` when the file is not what it should be: then it is to be forgotten and made anew.
pub trait Search: Send {
    /// Where it stands.
    fn stand(&mut self) -> Result<Stand, OpError>;
    /// Takes in the next slice, in one transaction under the index's own write lock: several processes may do so at
    /// once. Answers where it stands then; nothing when another one held the lock for so long.
    fn take(&mut self, wait: Duration, read_on: &mut ReadOn<'_>) -> Result<Option<Stand>, OpError>;
    /// The records that have any of the words, best first.
    fn find(&mut self, terms: &[Term], skip: usize, limit: usize) -> Result<Vec<Hit>, OpError>;
    /// Whether words that were replaced or removed may still be in the file.
    fn has_remains(&mut self) -> Result<bool, OpError>;
    /// Size of the file in bytes: what it takes to scrub it.
    fn bytes(&mut self) -> Result<u64, OpError>;
    /// Takes what was replaced or removed out of the file; `false` while somebody reads.
    fn scrub(&mut self) -> Result<bool, OpError>;
}
