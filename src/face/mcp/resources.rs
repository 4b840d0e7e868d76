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
use serde_json::{Map, Value};

use crate::{
    model::{error::OpError, tags::SystemTag},
    ops::{
        keys::{list::List, prompt::SystemPrompt, read::Read},
        operation::Operation,
    },
};

use super::server::{Bound, Server, stamp};

/// Unreserved characters stay as they are; everything else of a name is encoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The name of the resource that is the whole system prompt; no key can have it.
const PROMPT: &str = "$system_prompt";

/// A page of resources: the whole prompt, the keys of the prompt, then the others.
pub(super) async fn list(
    server: &Server,
    request: Option<PaginatedRequestParams>,
    context: &RequestContext<RoleServer>,
) -> Result<ListResourcesResult, ErrorData> {
    let mut args = Map::new();
    let cursor = request.and_then(|page| page.cursor);
    let is_first = cursor.is_none();
    if let Some(cursor) = cursor {
        args.insert("cursor".into(), cursor.into());
    }
    let (reply, bound) =
        server.execute(context, List::NAME, Value::Object(args)).await.map_err(|error| told(&error))?;
    let keys = reply.result.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut resources: Vec<(bool, Resource)> = keys.iter().filter_map(|key| resource(key, bound)).collect();
    resources.sort_by_key(|(in_prompt, _)| !in_prompt);
    let whole = is_first.then(|| prompt_resource(bound));
    let resources = resources.into_iter().map(|(_, resource)| resource);
    let mut result = ListResourcesResult::with_all_items(whole.into_iter().chain(resources).collect());
    result.next_cursor = reply.result.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
    result.meta = stamp(context);
    Ok(result)
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
#[derive(Debug, Clone, PartialEq, Eq)]
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

pub(super) fn absent(uri: &str) -> ErrorData {
    ErrorData::resource_not_found(format!("there is no resource {uri}: resources/list shows those that exist"), None)
}

/// An error where the protocol has no result that could carry it.
pub(super) fn told(error: &OpError) -> ErrorData {
    let data = Some(Value::Object(error.to_json()));
    match error {
        OpError::Unavailable { .. } | OpError::Overloaded { .. } => ErrorData::internal_error(error.to_string(), data),
        OpError::InvalidArgument { .. }
        | OpError::PermissionDenied { .. }
        | OpError::NotFound { .. }
        | OpError::AlreadyExists { .. }
        | OpError::VersionMismatch { .. }
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
