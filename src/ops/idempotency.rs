//! Idempotency keys: a call that a client repeats, because it does not know whether the first one came through, is
//! answered and not done again (draft-ietf-httpapi-idempotency-key-header).
//!
//! The scope is the principal and the operation. The answer is a record of the instance, kept for 24 hours in the same
//! transaction as what the call did, so that there is never the one without the other. Only what was done is kept: a
//! refusal may be tried again. Stored values in the answer are not kept with it.

use serde_json::{Map, Value};

use crate::model::{digest::sha256, error::OpError, limits, reply::KeptReply};

/// Members of answers that hold stored values.
const VALUES: [&str; 4] = ["value", "prompt", "snippet", "secret"];

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
        // The mode is part of it: what one may see the other may not.
        let scope = if cx.existing_only { "key" } else { cx.mode.name() };
        let id = format!("{}/{scope}/{}/{}", cx.principal.id, self.operation, self.key.as_str());
        if let Some(held) = tx.get::<KeptReply>(&id)? {
            if held.content.arguments != self.arguments {
                let (key, operation) = (self.key.as_str().to_owned(), self.operation.to_owned());
                return Err(OpError::IdempotencyMismatch { key, operation });
            }
            return Ok(Step::Done(replay(held.content)));
        }
        let step = self.call.apply(tx, cx)?;
        if let Step::Done(reply) = &step {
            let kept = kept(&self.arguments, reply);
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

/// What is kept holds no stored value: it would outlive a purge, and the right to read it.
fn kept(arguments: &str, reply: &Reply) -> KeptReply {
    let mut result = reply.result.clone();
    without_values(&mut result);
    if result.to_string().len() > limits::REPLY_BYTES {
        result = Value::Object(Map::new());
    }
    KeptReply { arguments: arguments.to_owned(), outcome: reply.outcome.clone(), result }
}

/// Takes out of an answer where stored values stand, and what a refused part of a batch was sent.
fn without_values(result: &mut Value) {
    match result {
        Value::Array(items) => items.iter_mut().for_each(without_values),
        Value::Object(members) => {
            if let Some(error) = without_quote(members) {
                *members = error;
                return;
            }
            members.retain(|name, _| !VALUES.contains(&name.as_str()));
            members.values_mut().for_each(without_values);
        }
        _ => {}
    }
}

/// The same refusal without a quotation of the argument, if it is one that quotes: no purge of a key would find it.
fn without_quote(error: &Map<String, Value>) -> Option<Map<String, Value>> {
    let text = |name| error.get(name).and_then(Value::as_str).map(str::to_owned);
    let quoting = OpError::InvalidArgument { path: text("path")?, rule: text("rule")?, got: text("got")? };
    (text("code")? == quoting.code()).then(|| quoting.without_quote().to_json())
}

/// SHA-256 of the arguments with their members in order, so that two spellings of one call are one.
fn fingerprint(args: &Value) -> String {
    sha256(sorted(args).to_string())
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
