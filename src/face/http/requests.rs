//! Each request has an id, which its answer carries, and a line in the log: what was asked for by which route, by whom, and
//! what came of it. Nothing that somebody sent stands there but the id: no path, no query, no value, no proof.

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderMap, HeaderName, HeaderValue, Method},
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

/// A request that is under way.
pub(super) struct Noted {
    begun: Instant,
    id: HeaderValue,
    method: Method,
    route: Option<MatchedPath>,
}

impl Noted {
    /// Gives the request its id.
    pub(super) fn begin(request: &mut Request) -> Self {
        let begun = Instant::now();
        let id = given(request.headers()).unwrap_or_else(|| Uuid::new_v4().simple().to_string());
        let id = HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static(""));
        request.headers_mut().insert(REQUEST_ID, id.clone());
        let route = request.extensions().get::<MatchedPath>().cloned();
        Self { begun, id, method: request.method().clone(), route }
    }

    /// Gives the answer the same id, and notes what came of it.
    pub(super) fn end(self, mut response: Response) -> Response {
        tracing::info!(
            method = known(self.method.as_str()),
            route = self.route.as_ref().map_or("", MatchedPath::as_str),
            status = response.status().as_u16(),
            duration_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            principal = response.extensions().get::<By>().map_or("", |by| by.0.as_str()),
            request = self.id.to_str().unwrap_or_default(),
            "request"
        );
        response.headers_mut().insert(REQUEST_ID, self.id);
        response
    }
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
