//! `/v1/i/{instance}/stm`: the whole key map, as `{name: {value, attributes, updatedAt}}`, with its state as ETag.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    body::Body,
    extract::Path,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use super::{
    begin, marks,
    problem::Problem,
    seed::{Asking, Seed},
    table::{Table, told},
    values,
};
use crate::{
    model::{
        error::{OpError, Reason},
        instance::InstanceRef,
        key::KeyType,
        legacy::{self, Booleans},
        tags::SystemTags,
    },
    ops::keys::map::{self, Entry, Replace, Replaced, Wanted, Whole},
};

/// The keys that the caller may read, in one state.
pub(super) async fn read(
    asking: Asking,
    Path(instance): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let instance = InstanceRef::parse(&instance)?;
    let (kernel, caller) = (Arc::clone(&asking.seed.kernel), asking.caller);
    // A map may be large: it is read where it holds up nobody.
    let read = tokio::task::spawn_blocking(move || kernel.derive(&caller, &instance, map::read));
    let whole = read.await.map_err(|_| broken())??;
    let tag = tag(whole.as_of_seq);
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| marks::names(known, &tag)) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, marks::told(&tag))]).into_response());
    }
    Ok(([(header::ETAG, marks::told(&tag)), no_store()], Json(shown(whole))).into_response())
}

/// What is said of a map that was not read to its end.
pub(super) fn broken() -> OpError {
    OpError::Unavailable {
        reason: Reason::Stopped,
        what: "the key map was not read".into(),
        remedy: "try again".into(),
    }
}

fn tag(seq: u64) -> String {
    format!("\"{seq}\"")
}

pub(super) fn no_store() -> (header::HeaderName, HeaderValue) {
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

/// A key as readers of every age know it: the tags, and what the booleans of the first ones make of them.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shown {
    /// Text, JSON text, or base64 of an image or a file.
    value: String,
    attributes: ShownAttributes,
    /// In milliseconds since 1970.
    updated_at: i64,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "What it is, and what may be done with it")]
struct ShownAttributes {
    #[serde(rename = "type")]
    key_type: KeyType,
    content_tags: Vec<String>,
    tags: Vec<String>,
    system_tags: SystemTags,
    z_index: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(flatten)]
    booleans: Booleans,
}

impl From<Entry> for Shown {
    fn from(Entry { key, value, updated_at }: Entry) -> Self {
        let attributes = ShownAttributes {
            key_type: key.key_type,
            content_tags: key.tags.clone(),
            tags: key.tags,
            system_tags: key.system_tags,
            z_index: key.z_index,
            content_type: key.content_type,
            booleans: legacy::to_booleans(key.system_tags),
        };
        Self { value, attributes, updated_at }
    }
}

/// All keys, by name.
pub(super) type Keys = BTreeMap<String, Shown>;

/// A map as it is shown.
pub(super) fn shown(whole: Whole) -> Keys {
    whole.keys.into_iter().map(|(name, entry)| (name, entry.into())).collect()
}

/// The routes.
pub(super) fn routes(table: Table<Arc<Seed>>) -> Table<Arc<Seed>> {
    let read = told("readKeys", "All keys that the caller may read, in one state")
        .gives::<Keys>(200)
        .answers(304, "It is still the state of If-None-Match", None)
        .tagged()
        .may(&[413]);
    let write = told("writeKeys", "Make the keys that the caller may see exactly these, as one change")
        .takes::<BTreeMap<String, Sent>>()
        .gives::<Replaced>(200)
        .tagged()
        .may(&[412]);
    let path = "/v1/i/{instance}/stm";
    table.on(Method::GET, path, self::read, values::known(read)).on(
        Method::PUT,
        path,
        self::write,
        values::guarded(write),
    )
}

/// A key as it comes in. Members that nobody here knows are nothing.
#[derive(Debug, Deserialize, JsonSchema)]
struct Sent {
    /// As it came: numbers keep their digits.
    #[schemars(with = "Value")]
    value: Box<RawValue>,
    #[serde(default)]
    attributes: Attributes,
}

/// What is not said stays as it is.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
struct Attributes {
    #[serde(rename = "type")]
    key_type: Option<String>,
    content_type: Option<String>,
    content_tags: Option<Vec<String>>,
    tags: Option<Vec<String>>,
    system_tags: Option<Vec<String>>,
    z_index: Option<i64>,
    #[serde(flatten)]
    booleans: Booleans,
}

impl Sent {
    fn wanted(self, name: &str) -> Result<Wanted, OpError> {
        let Self { value, attributes } = self;
        let (key_type, content_type) = match attributes.key_type.as_deref() {
            None => (None, None),
            Some(word) => {
                let (key_type, told) = legacy::known_key_type(format!("{name}.type"), word)?;
                (Some(key_type), told.map(str::to_owned))
            }
        };
        let is_binary = key_type.is_some_and(KeyType::is_binary);
        let text: Option<String> = serde_json::from_str(value.get()).ok();
        let is_structured = text.is_none();
        let value = match text {
            // As a data URL or as it is.
            Some(text) if is_binary => match text.split_once(";base64,") {
                Some((_, data)) => data.to_owned(),
                None => text,
            },
            Some(text) => text,
            None => value.get().to_owned(),
        };
        Ok(Wanted {
            value,
            is_structured,
            key_type,
            content_type: attributes.content_type.or(content_type),
            tags: attributes.content_tags.or(attributes.tags),
            system_tags: attributes.system_tags.map(|words| legacy::system_tags(words.iter().map(String::as_str))),
            booleans: attributes.booleans,
            z_index: attributes.z_index,
        })
    }
}

/// Makes the keys exactly these, `If-Match` the ETag of the state that was read.
pub(super) async fn write(
    asking: Asking,
    Path(instance): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let instance = InstanceRef::parse(&instance)?;
    let if_seq = marks::precondition(&headers)?;
    let bytes = asking.bytes(body).await?;
    let sent: BTreeMap<String, Sent> = serde_json::from_slice(&bytes).map_err(|error| {
        let rule = format!("it is an object of keys, each with its value and attributes: {error}");
        OpError::invalid("body", rule, "")
    })?;
    drop(bytes);
    let keys = sent.into_iter().map(|(name, sent)| {
        let wanted = sent.wanted(&name)?;
        Ok((name, wanted))
    });
    let map = Replace { keys: keys.collect::<Result<_, OpError>>()?, if_seq };
    begin(&asking.seed.kernel, &asking.caller, &instance).await?;
    let result = asking.seed.kernel.write_map(&asking.caller, &instance, map).await?.result;
    let seq = result.get("as_of_seq").and_then(Value::as_u64).unwrap_or_default();
    Ok(([(header::ETAG, marks::told(&tag(seq)))], Json(result)).into_response())
}
