//! What an operation answered under an idempotency key, kept so that the same call again is answered and not done.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The kept answer; its id names who asked, the operation and the key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptReply {
    /// SHA-256 of the canonical arguments: the same key with others is a mistake of the caller.
    pub arguments: String,
    /// The first sentence of the answer.
    pub outcome: String,
    /// The structured answer, without stored values.
    pub result: Value,
}
