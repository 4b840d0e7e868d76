//! Answers in gzip, for who takes that: texts and JSON that were asked for by reading, when they are not small.
//!
//! A length tells of what was compressed together with what somebody else chose (BREACH). Keys and secrets are answered by
//! what makes them, which is never compressed; and no page of another origin gets this server to answer with its data at
//! all, for no cookie alone does. Values as they are stay as they are: their ranges and their tag are those of the bytes.

use axum::{
    Router,
    extract::Request,
    http::{Extensions, HeaderMap, Method, StatusCode, Version, header},
    middleware::{self, Next},
    response::Response,
};
use tower_http::{
    CompressionLevel,
    compression::{CompressionLayer, Predicate as _, predicate::SizeAbove},
};

/// Smallest body that is worth it.
const LEAST_BYTES: u64 = 1024;

/// The mark of an answer to reading.
#[derive(Debug, Clone, Copy)]
pub(super) struct Read;

/// The routes with answers in gzip.
pub(super) fn over(routes: Router) -> Router {
    let which = SizeAbove::new(LEAST_BYTES).and(may_be);
    let gzip = CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(which);
    routes.layer(middleware::from_fn(mark)).layer(gzip)
}

async fn mark(request: Request, next: Next) -> Response {
    let is_get = request.method() == Method::GET;
    let mut response = next.run(request).await;
    if is_get {
        response.extensions_mut().insert(Read);
    }
    response
}

fn may_be(status: StatusCode, _: Version, headers: &HeaderMap, extensions: &Extensions) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let is_text = kind == "application/json" || (kind.starts_with("text/") && kind != "text/event-stream");
    let in_parts = headers.contains_key(header::ACCEPT_RANGES) || headers.contains_key(header::CONTENT_RANGE);
    status == StatusCode::OK && is_text && !in_parts && extensions.get::<Read>().is_some()
}
