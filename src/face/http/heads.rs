//! How long the head of a request may be: what it asks for, and its headers.

use axum::{extract::Request, http::StatusCode, middleware::Next, response::Response};

use super::refuse;
use crate::model::limits;

/// Refuses a head that is longer than any of ours has to be, before anything looks into it.
pub(super) async fn check(request: Request, next: Next) -> Response {
    let asked = request.uri().path_and_query().map_or(0, |asked| asked.as_str().len());
    if asked > limits::URL_BYTES {
        let text = format!("a path has at most {} bytes, with its query; this one has {asked}", limits::URL_BYTES);
        return refuse(StatusCode::URI_TOO_LONG, &text);
    }
    let bytes: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > limits::HEADERS_BYTES {
        let text = format!("headers have at most {} bytes together; these have {bytes}", limits::HEADERS_BYTES);
        return refuse(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, &text);
    }
    next.run(request).await
}
