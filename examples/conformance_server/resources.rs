//! The resources: a text, a picture, one to watch, and a template.

use rmcp::{
    ErrorData,
    model::{ReadResourceResponse, ReadResourceResult, Resource, ResourceContents, ResourceTemplate},
};
use serde_json::json;

use crate::media;

const TEXT: &str = "test://static-text";
const PICTURE: &str = "test://static-binary";
const WATCHED: &str = "test://watched-resource";

pub(crate) fn all() -> Vec<Resource> {
    vec![
        Resource::new(TEXT, "static-text").with_description("A text").with_mime_type("text/plain"),
        Resource::new(PICTURE, "static-binary").with_description("A picture").with_mime_type("image/png"),
        Resource::new(WATCHED, "watched-resource").with_description("One to subscribe to").with_mime_type("text/plain"),
    ]
}

pub(crate) fn template() -> ResourceTemplate {
    ResourceTemplate::new("test://template/{id}/data", "template")
        .with_description("What belongs to an id")
        .with_mime_type("application/json")
}

pub(crate) fn read(uri: String) -> Result<ReadResourceResponse, ErrorData> {
    let contents = match uri.as_str() {
        TEXT => ResourceContents::text("The same text at every reading.", uri),
        PICTURE => ResourceContents::blob(media::PNG, uri).with_mime_type("image/png"),
        WATCHED => ResourceContents::text("What a client may watch.", uri),
        _ => {
            let id = uri.strip_prefix("test://template/").and_then(|rest| rest.strip_suffix("/data"));
            let id = id.ok_or_else(|| absent(&uri))?;
            let data = json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")});
            ResourceContents::text(data.to_string(), uri).with_mime_type("application/json")
        }
    };
    Ok(ReadResourceResult::new(vec![contents]).into())
}

/// Refuses a URI that is not listed.
pub(crate) fn check(uri: &str) -> Result<(), ErrorData> {
    if all().iter().any(|resource| resource.uri == uri) { Ok(()) } else { Err(absent(uri)) }
}

fn absent(uri: &str) -> ErrorData {
    ErrorData::resource_not_found(format!("there is no resource {uri}"), Some(json!({"uri": uri})))
}
