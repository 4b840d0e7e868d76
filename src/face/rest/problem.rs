//! Errors as `application/problem+json` (RFC 9457), with the error's own members beside.

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::{face::http::status, model::error::OpError};

/// A refusal on its way out.
pub(super) struct Problem(pub(super) OpError);

impl From<OpError> for Problem {
    fn from(error: OpError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = status(&self.0);
        let mut problem = json!({
            "type": "about:blank",
            "title": self.0.code(),
            "status": status.as_u16(),
            "detail": self.0.to_string(),
            "error": self.0.to_string(),
        });
        if let Value::Object(members) = &mut problem {
            members.extend(self.0.to_json().into_iter().filter(|(name, _)| name != "message"));
        }
        let kind = HeaderValue::from_static("application/problem+json");
        (status, [(header::CONTENT_TYPE, kind)], problem.to_string()).into_response()
    }
}
