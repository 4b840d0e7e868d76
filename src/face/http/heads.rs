//! What the head of a request may be: how long what it asks for and its headers are, and that its path is a text.

use axum::{extract::Request, http::StatusCode, response::Response};

use percent_encoding::percent_decode_str;

use super::refuse;
use crate::model::limits;

/// The refusal of a head that is longer than any of ours has to be, before anything looks into it.
pub(super) fn refusal(request: &Request) -> Option<Response> {
    let asked = request.uri().path_and_query().map_or(0, |asked| asked.as_str().len());
    if asked > limits::URL_BYTES {
        let text = format!("a path has at most {} bytes, with its query; this one has {asked}", limits::URL_BYTES);
        return Some(refuse(StatusCode::URI_TOO_LONG, &text));
    }
    if !is_text(request.uri().path()) {
        return Some(refuse(StatusCode::BAD_REQUEST, "a path is UTF-8, percent-encoded"));
    }
    let bytes: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    (bytes > limits::HEADERS_BYTES).then(|| {
        let text = format!("headers have at most {} bytes together; these have {bytes}", limits::HEADERS_BYTES);
        refuse(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, &text)
    })
}

/// Whether a path is a text as it is meant: a `%` that begins nothing would be one of what it names.
fn is_text(path: &str) -> bool {
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let is_whole = |part: &str| is_digit(part.as_bytes().first()) && is_digit(part.as_bytes().get(1));
    path.split('%').skip(1).all(is_whole) && percent_decode_str(path).decode_utf8().is_ok()
}
