//! Getting in: a program with the token asks for a code, a browser takes it to a cookie and a page key.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};

use super::{super::http, files::Tree};
use crate::{
    face::http::{Pages, Who},
    model::limits,
};

type Shared = State<Option<Arc<Pages>>>;

fn refuse(status: StatusCode, why: &str) -> Response {
    let mut refused = http::refuse(status, why);
    refused.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    refused
}

/// What a page asks first: whether it is in, and whether it is the page of this version.
pub(super) async fn about(State(pages): Shared) -> Response {
    let about = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "page": Tree::get().hash,
        "sign_in": pages.is_some(),
    });
    ([(header::CACHE_CONTROL, "no-store")], Json(about)).into_response()
}

/// A code, for programs: a page makes no other page.
pub(super) async fn code(State(pages): Shared, Extension(who): Extension<Who>) -> Response {
    if !matches!(&who, Who::Program(principal) if principal.is_local()) {
        return refuse(StatusCode::FORBIDDEN, "a link is made by `mindcache open`");
    }
    let code = pages.map(|pages| pages.sign_ins.issue_code());
    ([(header::CACHE_CONTROL, "no-store")], Json(json!({ "code": code }))).into_response()
}

/// Takes a code; answers with the page key, and sets the cookie.
pub(super) async fn exchange(State(pages): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !http::is_same_origin(&headers) || !kind.starts_with("application/json") {
        return refuse(StatusCode::FORBIDDEN, "a sign-in comes from the page itself");
    }
    let Some(pages) = pages else { return refuse(StatusCode::NOT_FOUND, "this server asks for no sign-in") };
    let code = serde_json::from_slice::<Value>(&body).ok();
    let code = code.as_ref().and_then(|body| body.get("code")?.as_str()).unwrap_or_default();
    let browser = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    match pages.sign_ins.exchange(code, browser).await {
        Ok(Some(halves)) => {
            let seconds = limits::SIGN_IN_MS / 1000;
            let cookie =
                format!("{}={}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}", pages.cookie, halves.cookie);
            let headers = [(header::SET_COOKIE, cookie), (header::CACHE_CONTROL, "no-store".into())];
            (headers, Json(json!({"page_key": halves.page_key}))).into_response()
        }
        Ok(None) => {
            refuse(StatusCode::UNAUTHORIZED, "this link was used or is over: run `mindcache open` for a new one")
        }
        Err(error) => refuse(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    }
}
