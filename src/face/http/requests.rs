//! Each request has an id, which its answer carries, and a line in the log: what was asked for by which route, by whom, and
//! what came of it. Nothing that somebody sent stands there but the id: no path, no query, no value, no proof.

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use tokio::time::Instant;
use uuid::Uuid;

/// The header of the id.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Most characters of an id that is taken from a request.
const ID_CHARACTERS: usize = 64;

/// Who was found to ask, for the log.
#[derive(Debug, Clone)]
pub(super) struct By(pub(super) String);

/// Gives the request its id, and notes what came of it.
pub(super) async fn note(mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = given(request.headers()).unwrap_or_else(|| Uuid::new_v4().simple().to_string());
    let header = HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static(""));
    request.headers_mut().insert(REQUEST_ID, header.clone());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    response.headers_mut().insert(REQUEST_ID, header);
    tracing::info!(
        method = known(method.as_str()),
        route = route.as_ref().map_or("", MatchedPath::as_str),
        status = response.status().as_u16(),
        duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        principal = response.extensions().get::<By>().map_or("", |by| by.0.as_str()),
        request = id,
        "request"
    );
    response
}

/// The id that a client has given, when it is a short word.
fn given(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    let is_word = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    ((1..=ID_CHARACTERS).contains(&id.len()) && id.chars().all(is_word)).then(|| id.to_owned())
}

/// A method that somebody made up is not written down.
fn known(method: &str) -> &str {
    match method {
        "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" => method,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn only_short_words_are_taken(word in "[A-Za-z0-9._-]{1,64}", other in "[ -~]{0,80}") {
            let taken = |text: &str| {
                let headers = HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_str(text).unwrap())]);
                given(&headers)
            };
            prop_assert_eq!(taken(&word), Some(word.clone()));
            prop_assert_eq!(taken(&format!("{word} ")), None);
            prop_assert_eq!(taken(&format!("{word:x<65}")), None);
            prop_assert!(taken(&other).is_none_or(|id| id.len() <= 64 && !id.contains([' ', '"', '=', '/'])));
        }
    }
}
