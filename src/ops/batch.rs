//! `batch`: several operations in one turn, each seeing what those before it did.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::{Map, Value};

use crate::model::{
    error::OpError,
    kind, limits,
    permission::{self, Action},
    record::ChangeKind,
};

use super::{
    operation::{Answer, Call, Cx, EffectClass, Listing, OpMeta, Operation, Report, Step, Target, weight},
    schema,
    tx::Tx,
};

/// Do up to 100 operations as one change. mode all: all of them or none; each: those that succeed. Operations that
/// wait, or that make or remove instances, cannot be part of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// The operations, in order: {name, args}
    pub operations: Parts,
    /// all or each
    pub mode: BatchMode,
    /// Only tell what would happen
    #[serde(default)]
    pub dry_run: Option<bool>,
}

/// 1 to 100 operations.
#[derive(Debug)]
pub struct Parts(Vec<Part>);

impl<'de> Deserialize<'de> for Parts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parts = Vec::deserialize(deserializer)?;
        if (1..=limits::BATCH).contains(&parts.len()) {
            Ok(Self(parts))
        } else {
            Err(D::Error::custom(format!("a batch has 1 to {} operations, not {}", limits::BATCH, parts.len())))
        }
    }
}

impl JsonSchema for Parts {
    fn schema_name() -> Cow<'static, str> {
        "Parts".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let part = generator.subschema_for::<Part>();
        json_schema!({"type": "array", "minItems": 1, "maxItems": limits::BATCH, "items": part})
    }
}

/// One operation of a batch.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// Its arguments.
    #[serde(default)]
    #[schemars(schema_with = "crate::ops::schema::any_object")]
    pub args: Map<String, Value>,
}

/// What a refused part means for the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BatchMode {
    /// Nothing is done.
    All,
    /// The others are done.
    Each,
}

/// What became of each part.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Results {
    /// In the order of the operations: ok with the result, or not ok with the error.
    #[schemars(schema_with = "crate::ops::schema::objects")]
    pub results: Vec<Value>,
    /// Nothing was done: this is what would have happened.
    pub dry_run: bool,
    /// Of a dry run: what would have changed, as {kind, id, change}.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::ops::schema::objects")]
    pub changes: Option<Vec<WouldBe>>,
}

/// A change that a dry run would have made.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WouldBe {
    /// The kind of the record.
    pub kind: &'static str,
    /// Its id.
    pub id: String,
    /// What would have happened to it.
    pub change: ChangeKind,
}

impl Report for Results {
    fn outcome(&self) -> String {
        let done = self.results.iter().filter(|result| result.get("ok").is_some_and(|ok| *ok == true)).count();
        let all = self.results.len();
        let refused = if done < all { format!(", {} refused: see results", all - done) } else { String::new() };
        if self.dry_run {
            format!("DRY RUN, nothing was changed: {done} of {all} operations would be done{refused}.")
        } else {
            format!("{done} of {all} operations are done{refused}.")
        }
    }
}

impl Operation for Batch {
    const NAME: &'static str = "batch";
    const META: OpMeta = OpMeta {
        title: "Several operations at once",
        toolset: "core",
        listing: Listing::Search,
        target: Target::Instance,
        action: Action::Write,
        effect: EffectClass::Delete,
        idempotent: false,
        waits: false,
        events: &[],
    };
    type Out = Results;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Results>, OpError> {
        // Read before anything is done: a mistake in the last one costs nothing.
        let calls: Vec<Result<Box<dyn Call>, OpError>> =
            self.operations.0.iter().enumerate().map(|(index, part)| part.call(index, cx)).collect();
        let mut results = Vec::with_capacity(calls.len());
        let mut bytes = 0;
        for (part, call) in self.operations.0.iter().zip(calls) {
            match call.and_then(|call| tx.attempt(|tx| part.run(call.as_ref(), tx, cx))) {
                Ok(result) => {
                    check_large(tx.large_bytes())?;
                    bytes += weight(&result);
                    check_reply(bytes)?;
                    results.push(serde_json::json!({"ok": true, "result": result}));
                }
                Err(error) if self.mode == BatchMode::All => return Err(error),
                Err(error) => results.push(serde_json::json!({"ok": false, "error": error.to_json()})),
            }
        }
        let is_dry = self.dry_run.unwrap_or_default();
        let changes = is_dry.then(|| {
            // No log shows bookkeeping either.
            let effects = tx.discard().effects.into_iter().filter(|effect| !kind::is_internal(effect.kind));
            effects.map(|effect| WouldBe { kind: effect.kind, id: effect.id, change: effect.change }).collect()
        });
        Ok(Step::Done(Results { results, dry_run: is_dry, changes }))
    }
}

/// The results are held until the last operation is done, and are one reply.
fn check_reply(bytes: usize) -> Result<(), OpError> {
    if bytes <= limits::BATCH_REPLY_BYTES {
        return Ok(());
    }
    Err(OpError::TooLarge {
        what: "the results of the batch, as far as it came,".into(),
        got_bytes: bytes as u64,
        limit_bytes: limits::BATCH_REPLY_BYTES as u64,
        remedy: "Nothing was done: read large values by themselves, or in pieces".into(),
    })
}

/// What the operations write is held until the last one is done.
fn check_large(bytes: u64) -> Result<(), OpError> {
    if bytes <= limits::BATCH_LARGE_BYTES {
        return Ok(());
    }
    Err(OpError::TooLarge {
        what: "what the batch writes, as far as it came,".into(),
        got_bytes: bytes,
        limit_bytes: limits::BATCH_LARGE_BYTES,
        remedy: "Nothing was done: write large values by themselves".into(),
    })
}

impl Part {
    fn call(&self, index: usize, cx: &Cx) -> Result<Box<dyn Call>, OpError> {
        let refused = |rule: &str| Err(OpError::invalid(format!("operations[{index}].name"), rule, &self.name));
        let Some(entry) = super::find(&self.name).filter(|entry| entry.meta.listing != Listing::Internal) else {
            return refused("there is no such operation: op_search finds those that exist");
        };
        let Answer::Turn(parse) = &entry.answer else {
            return refused("this operation cannot be part of a batch: call it by itself");
        };
        if entry.meta.waits || entry.meta.target != Target::Instance || !entry.in_batch() {
            return refused("this operation cannot be part of a batch: call it by itself");
        }
        if !entry.allowed(cx.mode) {
            return Err(permission::refuse_operation(cx.mode, entry.meta.action, entry.name));
        }
        let call = parse(Value::Object(schema::lenient(self.args.clone(), &entry.input_schema())))
            .map_err(|error| within(index, error))?;
        if call.idempotency_key().is_some() {
            let rule = "a batch is done once as a whole: give the key to op_call, not to a part";
            return Err(OpError::invalid(format!("operations[{index}].args.idempotency_key"), rule, ""));
        }
        Ok(call)
    }

    fn run(&self, call: &dyn Call, tx: &mut Tx<'_>, cx: &Cx) -> Result<Value, OpError> {
        match call.apply(tx, cx)? {
            Step::Done(reply) => Ok(reply.result),
            Step::Park { .. } => Err(OpError::invalid("name", "an operation of a batch cannot wait", &self.name)),
        }
    }
}

/// The same error, telling whose argument it is about.
fn within(index: usize, error: OpError) -> OpError {
    match error {
        OpError::InvalidArgument { path, rule, got } => {
            OpError::InvalidArgument { path: format!("operations[{index}].args.{path}"), rule, got }
        }
        other => other,
    }
}
