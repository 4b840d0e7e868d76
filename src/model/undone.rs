//! Which turns an author has taken back, so that each `undo` takes back the one before.

use serde::{Deserialize, Serialize};

/// The turns, by the seq of their first change, oldest first; its id names the author.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undone {
    /// Each turn that was taken back.
    pub turns: Vec<u64>,
}
