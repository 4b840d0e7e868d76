//! The live page: static files in the program, and how a browser gets in. The data comes by `/v1`.
//!
//! The files hold no data and are public. All but the first are named after what they hold, so they never go stale.

mod client;
mod files;
mod login;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, Request},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};

use super::http::Pages;
pub use client::files as client_files;
use files::{Served, Tree};

/// What a page may do: load from here alone, never make code of text, never be framed.
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
                   connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; \
                   require-trusted-types-for 'script'; trusted-types 'none'";

/// The routes without data, for anyone on this machine: the page, its files, the client, and a code for a sign-in.
pub fn open_routes(pages: Option<Pages>) -> Router {
    let files = Router::new()
        .route("/", get(index))
        .route("/page/{hash}/{*name}", get(file))
        .route("/client/{*name}", get(client::file))
        .layer(middleware::from_fn(dress));
    let login = Router::new().route("/api/sign-in", post(login::exchange)).with_state(pages.map(Arc::new));
    files.merge(login)
}

/// The routes for who is in: what a page has to know of the server, and codes for programs with the token.
pub fn routes(pages: Option<Pages>) -> Router {
    Router::new()
        .route("/api/page", get(login::about))
        .route("/api/sign-in/code", post(login::code))
        .with_state(pages.map(Arc::new))
}

/// The headers of everything that a browser shows.
async fn dress(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CSP),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn index(headers: HeaderMap) -> Response {
    let tree = Tree::get();
    fresh(&tree.index, &tree.hash, &headers)
}

/// A file whose name stays when it changes: the browser asks each time whether it is still the one of this hash.
fn fresh(file: &Served, hash: &str, headers: &HeaderMap) -> Response {
    let tag = format!("\"{hash}\"");
    let known = headers.get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok());
    if known.is_some_and(|known| known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag)) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag), (header::CACHE_CONTROL, "no-cache".into())])
            .into_response();
    }
    let mut response = answer(file, headers, "no-cache");
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// A file of this version. Those of another are gone, which tells an open page that mindcache was updated.
async fn file(Path((hash, name)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let tree = Tree::get();
    match tree.files.get(name.as_str()).filter(|_| hash == tree.hash) {
        Some(file) => answer(file, &headers, "public, max-age=31536000, immutable"),
        None => (StatusCode::NOT_FOUND, [(header::CACHE_CONTROL, "no-store")], "no such file\n").into_response(),
    }
}

fn answer(file: &Served, headers: &HeaderMap, caching: &'static str) -> Response {
    let accepts = headers.get(header::ACCEPT_ENCODING).and_then(|list| list.to_str().ok()).unwrap_or_default();
    let takes_gzip = accepts.split(',').any(|one| {
        let mut parts = one.split(';').map(str::trim);
        parts.next() == Some("gzip") && !parts.any(|weight| weight == "q=0" || weight == "q=0.0")
    });
    let common =
        [(header::CONTENT_TYPE, file.kind), (header::CACHE_CONTROL, caching), (header::VARY, "Accept-Encoding")];
    if takes_gzip {
        return (common, [(header::CONTENT_ENCODING, "gzip")], file.gzip.clone()).into_response();
    }
    (common, file.plain.clone()).into_response()
}
