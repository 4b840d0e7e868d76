//! What keeps an instance well over time, beside its turns: trimming its log, collecting its files, and moving what
//! was committed from the WAL into the database. Each call is a slice: writers get their turn in between.

use crate::model::{error::OpError, instance::InstanceId};

/// How much of a log is kept. What is older goes, but for the last state of each record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Days; 0 is no bound.
    pub days: u32,
    /// Rows; 0 is no bound.
    pub rows: u64,
    /// Bytes of values; 0 is no bound.
    pub bytes: u64,
}

impl Default for Retention {
    /// Generous: an agent's memory is asked what it was, and what it was costs disk alone. A year answers "what did
    /// we know last spring"; a million rows of ordinary size are a few hundred megabytes; a gigabyte is what a
    /// program comes to that rewrites the largest inline value every minute for eleven days.
    fn default() -> Self {
        Self { days: 365, rows: 1_000_000, bytes: 1024 * 1024 * 1024 }
    }
}

/// The process that writes to an instance, as it said itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its id.
    pub pid: u32,
    /// Its program and command.
    pub program: String,
}

/// What keeps one instance well. Independent of its writer; open it for the work and drop it.
pub trait Upkeep: Send {
    /// Trims a slice of the log; answers whether there is more to trim.
    fn trim(&mut self, keep: &Retention, now_ms: i64) -> Result<bool, OpError>;
    /// Removes large values that neither a record nor the log names and that were last written before `before_ms`;
    /// answers how many.
    fn collect(&mut self, before_ms: i64) -> Result<u64, OpError>;
    /// Moves what was committed into the database file, as far as readers allow, without holding anybody up.
    fn settle(&mut self) -> Result<(), OpError>;
    /// The same to the end, leaving nothing in the WAL; `false` while somebody reads.
    fn empty_wal(&mut self) -> Result<bool, OpError>;
    /// When something was last committed, in milliseconds; nothing when the WAL is empty.
    fn wal_written_ms(&self) -> Option<i64>;
}

/// The right to do, for all processes, what one of them does. Given back when dropped.
pub trait Duty: Send + Sync {
    /// Removes folders that were left by creations and removals that did not end: those that nothing `is_wanted`,
    /// that are older than an hour and whose lock can be taken. Answers how many.
    fn sweep(&self, now_ms: i64, is_wanted: &dyn Fn(&InstanceId) -> Result<bool, OpError>) -> Result<u64, OpError>;
    /// Instances that are to be scrubbed; what a backup has left that did not end is removed at once.
    fn to_scrub(&self) -> Result<Vec<InstanceId>, OpError>;
}
