//! `GET /openapi.json`: what the routes of this face are, as OpenAPI 3.1, made of their table, their types and the
//! registry. It tells nothing of what is stored, so it is for everybody.

use std::sync::LazyLock;

use axum::{
    Router,
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde_json::{Map, Value, json};

use super::{
    gzip, marks, seed_admin, seed_routes,
    table::{Proof, Table, Told, schema_of, told},
    values,
};
use crate::{
    face::http::{Health, Refusal},
    model::{digest::sha256, limits},
};

/// How many characters of its digest name a state of the document.
const TAG_CHARACTERS: usize = 16;

/// The document and its tag.
static SERVED: LazyLock<(String, String)> = LazyLock::new(|| {
    let text = document().to_string();
    let digest = sha256(&text);
    let tag = format!("\"{}\"", digest.get(..TAG_CHARACTERS).unwrap_or(&digest));
    (text, tag)
});

/// The route, for everybody.
pub(super) fn routes() -> Table<()> {
    let document = json!({"type": "object"});
    Table::new().on(
        Method::GET,
        "/openapi.json",
        serve,
        told("getOpenapi", "This document")
            .gives_schema(200, &document)
            .answers(304, "It is still so", None)
            .tagged()
            .for_everybody(),
    )
}

/// The same as a router.
pub fn open() -> Router {
    gzip::over(routes().router(()))
}

async fn serve(headers: HeaderMap) -> Response {
    let (text, tag) = &*SERVED;
    let common = [(header::ETAG, marks::told(tag)), (header::CACHE_CONTROL, marks::told("no-cache"))];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| marks::names(known, tag)) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    (common, [(header::CONTENT_TYPE, "application/json")], text.as_str()).into_response()
}

/// The document.
pub(super) fn document() -> Value {
    let health = told("getHealth", "Whether the server answers").gives::<Health>(200).for_everybody();
    let health = Told { path: "/health".to_owned(), ..health };
    let tables =
        [super::routes().told(), values::routes().told(), seed_routes::routes().told(), seed_admin::routes().told()];
    let mut paths: Map<String, Value> = Map::new();
    for told in [health].into_iter().chain(routes().told()).chain(tables.into_iter().flatten()) {
        let path = paths.entry(told.path.clone()).or_insert_with(|| match in_path(&told.path) {
            none if none.is_empty() => json!({}),
            some => json!({"parameters": some}),
        });
        if let Some(methods) = path.as_object_mut() {
            methods.insert(told.method.as_str().to_ascii_lowercase(), method(told));
        }
    }
    paths.sort_keys();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "mindcache",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Shared, live, durable working memory for AI agents: values, operations, changes, and the people \
                            and rights of a server. Errors are `application/problem+json`.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"delegate": []}],
        "paths": paths,
        "components": {
            "schemas": {"Problem": schema_of::<Refusal>(false)},
            "responses": {"refused": {
                "description": "Refused: nothing was changed",
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }},
            "securitySchemes": {
                "bearer": {
                    "type": "http", "scheme": "bearer",
                    "description": "An API key (`mc_live_…`), a JWT of an issuer that the server knows, or the token of the data folder",
                },
                "delegate": {
                    "type": "apiKey", "in": "header", "name": "Authorization",
                    "description": "`ApiKey ID:SECRET` of a delegate",
                },
                "admin": {
                    "type": "apiKey", "in": "header", "name": "X-Admin-Token",
                    "description": "The `ADMIN_TOKEN` with which the server was started",
                },
            },
        },
    })
}

/// The parameters that a path has between braces.
fn in_path(path: &str) -> Vec<Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameters = names.map(|name| {
        let (what, most) = match name {
            "id" if path.starts_with("/api/instances/") => ("An instance, by id", limits::INSTANCE_NAME_CHARACTERS),
            "instance" => ("An instance, by id or by name", limits::INSTANCE_NAME_CHARACTERS),
            "key" => ("The name of a key, percent-encoded", limits::KEY_NAME_CHARACTERS),
            "project" => ("A project, by id or by name", limits::ACCESS_CHARACTERS),
            "member" => ("A member as the list shows it", limits::ACCESS_CHARACTERS),
            _ => ("An id as the lists show it", limits::ACCESS_CHARACTERS),
        };
        let schema = json!({"type": "string", "minLength": 1, "maxLength": most});
        json!({"name": name, "in": "path", "required": true, "description": what, "schema": schema})
    });
    parameters.collect()
}

fn method(told: Told) -> Value {
    let mut answers: Map<String, Value> =
        told.answers.into_iter().map(|(status, answer)| (status.to_string(), answer)).collect();
    let mut refusals = told.refusals;
    if told.path.contains('{') || !told.parameters.is_empty() {
        refusals.push(400);
    }
    if told.path.contains('{') {
        refusals.push(404);
    }
    let refused = json!({"$ref": "#/components/responses/refused"});
    answers.extend(refusals.into_iter().map(|status| (status.to_string(), refused.clone())));
    answers.sort_keys();
    let mut method = json!({"operationId": told.id, "summary": told.summary, "tags": [tag(&told.path)]});
    if let Some(members) = method.as_object_mut() {
        let text = Some(told.description).filter(|text| !text.is_empty()).map(Value::from);
        let parameters = Some(told.parameters).filter(|list| !list.is_empty()).map(Value::from);
        let security = match told.proof {
            Proof::Any => None,
            Proof::Admin => Some(json!([{"admin": []}])),
            Proof::None => Some(json!([])),
        };
        let parts =
            [("description", text), ("parameters", parameters), ("requestBody", told.body), ("security", security)];
        members.extend(parts.into_iter().filter_map(|(name, part)| Some((name.to_owned(), part?))));
        members.insert("responses".into(), Value::Object(answers));
    }
    method
}

/// What a path is about.
fn tag(path: &str) -> &str {
    let mut parts = path.split('/').skip(1);
    match parts.next() {
        Some("api") => parts.next().unwrap_or_default(),
        Some("v1") => match parts.next() {
            Some("i") => parts.nth(1).unwrap_or_default(),
            _ => "export",
        },
        _ => "server",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `schemas/openapi.json` is generated from the routes and types: `UPDATE_EXPECT=1 cargo test` writes it anew.
    #[test]
    fn the_published_document_is_that_of_the_routes() {
        expect_test::expect_file!["../../../schemas/openapi.json"].assert_eq(&format!("{:#}\n", document()));
    }

    #[test]
    fn the_ids_of_routes_are_told_once() {
        let document = document();
        let methods =
            document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
        let mut ids: Vec<_> = methods.filter_map(|method| method.get("operationId")?.as_str()).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count);
        assert!(count > 100, "{count}");
    }
}
