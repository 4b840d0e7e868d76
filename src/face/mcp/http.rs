//! Streamable HTTP: rmcp's service behind our own checks of Host, Origin and token.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::get,
};
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
};
use serde_json::json;
use subtle::ConstantTimeEq as _;
use tokio_util::sync::CancellationToken;

use crate::{
    kernel::Kernel,
    model::{instance::InstanceRef, limits, permission::Mode},
};

use super::Server;

/// How long a session may be idle. rmcp's own 5 minutes end sessions that merely listen.
const SESSION_IDLE_S: u64 = 6 * 3600;

/// What the HTTP server needs to know.
#[derive(Debug, Clone)]
pub struct Access {
    /// The bearer token; nothing switches the check off.
    pub token: Option<String>,
    /// Host names that requests may carry, without a port.
    pub hosts: Vec<String>,
    /// What `/health` says of itself.
    pub environment: &'static str,
}

/// The routes: `/health` for anyone on this machine, `/mcp` with the token.
pub fn router(kernel: Arc<Kernel>, access: Access, stop: CancellationToken) -> Router {
    let environment = access.environment;
    let health = move || async move {
        Json(json!({"status": "ok", "version": env!("CARGO_PKG_VERSION"), "environment": environment}))
    };
    let access = Arc::new(access);
    let config = StreamableHttpServerConfig::default()
        // Checked by our own layer, on every route.
        .disable_allowed_hosts()
        .with_max_request_body_bytes(limits::MESSAGE_BYTES)
        .with_cancellation_token(stop);
    // No event store: with one, rmcp never ends a listener whose client has gone.
    let mut sessions = LocalSessionManager::default();
    sessions.session_config.keep_alive = Some(std::time::Duration::from_secs(SESSION_IDLE_S));
    let instance = InstanceRef::Name("default".into());
    let service = StreamableHttpService::new(
        move || Ok(Server::new(Arc::clone(&kernel), instance.clone(), Mode::Use)),
        Arc::new(sessions),
        config,
    );
    Router::new()
        .nest_service("/mcp", service)
        .route_layer(middleware::from_fn_with_state(Arc::clone(&access), authenticate))
        .route("/health", get(health))
        .layer(middleware::from_fn_with_state(access, guard))
}

/// Refuses what a page of another site, or a name rebound to this machine, could send.
async fn guard(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    if !host.is_some_and(|host| access.knows(host)) {
        return refuse(
            StatusCode::FORBIDDEN,
            "this Host is not one of this server: use the address that `serve` printed",
        );
    }
    if let Some(origin) = headers.get(header::ORIGIN) {
        let from = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        if !from.is_some_and(|(_, authority)| access.knows(authority)) {
            return refuse(StatusCode::FORBIDDEN, "pages of this Origin may not use this server");
        }
    }
    next.run(request).await
}

async fn authenticate(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    if let Some(token) = &access.token
        && !bearer(request.headers()).is_some_and(|given| given.as_bytes().ct_eq(token.as_bytes()).into())
    {
        let mut refused = refuse(
            StatusCode::UNAUTHORIZED,
            "send `Authorization: Bearer TOKEN` with the token in the file `token` of the data folder",
        );
        refused.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        return refused;
    }
    next.run(request).await
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn refuse(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({"error": why}))).into_response()
}

impl Access {
    /// Whether an authority names this server, whatever its port.
    fn knows(&self, authority: &str) -> bool {
        let host = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, _)) => address,
            None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
        };
        self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_servers_own_names_are_known() {
        let hosts = ["127.0.0.1", "localhost", "::1"].map(String::from).to_vec();
        let access = Access { token: None, hosts, environment: "local" };
        for own in ["127.0.0.1:8787", "localhost", "LOCALHOST:1", "[::1]:8787", "[::1]"] {
            assert!(access.knows(own), "{own}");
        }
        for foreign in ["evil.example", "127.0.0.1.evil.example:80", "localhost.evil.example", "", ":8787", "[::2]:1"] {
            assert!(!access.knows(foreign), "{foreign}");
        }
    }
}
