//! Errors as `application/problem+json` (RFC 9457), with the error's own members beside.

use axum::response::{IntoResponse, Response};

use crate::{
    face::http::{Refusal, status},
    model::error::OpError,
};

/// A refusal on its way out.
pub(super) struct Problem(pub(super) OpError);

impl From<OpError> for Problem {
    fn from(error: OpError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut more = self.0.to_json();
        more.retain(|name, _| name != "message" && name != "code");
        Refusal::new(status(&self.0), self.0.code(), self.0.to_string(), more).into_response()
    }
}
