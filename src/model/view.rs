//! The read view: one consistent state of one instance, as operations see it.

use std::ops::{Bound, Range};

use super::{
    error::OpError,
    index,
    record::{Change, IndexEntry, Record},
    value::BlobRef,
};

/// Where an instance stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// The seq of the last change; 0 when there was none.
    pub head: u64,
    /// The latest time that this instance has seen, in milliseconds: no later turn runs before it.
    pub clock_ms: i64,
    /// The seq of the oldest row that the log still holds whole; older ones are kept only where a key is still so.
    pub log_start: u64,
    /// What may be done with it.
    pub access: Access,
}

/// What may be done with an instance. Kept in the instance itself, so that no turn can miss a change of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// Read and write.
    #[default]
    Open,
    /// Only read.
    ReadOnly,
    /// Nothing: it is deleted, and can be undeleted for a while.
    Deleted,
}

impl Access {
    /// The number in the store.
    pub fn number(self) -> i64 {
        match self {
            Self::Open => 0,
            Self::ReadOnly => 1,
            Self::Deleted => 2,
        }
    }

    /// The access of a number; what a newer version wrote allows nothing.
    pub fn from_number(number: i64) -> Self {
        match number {
            0 => Self::Open,
            1 => Self::ReadOnly,
            _ => Self::Deleted,
        }
    }
}

/// A range of ids in byte order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdRange {
    /// Where it begins.
    pub lower: Bound<String>,
    /// Where it ends, exclusive; open when nothing.
    pub upper: Option<String>,
}

impl IdRange {
    /// All ids.
    pub fn all() -> Self {
        Self { lower: Bound::Unbounded, upper: None }
    }

    /// The ids that begin with `prefix` and come after `after`.
    pub fn page(prefix: &str, after: Option<&str>) -> Self {
        let lower = match after {
            Some(after) if after >= prefix => Bound::Excluded(after.to_owned()),
            _ if prefix.is_empty() => Bound::Unbounded,
            _ => Bound::Included(prefix.to_owned()),
        };
        let upper = if prefix.is_empty() { None } else { index::successor(prefix) };
        Self { lower, upper }
    }

    /// Whether the id lies in it.
    pub fn contains(&self, id: &str) -> bool {
        let above = match &self.lower {
            Bound::Included(lower) => id >= lower.as_str(),
            Bound::Excluded(lower) => id > lower.as_str(),
            Bound::Unbounded => true,
        };
        above && self.upper.as_ref().is_none_or(|upper| id < upper.as_str())
    }
}

/// A record found in an index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Under which key.
    pub key: Vec<u8>,
    /// The record's kind.
    pub kind: String,
    /// The record's id.
    pub id: String,
}

/// That a record was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    /// The seq of the change.
    pub seq: u64,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// The record's kind.
    pub kind: String,
    /// The record's id.
    pub id: String,
}

/// Which records of a kind a window is over, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Those that are under each of these index entries.
    pub under: Vec<IndexEntry>,
    /// Those whose id contains this text; the case of ASCII letters does not count.
    pub contains: Option<String>,
    /// Their order.
    pub order: Order,
}

/// The order of a window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// Byte order of the ids.
    #[default]
    Id,
    /// The one changed last comes first.
    Recent,
}

/// Some records by their rank.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Window {
    /// The records, in order.
    pub records: Vec<Record>,
    /// How many there are in all; dead ones that nobody has touched yet are among them.
    pub total: u64,
}

/// One consistent state of one instance. Every method fails only with `unavailable`.
pub trait ReadView {
    /// Where the instance stands.
    fn position(&self) -> Result<Position, OpError>;
    /// One record.
    fn record(&self, kind: &str, id: &str) -> Result<Option<Record>, OpError>;
    /// Records of a kind in byte order of their ids.
    fn records(&self, kind: &str, range: &IdRange, limit: usize) -> Result<Vec<Record>, OpError>;
    /// Records of a kind under exactly one key of an index, in byte order of their ids.
    fn index_records(&self, at: &IndexEntry, kind: &str, range: &IdRange, limit: usize)
    -> Result<Vec<Record>, OpError>;
    /// Entries of an index with `low <= key <= high`, in order of key, kind, id.
    fn index_range(&self, index: &str, low: &[u8], high: &[u8], limit: usize) -> Result<Vec<Found>, OpError>;
    /// The records from rank `start` on, and how many there are.
    fn window(&self, kind: &str, selection: &Selection, start: u64, limit: usize) -> Result<Window, OpError>;
    /// How many of the selected records come before an id in byte order, whatever the selection's own.
    fn rank(&self, kind: &str, selection: &Selection, id: &str) -> Result<u64, OpError>;
    /// The keys of a counted index with how many records of a kind are under each, most first.
    fn counts(&self, index: &str, kind: &str, limit: usize) -> Result<Vec<(Vec<u8>, u64)>, OpError>;
    /// How many records of a kind there are; dead ones that nobody has touched yet are among them.
    fn count(&self, kind: &str) -> Result<u64, OpError>;
    /// The seq of the last change of a record, also of one that is gone.
    fn last_change(&self, kind: &str, id: &str) -> Result<Option<u64>, OpError>;
    /// One row of the log.
    fn change(&self, seq: u64) -> Result<Option<Change>, OpError>;
    /// Rows of the log after `since`.
    fn changes(&self, since: u64, limit: usize) -> Result<Vec<Change>, OpError>;
    /// Which records were changed after `since`, in the order of the log, without what they became.
    fn touched(&self, since: u64, limit: usize) -> Result<Vec<Touched>, OpError>;
    /// Bytes of a large value.
    fn blob(&self, blob: &BlobRef, range: Range<u64>) -> Result<Vec<u8>, OpError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_continues_after_the_last_name() {
        let page = IdRange::page("ab", Some("abc"));
        assert!(!page.contains("abc") && page.contains("abd") && !page.contains("ac") && !page.contains("aa"));
        // A cursor from before the prefix does not widen the page.
        assert!(!IdRange::page("ab", Some("a")).contains("aa"));
        assert!(IdRange::page("", None).contains("\u{10ffff}"));
    }
}
