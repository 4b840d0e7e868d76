//! Sessions of the older protocol belong to who opened them, at the address where they were opened. rmcp knows
//! a session by its id alone, so another token could post into it, or a `read` session be used to edit.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    extract::{OriginalUri, Request, State},
    http::{HeaderMap, Method, StatusCode},
    middleware::Next,
    response::Response,
};
use rmcp::transport::streamable_http_server::session::{SessionManager as _, local::LocalSessionManager};

use crate::model::{limits, permission::Principal};

use crate::face::http::refuse;

const HEADER: &str = "mcp-session-id";

/// Who opened each session, and where.
pub(super) struct Sessions {
    owners: Mutex<Owners>,
    /// The sessions themselves.
    live: Arc<LocalSessionManager>,
}

#[derive(Default)]
struct Owners {
    /// Each with the turn in which it was last used.
    of: HashMap<String, (Owner, u64)>,
    turn: u64,
}

#[derive(Clone, PartialEq, Eq)]
struct Owner {
    /// Who they are; a token that was renewed is still theirs.
    principal: String,
    path: String,
}

impl Owner {
    fn of(path: &str, principal: Option<&Principal>) -> Self {
        let principal = principal.map_or_else(String::new, |principal| principal.id.clone());
        Self { principal, path: path.trim_end_matches('/').to_owned() }
    }
}

/// Lets a request with a session id through only to the session's owner.
pub(super) async fn bind(
    State(sessions): State<Arc<Sessions>>,
    OriginalUri(uri): OriginalUri,
    request: Request,
    next: Next,
) -> Response {
    let owner = Owner::of(uri.path(), request.extensions().get());
    let id = session_id(request.headers());
    if let Some(id) = &id
        && !sessions.owners().use_as(id, &owner)
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
        Some(id) if ends => sessions.owners().forget(&id),
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
    pub(super) fn new(live: Arc<LocalSessionManager>) -> Self {
        Self { owners: Mutex::default(), live }
    }

    fn owners(&self) -> std::sync::MutexGuard<'_, Owners> {
        // Each change is whole even if a holder panicked.
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, id: String, owner: Owner) {
        let Some(left) = self.owners().remember(id, owner) else { return };
        tracing::warn!("there are {} sessions: the one that was idle longest is closed", limits::SESSIONS);
        let live = Arc::clone(&self.live);
        // In a task of its own: a session whose client reads nothing is slow to end.
        drop(tokio::spawn(async move {
            if let Err(error) = live.close_session(&left.into()).await {
                tracing::debug!(%error, "a session did not end well");
            }
        }));
    }
}

impl Owners {
    /// Whether this is the session's owner, who then uses it.
    fn use_as(&mut self, id: &str, owner: &Owner) -> bool {
        self.turn += 1;
        let Some((_, used)) = self.of.get_mut(id).filter(|(known, _)| known == owner) else { return false };
        *used = self.turn;
        true
    }

    /// Notes a new session; answers which one had to go for it. Clients often leave without a word, so the one that
    /// was idle longest most likely has nobody any more, and if it has, its client opens another.
    fn remember(&mut self, id: String, owner: Owner) -> Option<String> {
        self.turn += 1;
        self.of.insert(id, (owner, self.turn));
        if self.of.len() <= limits::SESSIONS {
            return None;
        }
        let (oldest, _) = self.of.iter().min_by_key(|(_, (_, used))| *used)?;
        let oldest = oldest.clone();
        self.of.remove(&oldest);
        Some(oldest)
    }

    fn forget(&mut self, id: &str) {
        self.of.remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bug_a_forgotten_session_stayed_alive() {
        let owner = Owner { principal: "local".into(), path: "/mcp".into() };
        let mut owners = Owners::default();
        for number in 0..limits::SESSIONS {
            assert_eq!(owners.remember(number.to_string(), owner.clone()), None);
        }
        assert!(owners.use_as("0", &owner));
        // What has to go is named, so that it is closed; what was used since stays.
        assert_eq!(owners.remember("one more".into(), owner.clone()).as_deref(), Some("1"));
        assert_eq!(["0", "1", "2", "one more"].map(|id| owners.use_as(id, &owner)), [true, false, true, true]);
        owners.forget("0");
        assert_eq!(owners.remember("into the gap".into(), owner), None);
    }
}
