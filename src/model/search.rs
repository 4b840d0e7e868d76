//! What the word index and those who ask it share. How an index looks inside is the store's alone.

/// Where an index stands: the last change that it has taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stand {
    /// Its seq; 0 before the first.
    pub seq: u64,
    /// When that change was made: by it a log is told from another one that is as long.
    pub at: i64,
}

/// The words of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The record's id.
    pub id: String,
    /// The version that the words are from.
    pub version: u64,
    /// Words of its name.
    pub name: String,
    /// Words about it: its tags and its description.
    pub about: String,
    /// Words of its value.
    pub value: String,
}

/// What an index is to hold of a record from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// These words.
    Put(Document),
    /// Nothing.
    Gone(String),
}

/// A piece of the log as an index takes it in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Slice {
    /// What the index holds is of another log: it begins with nothing.
    pub anew: bool,
    /// What it is to hold.
    pub entries: Vec<Entry>,
    /// Where it stands then.
    pub stand: Stand,
}

/// A word that is looked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term {
    /// Letters and digits alone.
    pub word: String,
    /// Words that begin so are found too.
    pub is_prefix: bool,
}

/// A record that an index found. It may have changed since.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The record's id.
    pub id: String,
    /// The version whose words were found.
    pub version: u64,
    /// How well it matches: more is better.
    pub score: f64,
}
