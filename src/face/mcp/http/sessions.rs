//! Sessions of the older protocol belong to who opened them, at the address where they were opened. rmcp knows
//! a session by its id alone, so another token could post into it, or a `read` session be used to edit.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    extract::{OriginalUri, RawPathParams, Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::Response,
};
use rmcp::transport::streamable_http_server::session::{SessionManager as _, local::LocalSessionManager};
use sha2::{Digest as _, Sha256};
use tokio::task::AbortHandle;

use super::listens;
use crate::{
    access::proofs::Proofs,
    face::http::{refuse, refuse_for},
    kernel::{Hold, Lasting},
    model::{limits, permission::Principal},
};

const HEADER: &str = "mcp-session-id";

/// Who opened each session, and where.
pub(super) struct Sessions {
    owners: Mutex<Owners>,
    /// The sessions themselves.
    live: Arc<LocalSessionManager>,
}

#[derive(Default)]
struct Owners {
    of: HashMap<String, Owned>,
    turn: u64,
}

struct Owned {
    owner: Owner,
    /// The user of whose part it takes; nothing for whose all are.
    user: Option<String>,
    /// The turn in which it was last used.
    used: u64,
    /// Ends the session when its right goes.
    #[expect(dead_code, reason = "dropping it ends the watch")]
    watch: Option<Watch>,
}

/// A task that ends with the session it watches.
struct Watch(AbortHandle);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Clone, PartialEq, Eq)]
struct Owner {
    /// Who they are: whatever key of theirs they show, it is still theirs. Of the local user, and of whom nobody has
    /// asked, SHA-256 of what they show instead: it tells one client from another.
    principal: Option<String>,
    shown: Option<[u8; 32]>,
    path: String,
}

impl Owner {
    fn of(path: &str, headers: &HeaderMap, principal: Option<&Principal>) -> Self {
        let principal = principal.filter(|principal| !principal.is_local()).map(|principal| principal.id.clone());
        let shown = headers.get(header::AUTHORIZATION).filter(|_| principal.is_none());
        let shown = shown.map(|value| Sha256::digest(value.as_bytes()).into());
        Self { principal, shown, path: path.trim_end_matches('/').to_owned() }
    }
}

/// Lets a request with a session id through only to the session's owner.
pub(super) async fn bind(
    State(sessions): State<Arc<Sessions>>,
    OriginalUri(uri): OriginalUri,
    params: RawPathParams,
    request: Request,
    next: Next,
) -> Response {
    let owner = Owner::of(uri.path(), request.headers(), request.extensions().get());
    let id = session_id(request.headers());
    if let Some(id) = &id
        && !sessions.owners().use_as(id, &owner)
    {
        return refuse(StatusCode::NOT_FOUND, "there is no such session here: initialize again");
    }
    let ends = request.method() == Method::DELETE;
    // A session that begins lasts as long as the right to it.
    let hold = match if id.is_none() { listens::hold(&request, &params) } else { Ok(None) } {
        Ok(hold) => hold,
        Err(error) => return refuse_for(&error),
    };
    let known = request.extensions().get::<Proofs>().cloned().zip(request.extensions().get::<Principal>().cloned());
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
                // Whose it is was known a moment ago.
                let user = known.and_then(|(proofs, principal)| proofs.whose(&principal).ok().flatten());
                sessions.remember(opened, owner, user, hold);
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

    fn remember(self: &Arc<Self>, id: String, owner: Owner, user: Option<String>, hold: Option<Hold>) {
        let watch = hold.map(|hold| self.watch(id.clone(), hold));
        let Some(left) = self.owners().remember(id, Owned { owner, user, used: 0, watch }) else { return };
        tracing::warn!("there are as many sessions as there may be: the one that was idle longest is closed");
        let live = Arc::clone(&self.live);
        // In a task of its own: a session whose client reads nothing is slow to end.
        drop(tokio::spawn(close(live, left)));
    }

    /// Closes a session when its right goes.
    fn watch(self: &Arc<Self>, id: String, hold: Hold) -> Watch {
        let sessions = Arc::clone(self);
        let watching = tokio::spawn(async move {
            hold.lost().await;
            // In a task of its own: forgetting the session ends this one.
            drop(tokio::spawn(close(Arc::clone(&sessions.live), id.clone())));
            sessions.owners().forget(&id);
        });
        Watch(watching.abort_handle())
    }
}

async fn close(live: Arc<LocalSessionManager>, id: String) {
    if let Err(error) = live.close_session(&id.into()).await {
        tracing::debug!(%error, "a session did not end well");
    }
}

impl Owners {
    /// Whether this is the session's owner, who then uses it.
    fn use_as(&mut self, id: &str, owner: &Owner) -> bool {
        self.turn += 1;
        let Some(session) = self.of.get_mut(id).filter(|session| session.owner == *owner) else { return false };
        session.used = self.turn;
        true
    }

    /// Notes a new session; answers which one had to go for it. Clients often leave without a word, so the one that
    /// was idle longest most likely has nobody any more, and if it has, its client opens another. Who has more than their
    /// part loses one of their own.
    fn remember(&mut self, id: String, owned: Owned) -> Option<String> {
        self.turn += 1;
        let user = owned.user.clone();
        self.of.insert(id, Owned { used: self.turn, ..owned });
        let part = Lasting::Session.part();
        let is_theirs = |owned: &Owned| user.is_some() && owned.user == user;
        let is_beyond = self.of.len() > part && self.of.values().filter(|owned| is_theirs(owned)).count() > part;
        if !is_beyond && self.of.len() <= limits::SESSIONS {
            return None;
        }
        let candidates = self.of.iter().filter(|(_, owned)| !is_beyond || is_theirs(owned));
        let (oldest, _) = candidates.min_by_key(|(_, owned)| owned.used)?;
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
        let owner = Owner { principal: None, shown: None, path: "/mcp".into() };
        let anybodys = || Owned { owner: owner.clone(), user: None, used: 0, watch: None };
        let mut owners = Owners::default();
        for number in 0..limits::SESSIONS {
            assert_eq!(owners.remember(number.to_string(), anybodys()), None);
        }
        assert!(owners.use_as("0", &owner));
        // What has to go is named, so that it is closed; what was used since stays.
        assert_eq!(owners.remember("one more".into(), anybodys()).as_deref(), Some("1"));
        assert_eq!(["0", "1", "2", "one more"].map(|id| owners.use_as(id, &owner)), [true, false, true, true]);
        owners.forget("0");
        assert_eq!(owners.remember("into the gap".into(), anybodys()), None);
    }

    #[test]
    fn bug_a_user_with_many_sessions_ended_those_of_others() {
        let owner = Owner { principal: None, shown: None, path: "/mcp".into() };
        let of = |user: &str| Owned { owner: owner.clone(), user: Some(user.into()), used: 0, watch: None };
        let mut owners = Owners::default();
        assert_eq!(owners.remember("bob's".into(), of("bob")), None);
        for number in 0..Lasting::Session.part() {
            assert_eq!(owners.remember(number.to_string(), of("ann")), None);
        }
        assert_eq!(owners.remember("one more".into(), of("ann")).as_deref(), Some("0"));
        assert_eq!(["bob's", "0", "1"].map(|id| owners.use_as(id, &owner)), [true, false, true]);
    }
}
