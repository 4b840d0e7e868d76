//! What a refusal looks like on every route: a problem of RFC 9457, which still carries `error`.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

/// The body of a refusal.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::face) struct Refusal {
    /// `about:blank`: the code says what it is.
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    /// What happened, to what, and what to do.
    detail: String,
    /// The same, where the first MindCache has it.
    error: String,
    code: &'static str,
    /// What a program needs of this code.
    #[serde(flatten)]
    more: Map<String, Value>,
}

impl Refusal {
    /// A refusal of this status and code, with the members of the code.
    pub(in crate::face) fn new(status: StatusCode, code: &'static str, text: String, more: Map<String, Value>) -> Self {
        Self {
            kind: "about:blank",
            title: code,
            status: status.as_u16(),
            error: text.clone(),
            detail: text,
            code,
            more,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_string(&self).unwrap_or_default();
        (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response()
    }
}
