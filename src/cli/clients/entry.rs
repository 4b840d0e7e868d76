//! The entry of a client's config: made from a row's template, and read back by it.

use anyhow::Context as _;
use serde_json::{Map, Value};

use super::table::Client;

/// How the client reaches mindcache.
#[derive(Debug, Clone)]
pub(super) enum Wiring {
    /// It starts this program.
    Stdio {
        /// Absolute, or a name that the shared file's readers have in their PATH.
        command: String,
        args: Vec<String>,
    },
    /// It asks a server that runs.
    Http {
        url: String,
        /// The token itself, or none: the client takes it from `MINDCACHE_TOKEN`, for the file is shared.
        token: Option<String>,
    },
}

impl Wiring {
    /// The same to be shown: the token is not in it.
    pub(super) fn masked(&self) -> Self {
        match self {
            Self::Http { url, token: Some(_) } => Self::Http { url: url.clone(), token: Some("…".into()) },
            other => other.clone(),
        }
    }

    fn value(&self, placeholder: &str) -> Option<Value> {
        match (self, placeholder) {
            (Self::Stdio { command, .. }, "$command") => Some(command.as_str().into()),
            (Self::Stdio { args, .. }, "$args") => Some(args.clone().into()),
            (Self::Stdio { command, args }, "$line") => {
                Some([std::slice::from_ref(command), args.as_slice()].concat().into())
            }
            (Self::Http { url, .. }, "$url") => Some(url.as_str().into()),
            (Self::Http { token: Some(token), .. }, "$bearer") => Some(format!("Bearer {token}").into()),
            _ => None,
        }
    }
}

/// What is written.
#[derive(Debug)]
pub(super) struct Entry {
    /// The fields that are ours: they become exactly these.
    pub(super) fields: Map<String, Value>,
    /// Fields of a new entry besides.
    pub(super) defaults: Map<String, Value>,
    /// Fields of the other transport, which must not stay.
    pub(super) foreign: Vec<String>,
}

impl Entry {
    /// The entry of this client. Fails when the client cannot be reached so.
    pub(super) fn new(client: &Client, wiring: &Wiring) -> anyhow::Result<Self> {
        let chosen = match wiring {
            Wiring::Stdio { .. } => Some(client.stdio),
            Wiring::Http { token: Some(_), .. } => client.http,
            Wiring::Http { token: None, .. } => client.http_shared,
        };
        let chosen = template(chosen.with_context(|| format!("{} takes no such entry", client.title))?)?;
        let mut foreign = Vec::new();
        for other in templates(client) {
            let names = template(other)?.into_iter().map(|(name, _)| name);
            foreign.extend(names.filter(|name| !chosen.contains_key(name)));
        }
        let fields = chosen.into_iter().map(|(name, value)| (name, fill(value, wiring))).collect();
        Ok(Self { fields, defaults: template(client.defaults)?, foreign })
    }

    /// All fields of a new entry.
    pub(super) fn whole(&self) -> Map<String, Value> {
        self.fields.clone().into_iter().chain(self.defaults.clone()).collect()
    }
}

fn templates(client: &Client) -> impl Iterator<Item = &'static str> {
    [Some(client.stdio), client.http, client.http_shared].into_iter().flatten()
}

fn template(text: &str) -> anyhow::Result<Map<String, Value>> {
    serde_json::from_str(text).context("a template of the table of clients is no object")
}

fn fill(value: Value, wiring: &Wiring) -> Value {
    match value {
        Value::String(text) => wiring.value(&text).unwrap_or(Value::String(text)),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, fill(value, wiring))).collect::<Map<_, _>>().into()
        }
        other => other,
    }
}

/// What stands in an entry where a template has this placeholder.
pub(super) fn held<'e>(client: &Client, entry: &'e Value, placeholder: &str) -> Option<&'e Value> {
    templates(client).find_map(|text| at(&Value::Object(template(text).ok()?), entry, placeholder))
}

fn at<'e>(template: &Value, entry: &'e Value, placeholder: &str) -> Option<&'e Value> {
    match template {
        Value::String(text) if text == placeholder => Some(entry),
        Value::Object(fields) => fields.iter().find_map(|(name, inner)| at(inner, entry.get(name)?, placeholder)),
        _ => None,
    }
}
