//! Sessions of the older protocol belong to who opened them, at the address where they were opened. rmcp knows
//! a session by its id alone, so another token could post into it, or a `read` session be used to edit.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    extract::{OriginalUri, Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::Response,
};

use sha2::{Digest as _, Sha256};

use super::refuse;

/// Sessions remembered; beyond that the oldest is forgotten, and its client opens another.
const SESSIONS: usize = 10_000;
const HEADER: &str = "mcp-session-id";

/// Who opened each session, and where.
#[derive(Default)]
pub(super) struct Sessions(Mutex<Owners>);

#[derive(Default)]
struct Owners {
    of: HashMap<String, Owner>,
    /// Ids in the order in which they were opened.
    opened: VecDeque<String>,
}

#[derive(Clone, PartialEq, Eq)]
struct Owner {
    /// SHA-256 of the credentials: they are not kept.
    credentials: Option<[u8; 32]>,
    path: String,
}

impl Owner {
    fn of(path: &str, headers: &HeaderMap) -> Self {
        let credentials = headers.get(header::AUTHORIZATION).map(|value| Sha256::digest(value.as_bytes()).into());
        Self { credentials, path: path.trim_end_matches('/').to_owned() }
    }
}

/// Lets a request with a session id through only to the session's owner.
pub(super) async fn bind(
    State(sessions): State<Arc<Sessions>>,
    OriginalUri(uri): OriginalUri,
    request: Request,
    next: Next,
) -> Response {
    let owner = Owner::of(uri.path(), request.headers());
    let id = session_id(request.headers());
    if let Some(id) = &id
        && !sessions.belongs(id, &owner)
    {
        return refuse(StatusCode::NOT_FOUND, "there is no such session here: initialize again");
    }
    let ends = request.method() == Method::DELETE;
    let mut response = next.run(request).await;
    if ends && response.status() == StatusCode::ACCEPTED {
        // The Python package takes 202 for a failure.
        *response.status_mut() = StatusCode::NO_CONTENT;
    }
    match id {
        Some(id) if ends => sessions.forget(&id),
        Some(_) => {}
        None => {
            if let Some(opened) = session_id(response.headers()) {
                sessions.remember(opened, owner);
            }
        }
    }
    response
}

fn session_id(headers: &HeaderMap) -> Option<String> {
    headers.get(HEADER)?.to_str().ok().map(str::to_owned)
}

impl Sessions {
    fn owners(&self) -> std::sync::MutexGuard<'_, Owners> {
        // Each change is whole even if a holder panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn belongs(&self, id: &str, owner: &Owner) -> bool {
        self.owners().of.get(id).is_some_and(|known| known == owner)
    }

    fn remember(&self, id: String, owner: Owner) {
        let mut owners = self.owners();
        owners.opened.push_back(id.clone());
        owners.of.insert(id, owner);
        while owners.of.len() > SESSIONS
            && let Some(oldest) = owners.opened.pop_front()
        {
            owners.of.remove(&oldest);
        }
    }

    fn forget(&self, id: &str) {
        let mut owners = self.owners();
        owners.of.remove(id);
        owners.opened.retain(|opened| opened != id);
    }
}
