//! Idempotency keys: a call that a client repeats, because it does not know whether the first one came through, is
//! answered and not done again (draft-ietf-httpapi-idempotency-key-header).
//!
//! The scope is the principal and the operation. The answer is a record of the instance, kept for 24 hours in the same
//! transaction as what the call did, so that there is never the one without the other. Only what was done is kept: a
//! refusal may be tried again.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::model::{error::OpError, key::Key, limits, reply::KeptReply};

use super::{
    bounds::IdempotencyKey,
    operation::{Call, Cx, Reply, Step},
    tx::Tx,
};

/// A call that is done at most once.
pub struct Once {
    key: IdempotencyKey,
    operation: &'static str,
    arguments: String,
    call: Box<dyn Call>,
}

impl Once {
    /// The call of an operation with these arguments, under a key.
    pub fn new(key: IdempotencyKey, operation: &'static str, args: &Value, call: Box<dyn Call>) -> Self {
        Self { key, operation, arguments: fingerprint(args), call }
    }
}

impl Call for Once {
    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Reply>, OpError> {
        let id = format!("{}/{}/{}", cx.principal.id, self.operation, self.key.as_str());
        if let Some(held) = tx.get::<KeptReply>(&id)? {
            if held.content.arguments != self.arguments {
                let (key, operation) = (self.key.as_str().to_owned(), self.operation.to_owned());
                return Err(OpError::IdempotencyMismatch { key, operation });
            }
            return Ok(Step::Done(replay(held.content)));
        }
        let step = self.call.apply(tx, cx)?;
        if let Step::Done(reply) = &step {
            let kept = kept(&self.arguments, reply, tx);
            tx.put(&id, &kept, Some(cx.now_ms + limits::REPLY_MS))?;
        }
        Ok(step)
    }
}

fn replay(kept: KeptReply) -> Reply {
    let mut result = kept.result;
    if let Some(members) = result.as_object_mut() {
        members.insert("replayed".into(), true.into());
    }
    Reply { outcome: format!("Done before, and not again. {}", kept.outcome), result, image: None }
}

fn kept(arguments: &str, reply: &Reply, tx: &Tx<'_>) -> KeptReply {
    let is_small = reply.result.to_string().len() <= limits::REPLY_BYTES;
    let result = if is_small { reply.result.clone() } else { Value::Object(serde_json::Map::new()) };
    let shows = if has_values(&result) { tx.touched::<Key>().map(str::to_owned).collect() } else { Vec::new() };
    KeptReply { arguments: arguments.to_owned(), outcome: reply.outcome.clone(), result, shows }
}

/// Whether stored values can stand in an answer.
fn has_values(result: &Value) -> bool {
    match result {
        Value::Array(items) => items.iter().any(has_values),
        Value::Object(members) => {
            members.iter().any(|(name, value)| ["value", "prompt"].contains(&name.as_str()) || has_values(value))
        }
        _ => false,
    }
}

/// SHA-256 of the arguments with their members in order, so that two spellings of one call are one.
fn fingerprint(args: &Value) -> String {
    Sha256::digest(sorted(args).to_string()).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_unstable();
            names.into_iter().map(|name| (name.clone(), sorted(&members[name]))).collect()
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_of_members_does_not_matter_and_everything_else_does() {
        let one = fingerprint(&json!({"a": {"x": 1, "y": [1, 2]}, "b": "t"}));
        assert_eq!(one, fingerprint(&json!({"b": "t", "a": {"y": [1, 2], "x": 1}})));
        assert_ne!(one, fingerprint(&json!({"b": "t", "a": {"y": [2, 1], "x": 1}})));
        assert_ne!(fingerprint(&json!({"a": 1})), fingerprint(&json!({"a": "1"})));
    }
}
