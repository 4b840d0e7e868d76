//! `/v1/i/{instance}/stm`: the whole key map, as `{name: {value, attributes, updatedAt}}`, with its state as ETag.

use std::collections::BTreeMap;

use axum::{
    Json,
    body::Body,
    extract::Path,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};

use super::{problem::Problem, seed::Asking, values};
use crate::{
    model::{
        error::{OpError, Reason},
        instance::InstanceRef,
        key::KeyType,
        legacy::{self, Booleans},
    },
    ops::keys::map::{self, Entry, Replace, Wanted},
};

/// The keys that the caller may read, in one state.
pub(super) async fn read(
    asking: Asking,
    Path(instance): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let instance = InstanceRef::parse(&instance)?;
    let (kernel, caller) = (std::sync::Arc::clone(&asking.seed.kernel), asking.caller);
    // A map may be large: it is read where it holds up nobody.
    let read = tokio::task::spawn_blocking(move || kernel.derive(&caller, &instance, map::read));
    let whole = read.await.map_err(|_| broken())??;
    let tag = tag(whole.as_of_seq);
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| values::names(known, &tag)) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, told(&tag))]).into_response());
    }
    let keys: Map<String, Value> = whole.keys.into_iter().map(|(name, entry)| (name, shown(entry))).collect();
    Ok(([(header::ETAG, told(&tag)), no_store()], Json(keys)).into_response())
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

fn told(tag: &str) -> HeaderValue {
    values::told(tag)
}

pub(super) fn no_store() -> (header::HeaderName, HeaderValue) {
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

/// A key as readers of every age know it: the tags, and what the booleans of the first ones make of them.
pub(super) fn shown(entry: Entry) -> Value {
    let Entry { key, value, updated_at } = entry;
    let mut attributes = json!({
        "type": key.key_type.name(), "contentTags": key.tags, "tags": key.tags,
        "systemTags": key.system_tags.names(), "zIndex": key.z_index,
    });
    if let Value::Object(members) = &mut attributes {
        members.extend(key.content_type.map(|given| ("contentType".to_owned(), given.into())));
        if let Value::Object(booleans) = json!(legacy::to_booleans(key.system_tags)) {
            members.extend(booleans);
        }
    }
    json!({"value": value, "attributes": attributes, "updatedAt": updated_at})
}

/// A key as it comes in. Members that nobody here knows are nothing.
#[derive(Debug, Deserialize)]
struct Sent {
    /// As it came: numbers keep their digits.
    value: Box<RawValue>,
    #[serde(default)]
    attributes: Attributes,
}

/// What is not said stays as it is.
#[derive(Debug, Default, Deserialize)]
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
                let rule = "the types are text, json, image and file";
                let known = legacy::key_type(word).ok_or_else(|| OpError::invalid(format!("{name}.type"), rule, word));
                known.map(|(key_type, told)| (Some(key_type), told.map(str::to_owned)))?
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
    let if_seq = values::precondition(&headers)?;
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
    let result = asking.seed.kernel.write_map(&asking.caller, &instance, map).await?.result;
    let seq = result.get("as_of_seq").and_then(Value::as_u64).unwrap_or_default();
    Ok(([(header::ETAG, told(&tag(seq)))], Json(result)).into_response())
}
