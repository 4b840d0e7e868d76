//! A purge that is not finished: older rows of a key's log still hold values.

use serde::{Deserialize, Serialize};

/// How far it has come; its id is the key's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// The row of the log to go on with.
    pub next: u64,
}
