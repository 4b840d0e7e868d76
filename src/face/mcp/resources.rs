//! Resources: every key that the mode may read is `mindcache://{instance}/{percent-encoded key}`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use rmcp::{
    ErrorData, RoleServer,
    model::{
        Annotations, ListResourceTemplatesResult, ListResourcesResult, PaginatedRequestParams,
        ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, Resource, ResourceContents,
        ResourceTemplate,
    },
    service::RequestContext,
};
use serde_json::{Map, Value, json};

use crate::{
    model::{error::OpError, limits, tags::SystemTag},
    ops::{
        keys::{
            list::{self, List},
            prompt::SystemPrompt,
            read::Read,
        },
        operation::Operation,
    },
};

use super::{
    connection::{Bound, Server},
    server::stamp,
};

/// Unreserved characters stay as they are; everything else of a name is encoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The name of the resource that is the whole system prompt; no key can have it.
const PROMPT: &str = "$system_prompt";

/// Where a list of resources goes on: with the keys of the prompt after this one, or with the others.
enum Cursor {
    Prompt(Option<String>),
    Others(Option<String>),
}

impl Cursor {
    fn parse(given: Option<String>) -> Option<Self> {
        let Some(given) = given else { return Some(Self::Prompt(None)) };
        if given.len() > limits::RESOURCES_CURSOR_BYTES {
            return None;
        }
        let (part, rest) = given.split_once('.')?;
        match part {
            "prompt" => Some(Self::Prompt(Some(percent_decode_str(rest).decode_utf8().ok()?.into_owned()))),
            "others" => Some(Self::Others((!rest.is_empty()).then(|| rest.to_owned()))),
            _ => None,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Prompt(after) => {
                format!("prompt.{}", utf8_percent_encode(after.as_deref().unwrap_or_default(), ENCODED))
            }
            Self::Others(cursor) => format!("others.{}", cursor.as_deref().unwrap_or_default()),
        }
    }
}

/// A page of resources: the whole prompt, the keys of the prompt by name, then the others by name.
pub(super) async fn list(
    server: &Server,
    request: Option<PaginatedRequestParams>,
    context: &RequestContext<RoleServer>,
) -> Result<ListResourcesResult, ErrorData> {
    let given = request.and_then(|page| page.cursor);
    let mut resources = Vec::new();
    if given.is_none() {
        resources.push(prompt_resource(server.bound(context).await.map_err(|error| told(&error))?));
    }
    let cursor = Cursor::parse(given);
    let mut cursor =
        cursor.ok_or_else(|| ErrorData::invalid_params("cursor is the nextCursor of another page", None))?;
    if let Cursor::Prompt(after) = &cursor {
        let (keys, next) = of_prompt(server, after.as_deref(), context).await.map_err(|error| told(&error))?;
        resources.extend(keys);
        cursor = next;
    }
    let next = match cursor {
        Cursor::Prompt(_) => Some(cursor),
        Cursor::Others(cursor) => {
            let (keys, next) = others(server, cursor, context).await.map_err(|error| told(&error))?;
            resources.extend(keys);
            next
        }
    };
    let mut result = ListResourcesResult::with_all_items(resources);
    result.next_cursor = next.map(|next| next.text());
    result.meta = stamp(context);
    Ok(result)
}

async fn of_prompt(
    server: &Server,
    after: Option<&str>,
    context: &RequestContext<RoleServer>,
) -> Result<(Vec<Resource>, Cursor), OpError> {
    let limit = limits::LIST_PAGE as usize;
    let mut keys = server.derive(context, |tx, _| list::of_prompt(tx, after, limit + 1)).await?;
    let is_last = keys.len() <= limit;
    keys.truncate(limit);
    let next = match keys.last() {
        Some(last) if !is_last => Cursor::Prompt(Some(last.key.clone())),
        _ => Cursor::Others(None),
    };
    let bound = server.bound(context).await?;
    let shown = keys.iter().filter_map(|key| serde_json::to_value(key).ok());
    Ok((shown.filter_map(|key| Some(resource(&key, bound)?.1)).collect(), next))
}

async fn others(
    server: &Server,
    cursor: Option<String>,
    context: &RequestContext<RoleServer>,
) -> Result<(Vec<Resource>, Option<Cursor>), OpError> {
    let args = cursor.map(|cursor| Map::from_iter([("cursor".to_owned(), cursor.into())])).unwrap_or_default();
    let (reply, bound) = server.execute(context, List::NAME, Value::Object(args)).await?;
    let keys = reply.result.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let listed = keys.iter().filter_map(|key| resource(key, bound));
    let resources = listed.filter(|(in_prompt, _)| !in_prompt).map(|(_, resource)| resource).collect();
    let next = reply.result.get("next_cursor").and_then(Value::as_str);
    Ok((resources, next.map(|next| Cursor::Others(Some(next.to_owned())))))
}

fn prompt_resource(bound: &Bound) -> Resource {
    Resource::new(format!("mindcache://{}/{PROMPT}", utf8_percent_encode(&bound.name, ENCODED)), PROMPT)
        .with_title("The system prompt")
        .with_description("Every SystemPrompt key, in order")
        .with_mime_type("text/plain")
        .with_annotations(Annotations::default().with_priority(1.0))
}

/// A key as a resource, and whether it is part of the prompt.
fn resource(key: &Value, bound: &Bound) -> Option<(bool, Resource)> {
    let name = key.get("key")?.as_str()?;
    let tags = key.get("system_tags")?.as_array()?;
    let in_prompt = tags.iter().any(|tag| tag == SystemTag::SystemPrompt.name());
    let mut resource = Resource::new(uri(&bound.name, name), name).with_mime_type(mime_type(key));
    if let Some(description) = key.get("description").and_then(Value::as_str) {
        resource = resource.with_description(description);
    }
    if in_prompt {
        resource = resource.with_annotations(Annotations::default().with_priority(1.0));
    }
    Some((in_prompt, resource))
}

fn mime_type(key: &Value) -> String {
    let given = key.get("content_type").and_then(Value::as_str);
    let of_type = if key.get("type").is_some_and(|kind| kind == "json") { "application/json" } else { "text/plain" };
    given.unwrap_or(of_type).to_owned()
}

/// The one template: any key, a long one in pieces.
pub(super) async fn templates(
    server: &Server,
    context: &RequestContext<RoleServer>,
) -> Result<ListResourceTemplatesResult, ErrorData> {
    let bound = server.bound(context).await.map_err(|error| told(&error))?;
    let template = format!("mindcache://{}/{{key}}{{?offset,limit}}", utf8_percent_encode(&bound.name, ENCODED));
    let template = ResourceTemplate::new(template, "key").with_title("A key").with_description(
        "The value of a key; offset and limit cut a piece, in characters (bytes for images and files)",
    );
    let mut result = ListResourceTemplatesResult::with_all_items(vec![template]);
    result.meta = stamp(context);
    Ok(result)
}

/// The value of a key.
pub(super) async fn read(
    server: &Server,
    request: ReadResourceRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<ReadResourceResponse, ErrorData> {
    check_uri(&request.uri)?;
    let bound = server.bound(context).await.map_err(|error| told(&error))?;
    let args = arguments(&request.uri, bound).ok_or_else(|| absent(&request.uri))?;
    if args.get("key").is_some_and(|key| key == PROMPT) {
        let (reply, _) = server
            .execute(context, SystemPrompt::NAME, Value::Object(Map::new()))
            .await
            .map_err(|error| told(&error))?;
        let prompt = reply.result.get("prompt").and_then(Value::as_str).unwrap_or_default();
        let contents = ResourceContents::text(prompt, request.uri.clone()).with_mime_type("text/plain");
        return Ok(ReadResourceResponse::Complete(uncached(contents, context)));
    }
    let (reply, _) = match server.execute(context, Read::NAME, Value::Object(args)).await {
        Err(OpError::NotFound { .. }) => return Err(absent(&request.uri)),
        other => other.map_err(|error| told(&error))?,
    };
    let value = reply.result.get("value").and_then(Value::as_str).unwrap_or_default();
    let is_binary = reply.result.get("type").is_some_and(|kind| kind == "image" || kind == "file");
    let mut contents = if is_binary {
        ResourceContents::blob(value, request.uri.clone())
    } else {
        ResourceContents::text(value, request.uri.clone())
    };
    contents = contents.with_mime_type(mime_type(&reply.result));
    if let Some(next) = reply.result.get("next_offset") {
        let mut meta = rmcp::model::MetaObject::new();
        meta.insert("mindcache/next_offset".into(), next.clone());
        contents = contents.with_meta(meta);
    }
    Ok(ReadResourceResponse::Complete(uncached(contents, context)))
}

fn uncached(contents: ResourceContents, context: &RequestContext<RoleServer>) -> ReadResourceResult {
    let mut result = ReadResourceResult::new(vec![contents]);
    result.meta = stamp(context);
    result
}

fn uri(instance: &str, key: &str) -> String {
    format!("mindcache://{}/{}", utf8_percent_encode(instance, ENCODED), utf8_percent_encode(key, ENCODED))
}

/// What a resource is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    /// The key of this name.
    Key(String),
    /// The whole system prompt.
    Prompt,
}

/// What a URI names; nothing when it is not one of this instance.
pub(super) fn subject(uri: &str, bound: &Bound) -> Option<Subject> {
    let args = arguments(uri, bound)?;
    let name = args.get("key")?.as_str()?;
    Some(if name == PROMPT { Subject::Prompt } else { Subject::Key(name.to_owned()) })
}

/// What a URI asks for; nothing when it is not one of this instance.
fn arguments(uri: &str, bound: &Bound) -> Option<Map<String, Value>> {
    let rest = uri.strip_prefix("mindcache://")?;
    let (instance, rest) = rest.split_once('/')?;
    let instance = percent_decode_str(instance).decode_utf8().ok()?;
    if instance != bound.name && instance != bound.id.as_str() {
        return None;
    }
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let key = percent_decode_str(path).decode_utf8().ok()?;
    let mut args = Map::from_iter([("key".to_owned(), Value::from(key.into_owned()))]);
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        if name == "offset" || name == "limit" {
            args.insert(name.to_owned(), value.parse::<u64>().ok()?.into());
        }
    }
    Some(args)
}

/// Refuses a URI that can be none of ours before it is repeated in an answer or kept.
pub(super) fn check_uri(uri: &str) -> Result<(), ErrorData> {
    if uri.len() <= limits::URI_BYTES {
        return Ok(());
    }
    let text = format!("a URI has at most {} bytes: resources/list shows those that exist", limits::URI_BYTES);
    Err(ErrorData::invalid_params(text, None))
}

pub(super) fn absent(uri: &str) -> ErrorData {
    let text = format!("there is no resource {uri}: resources/list shows those that exist");
    ErrorData::resource_not_found(text, Some(json!({"uri": uri})))
}

/// An error where the protocol has no result that could carry it.
pub(super) fn told(error: &OpError) -> ErrorData {
    let data = Some(Value::Object(error.to_json()));
    match error {
        OpError::Unavailable { .. } | OpError::Overloaded { .. } => ErrorData::internal_error(error.to_string(), data),
        OpError::InvalidArgument { .. }
        | OpError::PermissionDenied { .. }
        | OpError::Unauthenticated { .. }
        | OpError::NotFound { .. }
        | OpError::AlreadyExists { .. }
        | OpError::VersionMismatch { .. }
        | OpError::IdempotencyMismatch { .. }
        | OpError::LogTruncated { .. }
        | OpError::TooLarge { .. } => ErrorData::invalid_params(error.to_string(), data),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::instance::{InstanceId, InstanceRef};

    #[test]
    fn a_uri_leads_back_to_its_key() {
        let id = InstanceId::from_uuid(uuid::Uuid::from_u128(7));
        let bound = Bound { instance: InstanceRef::Id(id.clone()), id: id.clone(), name: "team notes".into() };
        for key in ["a", "a/b\\c?d=e&f#g", "clé 名", "%41", "..", "😀"] {
            for instance in [bound.name.as_str(), id.as_str()] {
                let args = arguments(&uri(instance, key), &bound).unwrap();
                assert_eq!(args["key"], key);
            }
        }
        assert_eq!(arguments("mindcache://team%20notes/a?offset=3&limit=4", &bound).unwrap()["offset"], 3);
        for foreign in [
            "mindcache://other/a",
            "file:///etc/passwd",
            "mindcache://team%20notes",
            "mindcache://team%20notes/a?offset=x",
        ] {
            assert!(arguments(foreign, &bound).is_none(), "{foreign}");
        }
    }
}
