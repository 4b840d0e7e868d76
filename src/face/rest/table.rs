//! The routes of this face as a table: the router and the document that tells of it are made of the same lines, so that
//! there is no route of which the document is silent.

use std::collections::BTreeMap;

use axum::{
    Router,
    handler::Handler,
    http::Method,
    routing::{MethodFilter, any, on},
};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::ops::{
    self,
    bounds::IdempotencyKey,
    operation::{Answer, EffectClass, Entry, Listing},
};

/// What every route behind the checks may answer: who asks is not known, may not do it, or asks at too great a length; the
/// store cannot do it now.
const ALWAYS: [u16; 5] = [401, 403, 414, 431, 503];
/// What an operation may answer: any error that there is.
const OPERATION: [u16; 8] = [400, 404, 409, 410, 412, 413, 415, 422];

/// Routes over a state, and what is told of them.
pub(super) struct Table<S> {
    router: Router<S>,
    told: Vec<Told>,
}

/// What is told of one method of a path.
pub(super) struct Told {
    pub(super) method: Method,
    pub(super) path: String,
    /// What programs that are made of the document call it.
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) description: String,
    /// Beside those of the path.
    pub(super) parameters: Vec<Value>,
    pub(super) body: Option<Value>,
    pub(super) answers: BTreeMap<u16, Value>,
    /// Statuses of its refusals.
    pub(super) refusals: Vec<u16>,
    pub(super) proof: Proof,
}

/// What proves who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// A token, a key or the secret of a delegate.
    Any,
    /// The token of whoever runs the server.
    Admin,
    /// Nothing: it is for everybody.
    None,
}

impl<S: Clone + Send + Sync + 'static> Table<S> {
    pub(super) fn new() -> Self {
        Self { router: Router::new(), told: Vec::new() }
    }

    /// Adds a method of a path.
    pub(super) fn on<H, T: 'static>(mut self, method: Method, path: &str, handler: H, told: Told) -> Self
    where
        H: Handler<T, S>,
    {
        // A method that is none of the usual has no filter: there is none here.
        let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
        self.router = self.router.route(path, on(filter, handler));
        self.told.push(Told { method, path: path.to_owned(), ..told });
        self
    }

    /// Adds the path by which operations are called, which is told of once for each.
    pub(super) fn operations<H, T: 'static>(mut self, path: &str, parameter: &str, handler: H) -> Self
    where
        H: Handler<T, S>,
    {
        self.router = self.router.route(path, on(MethodFilter::POST, handler));
        let listed = ops::registry().iter().filter(|entry| entry.meta.listing != Listing::Internal);
        self.told.extend(listed.map(|entry| operation(entry, path.replace(parameter, entry.name))));
        self
    }

    /// Adds what answers where there is nothing, which is no route to tell of.
    pub(super) fn nothing_at<H, T: 'static>(mut self, path: &str, handler: H) -> Self
    where
        H: Handler<T, S>,
    {
        self.router = self.router.route(path, any(handler));
        self
    }

    /// The routes.
    pub(super) fn router(self, state: S) -> Router {
        self.router.with_state(state)
    }

    /// What is told of them.
    pub(super) fn told(self) -> Vec<Told> {
        self.told
    }
}

/// A route by its id and what it does.
pub(super) fn told(id: &'static str, summary: &'static str) -> Told {
    Told {
        method: Method::GET,
        path: String::new(),
        id,
        summary,
        description: String::new(),
        parameters: Vec::new(),
        body: None,
        answers: BTreeMap::new(),
        refusals: ALWAYS.to_vec(),
        proof: Proof::Any,
    }
}

fn operation(entry: &'static Entry, path: String) -> Told {
    let once = "The call is done once, however often it comes: repeat it with the same key, and the answer is that of the \
                first, without stored values";
    let result = Value::Object(Map::clone(&entry.output_schema()));
    let replayed = json!({"type": "object", "properties": {"replayed": {"const": true}}, "required": ["replayed"]});
    let told = told(entry.name, entry.meta.title).takes_schema(&arguments(&entry.input_schema())).may(&OPERATION);
    let told = match (&entry.answer, entry.meta.effect) {
        (Answer::Turn(_), EffectClass::Read) | (Answer::Procedure(_) | Answer::Search, _) => {
            told.gives_schema(200, &result)
        }
        (Answer::Turn(_) | Answer::Forward, _) => told
            .header("Idempotency-Key", &schema_of::<IdempotencyKey>(true), once)
            .gives_schema(200, &json!({"anyOf": [result, replayed]})),
    };
    Told { method: Method::POST, path, description: entry.description().to_owned(), ..told }
}

/// The schema of arguments as they are read: what may be left out may also be `null`.
fn arguments(schema: &Map<String, Value>) -> Value {
    let mut schema = schema.clone();
    let required = schema.get("required").cloned().unwrap_or_default();
    let names = required.as_array().map(Vec::as_slice).unwrap_or_default();
    if let Some(Value::Object(members)) = schema.get_mut("properties") {
        for (_, member) in members.iter_mut().filter(|(name, _)| !names.iter().any(|each| each == name.as_str())) {
            let Some(member) = member.as_object_mut() else { continue };
            if let Some(Value::Array(choices)) = member.get_mut("enum") {
                choices.push(Value::Null);
            }
            if let Some(kind) = member.get_mut("type").filter(|kind| kind.is_string()) {
                *kind = json!([kind, "null"]);
            }
        }
    }
    Value::Object(schema)
}

impl Told {
    /// It takes this as JSON.
    pub(super) fn takes<T: JsonSchema>(self) -> Self {
        self.takes_schema(&schema_of::<T>(true)).may(&[400, 413])
    }

    fn takes_schema(self, schema: &Value) -> Self {
        // What has no member that must be there may be left out whole; of a map it is not so.
        let is_map = schema.get("additionalProperties").is_some_and(Value::is_object);
        let names_some = schema.get("required").and_then(Value::as_array).is_some_and(|names| !names.is_empty());
        let is_required = is_map || names_some;
        let body = json!({"required": is_required, "content": {"application/json": {"schema": schema}}});
        Self { body: Some(body), ..self }
    }

    /// It takes a body of any type.
    pub(super) fn takes_anything(self) -> Self {
        Self { body: Some(json!({"required": true, "content": {"*/*": {"schema": {}}}})), ..self }.may(&[400, 413])
    }

    /// It answers this as JSON.
    pub(super) fn gives<T: JsonSchema>(self, status: u16) -> Self {
        self.gives_schema(status, &schema_of::<T>(false))
    }

    /// It answers JSON of this schema.
    pub(super) fn gives_schema(self, status: u16, schema: &Value) -> Self {
        self.answers(status, "Done", Some(("application/json", schema)))
    }

    /// It answers the result of an operation.
    pub(super) fn gives_result(self, status: u16, name: &str) -> Self {
        let schema = ops::find(name).map(|entry| Value::Object(Map::clone(&entry.output_schema())));
        self.gives_schema(status, &schema.unwrap_or_default())
    }

    /// It answers a body of some type, or none.
    pub(super) fn answers(mut self, status: u16, what: &str, body: Option<(&str, &Value)>) -> Self {
        let mut answer = json!({"description": what});
        if let (Some((kind, schema)), Some(members)) = (body, answer.as_object_mut()) {
            members.insert("content".into(), json!({kind: {"schema": schema}}));
        }
        self.answers.insert(status, answer);
        self
    }

    /// Its answers that are done carry a tag of the state.
    pub(super) fn tagged(mut self) -> Self {
        let header = json!({"ETag": {"description": "The state of it", "schema": {"type": "string"}}});
        for answer in self.answers.values_mut().filter_map(Value::as_object_mut) {
            answer.insert("headers".into(), header.clone());
        }
        self
    }

    /// It heeds this header.
    pub(super) fn header(self, name: &str, schema: &Value, what: &str) -> Self {
        self.parameter("header", name, schema, what)
    }

    /// It heeds this parameter of the query.
    pub(super) fn query(self, name: &str, schema: &Value, what: &str) -> Self {
        self.parameter("query", name, schema, what)
    }

    fn parameter(mut self, place: &str, name: &str, schema: &Value, what: &str) -> Self {
        self.parameters.push(json!({"name": name, "in": place, "description": what, "schema": schema}));
        self
    }

    /// It refuses with these statuses too.
    pub(super) fn may(mut self, refusals: &[u16]) -> Self {
        self.refusals.extend(refusals);
        self
    }

    /// It is for everybody.
    pub(super) fn for_everybody(self) -> Self {
        Self { proof: Proof::None, refusals: vec![403, 414, 431], ..self }
    }

    /// It asks for the token of whoever runs the server.
    pub(super) fn for_admin(self) -> Self {
        Self { proof: Proof::Admin, ..self }
    }
}

/// The schema of a type, as it is read or as it is written.
pub(super) fn schema_of<T: JsonSchema>(is_read: bool) -> Value {
    let settings = SchemaSettings::draft2020_12();
    let mut settings = if is_read { settings.for_deserialize() } else { settings.for_serialize() };
    settings.inline_subschemas = true;
    settings.meta_schema = None;
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    if let Some(members) = schema.as_object_mut() {
        members.remove("title");
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The one difference between the document and the registry: it holds for every argument.
    #[test]
    fn arguments_that_may_be_left_out_may_be_null() {
        let mut not_so = Vec::new();
        for entry in ops::registry() {
            let schema = entry.input_schema();
            let required = schema.get("required").cloned().unwrap_or_default();
            for name in schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::keys) {
                if required.as_array().is_some_and(|names| names.contains(&json!(name))) {
                    continue;
                }
                let args = json!({name: null});
                let refused = match &entry.answer {
                    Answer::Turn(parse) => parse(args).err(),
                    Answer::Procedure(parse) => parse(args).err(),
                    Answer::Search => ops::operation::parse::<ops::catalog::Search>(args).err(),
                    Answer::Forward => ops::operation::parse::<ops::catalog::Forward>(args).err(),
                };
                let why = refused.map(|error| error.to_string()).unwrap_or_default();
                if !why.is_empty() && !why.contains("missing field") {
                    not_so.push(format!("{} {name}: {why}", entry.name));
                }
            }
        }
        assert_eq!(not_so, Vec::<String>::new());
    }
}
