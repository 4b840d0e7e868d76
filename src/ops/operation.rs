//! What an operation is: typed input, typed output, applied in one turn, pure. Time, chance and the actor
//! come in its context. Faces, CLI and tests reach it by name through its [`Entry`].

use std::sync::{Arc, OnceLock};

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::model::{
    actor::Actor,
    error::OpError,
    instance::InstanceId,
    key::Key,
    permission::{self, Action, Mode, Principal},
};

use super::{
    bounds::IdempotencyKey,
    procedure::{self, Procedure},
    schema,
    tx::Tx,
};

/// Where an operation is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// A tool of its own wherever the mode allows it.
    Tool,
    /// Found by `op_search`, called by `op_call` and the CLI.
    Search,
    /// The kernel's own; no face lists or calls it.
    Internal,
}

/// Which instance an operation works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The one that the caller names.
    Instance,
    /// The catalog.
    Catalog,
}

/// What an operation does to the instance, for annotations and queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EffectClass {
    /// Nothing: it never waits behind a writer.
    Read,
    /// It makes something new.
    Create,
    /// It changes something.
    Update,
    /// It removes something.
    Delete,
}

/// The facts of an operation beside its name and its types.
#[derive(Debug)]
pub struct OpMeta {
    /// Title for people.
    pub title: &'static str,
    /// The capability that it belongs to.
    pub toolset: &'static str,
    /// Where it is offered.
    pub listing: Listing,
    /// Which instance it works on.
    pub target: Target,
    /// The column of the mode table that it needs at least; finer checks are made on the key itself.
    pub action: Action,
    /// What it does.
    pub effect: EffectClass,
    /// Doing it twice is the same as doing it once.
    pub idempotent: bool,
    /// It may wait for a change.
    pub waits: bool,
    /// The changes that it leaves in the log, as `kind.change`.
    pub events: &'static [&'static str],
}

/// What a turn is told from outside.
#[derive(Debug, Clone)]
pub struct Cx {
    /// The time of the turn, in milliseconds since 1970; never before that of an earlier turn.
    pub now_ms: i64,
    /// How much the caller may do.
    pub mode: Mode,
    /// Only a key that exists is written.
    pub existing_only: bool,
    /// Who calls.
    pub principal: Principal,
    /// The author for the log.
    pub actor: Actor,
    /// The operation for the log; nothing for who only reads.
    pub operation: &'static str,
    /// For an operation that waits: since when, and whether its time is up.
    pub wait: Wait,
    /// The zone of `$date` and `$time` in templates.
    pub zone: TimeZone,
    /// A fresh random id, for operations that make an instance.
    pub fresh_id: Option<InstanceId>,
    /// Chance, for operations that make other ids and secrets. The same when the turn is run again.
    pub chance: Option<[u8; 96]>,
}

impl Cx {
    /// Asks the mode table about one key.
    pub fn check(&self, action: Action, name: &str, key: &Key) -> Result<(), OpError> {
        permission::check(self.mode, action, name, key)
    }
}

/// How far a waiting call has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wait {
    /// How far it has looked; nothing on its first run.
    pub since: Option<u64>,
    /// The time is up: answer now.
    pub timed_out: bool,
}

/// What one run of an operation came to.
#[derive(Debug)]
pub enum Step<T> {
    /// It is done.
    Done(T),
    /// Nothing yet: run it again after the next change, or when `wait_ms` have passed since the call.
    Park {
        /// How long the call may take in all.
        wait_ms: u64,
        /// How far it has looked: it goes on from there.
        seen: u64,
    },
}

/// Records that an operation will read, so that a store across a network can fetch them in one query.
#[derive(Debug, Default)]
pub struct ReadSet {
    /// Kind and id of each.
    pub records: Vec<(&'static str, String)>,
}

/// One thing that can be done to an instance.
pub trait Operation: DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// Its name on every face. This is the only place that writes it.
    const NAME: &'static str;
    /// Its other facts.
    const META: OpMeta;
    /// Its result.
    type Out: Serialize + JsonSchema + Report;

    /// What it will read. SQLite ignores it: a read there costs microseconds.
    fn plan(&self) -> ReadSet {
        ReadSet::default()
    }

    /// The key under which it is to be done once, for operations that take one themselves.
    fn idempotency_key(&self) -> Option<&IdempotencyKey> {
        None
    }

    /// Does it. Pure: the same view and context give the same outcome, and it may be run again.
    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Self::Out>, OpError>;
}

/// What a result says of itself.
pub trait Report {
    /// The first sentence for people and models: the outcome, before anything else.
    fn outcome(&self) -> String;

    /// A picture to show beside it: content type and base64.
    fn image(&self) -> Option<(String, String)> {
        None
    }
}

/// A result as faces get it.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The first sentence.
    pub outcome: String,
    /// The structured result, always an object.
    pub result: Value,
    /// A picture: content type and base64.
    pub image: Option<(String, String)>,
}

impl Reply {
    /// The reply of a result.
    pub fn of<T: Serialize + Report>(out: &T) -> Result<Self, OpError> {
        let result = serde_json::to_value(out)
            .map_err(|error| OpError::invalid("result", format!("the result is not JSON: {error}"), ""))?;
        Ok(Self { outcome: out.outcome(), image: out.image(), result })
    }
}

/// An operation with its arguments, its type forgotten.
pub trait Call: Send + Sync {
    /// Runs it.
    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Reply>, OpError>;

    /// The key under which it is to be done once.
    fn idempotency_key(&self) -> Option<&IdempotencyKey> {
        None
    }
}

impl<O: Operation> Call for O {
    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Reply>, OpError> {
        match Operation::apply(self, tx, cx)? {
            Step::Done(out) => Reply::of(&out).map(Step::Done),
            Step::Park { wait_ms, seen } => Ok(Step::Park { wait_ms, seen }),
        }
    }

    fn idempotency_key(&self) -> Option<&IdempotencyKey> {
        Operation::idempotency_key(self)
    }
}

/// Who answers a call.
pub enum Answer {
    /// The operation itself, in a turn.
    Turn(fn(Value) -> Result<Box<dyn Call>, OpError>),
    /// The kernel, in several steps: it works on more than one file.
    Procedure(fn(Value) -> Result<Procedure, OpError>),
    /// The kernel, by searching the registry.
    Search,
    /// The kernel, by calling the operation that the arguments name.
    Forward,
}

/// An operation in the registry.
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// Its other facts.
    pub meta: OpMeta,
    /// Who answers it.
    pub answer: Answer,
    input: fn() -> Map<String, Value>,
    output: fn() -> Map<String, Value>,
    /// The description and, without it, the schema of the arguments.
    described: OnceLock<(String, Arc<Map<String, Value>>)>,
    output_schema: OnceLock<Arc<Map<String, Value>>>,
}

impl Entry {
    /// The entry of an operation that is applied in a turn.
    pub fn of<O: Operation>() -> Self {
        Self::with::<O, O::Out>(O::NAME, O::META, Answer::Turn(|args| Ok(Box::new(parse::<O>(args)?))))
    }

    /// The entry of a procedure.
    pub fn procedure<P: procedure::Arguments>() -> Self {
        Self::with::<P, P::Out>(P::NAME, P::META, Answer::Procedure(|args| Ok(parse::<P>(args)?.into())))
    }

    /// The entry of a call that is answered from the registry.
    pub fn with<In: JsonSchema, Out: JsonSchema>(name: &'static str, meta: OpMeta, answer: Answer) -> Self {
        Self {
            name,
            meta,
            answer,
            input: schema::input::<In>,
            output: schema::output::<Out>,
            described: OnceLock::new(),
            output_schema: OnceLock::new(),
        }
    }

    /// What it is for, and how it fails: the first lines of its type's documentation.
    pub fn description(&self) -> &str {
        &self.described().0
    }

    /// Made once: a call must not pay for it.
    fn described(&self) -> &(String, Arc<Map<String, Value>>) {
        self.described.get_or_init(|| {
            let mut schema = (self.input)();
            let description = schema.shift_remove("description");
            (description.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned(), Arc::new(schema))
        })
    }

    /// The schema of its arguments: a flat object.
    pub fn input_schema(&self) -> Arc<Map<String, Value>> {
        Arc::clone(&self.described().1)
    }

    /// The schema of its result: an object.
    pub fn output_schema(&self) -> Arc<Map<String, Value>> {
        Arc::clone(self.output_schema.get_or_init(|| Arc::new((self.output)())))
    }

    /// Whether it can be part of a batch: not when it is one, looks back at whole turns, or reads what is stored and
    /// not what the batch has done.
    pub fn in_batch(&self) -> bool {
        let by_itself = [
            super::batch::Batch::NAME,
            super::undo::Undo::NAME,
            super::log::LogRead::NAME,
            super::keys::browse::Browse::NAME,
            super::keys::facets::Facets::NAME,
            super::keys::prompt::SystemPrompt::NAME,
        ];
        !by_itself.contains(&self.name)
    }

    /// Whether the mode may call it at all.
    pub fn allowed(&self, mode: Mode) -> bool {
        self.meta.listing != Listing::Internal && permission::mode_allows(mode, self.meta.action)
    }
}

/// The first 300 characters.
fn shorten(text: &str) -> String {
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Reads arguments into an operation. Errors: `invalid_argument` with the path.
pub fn parse<T: DeserializeOwned>(args: Value) -> Result<T, OpError> {
    serde_path_to_error::deserialize(args).map_err(|error| {
        let path = match error.path().to_string() {
            path if path == "." => "arguments".to_owned(),
            path => path,
        };
        // The parser quotes what it met, however long.
        let text = error.into_inner().to_string();
        OpError::InvalidArgument { path: shorten(&path), rule: shorten(&text), got: String::new() }
    })
}

/// Roughly how much memory arguments or a result take.
pub fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weight).sum::<usize>() + 32 * items.len(),
        Value::Object(members) => members.iter().map(|(name, value)| name.len() + 64 + weight(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 32,
    }
}
