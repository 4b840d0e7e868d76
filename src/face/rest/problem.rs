//! Errors as `application/problem+json` (RFC 9457), with the error's own members beside.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::model::error::OpError;

/// A refusal on its way out.
pub(super) struct Problem(pub(super) OpError);

impl From<OpError> for Problem {
    fn from(error: OpError) -> Self {
        Self(error)
    }
}

/// The status of an error: docs of the operation contract, one line each.
pub(crate) fn status(error: &OpError) -> StatusCode {
    match error {
        OpError::InvalidArgument { .. } => StatusCode::BAD_REQUEST,
        OpError::Unauthenticated { .. } => StatusCode::UNAUTHORIZED,
        OpError::PermissionDenied { .. } => StatusCode::FORBIDDEN,
        OpError::NotFound { .. } => StatusCode::NOT_FOUND,
        OpError::AlreadyExists { .. } => StatusCode::CONFLICT,
        OpError::LogTruncated { .. } => StatusCode::GONE,
        OpError::VersionMismatch { .. } => StatusCode::PRECONDITION_FAILED,
        OpError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        OpError::IdempotencyMismatch { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        OpError::Overloaded { .. } | OpError::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
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
