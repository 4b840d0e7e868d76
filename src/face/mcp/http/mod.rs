//! Streamable HTTP: rmcp's service behind our own checks of Host, Origin, token and session.

mod guard;
mod sessions;

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json, Router,
    extract::{RawPathParams, Request},
    http::{Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::get,
};
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::{
    kernel::Kernel,
    model::{error::OpError, instance::InstanceRef, limits, permission::Mode},
};

use super::{Server, server::Mount};

pub use guard::Access;

/// How long a session may be idle. rmcp's own 5 minutes end sessions that merely listen.
const SESSION_IDLE: Duration = Duration::from_hours(6);

/// The routes: `/health` for anyone on this machine, MCP with the token at `/mcp` and, for one instance,
/// `/i/{instance}/mcp`, each also with `/read` and `/edit` after it for another mode than `use`.
pub fn router(kernel: Arc<Kernel>, access: Access, stop: CancellationToken) -> Router {
    let environment = access.environment;
    let health = move || async move {
        Json(json!({"status": "ok", "version": env!("CARGO_PKG_VERSION"), "environment": environment}))
    };
    let access = Arc::new(access);
    let service = service(kernel, stop);
    let sessions = Arc::new(sessions::Sessions::default());
    let mut routes = Router::new();
    for (ending, mode) in [("", Mode::Use), ("/read", Mode::Read), ("/edit", Mode::Edit)] {
        let of_mode = Router::new()
            .route_service(&format!("/mcp{ending}"), service.clone())
            .route_service(&format!("/mcp{ending}/"), service.clone())
            .route_service(&format!("/i/{{instance}}/mcp{ending}"), service.clone())
            .route_service(&format!("/i/{{instance}}/mcp{ending}/"), service.clone())
            .route_layer(middleware::from_fn(mount))
            .route_layer(Extension(mode));
        routes = routes.merge(of_mode);
    }
    routes
        .route_layer(middleware::from_fn_with_state(sessions, sessions::bind))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&access), guard::authenticate))
        .route("/health", get(health))
        .layer(cors(Arc::clone(&access)))
        .layer(middleware::from_fn_with_state(access, guard::check_names))
}

fn service(kernel: Arc<Kernel>, stop: CancellationToken) -> StreamableHttpService<Server, LocalSessionManager> {
    let config = StreamableHttpServerConfig::default()
        // Checked by our own layer, on every route.
        .disable_allowed_hosts()
        .with_max_request_body_bytes(limits::MESSAGE_BYTES)
        .with_cancellation_token(stop.clone());
    // No event store: with one, rmcp never ends a listener whose client has gone.
    let mut sessions = LocalSessionManager::default();
    sessions.session_config.keep_alive = Some(SESSION_IDLE);
    let mount = Mount { instance: InstanceRef::Name("default".into()), mode: Mode::Use };
    let factory = move || Ok(Server::new(Arc::clone(&kernel), mount.clone(), stop.clone()));
    StreamableHttpService::new(factory, Arc::new(sessions), config)
}

/// Pages of this machine may use the server with the token; others get no further than the Origin check.
fn cors(access: Arc<Access>) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(move |origin, _| access.is_own_origin(origin)))
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers(tower_http::cors::Any)
        .expose_headers([header::HeaderName::from_static("mcp-session-id"), header::WWW_AUTHENTICATE])
}

/// Says which instance and mode the address stands for.
async fn mount(params: RawPathParams, Extension(mode): Extension<Mode>, mut request: Request, next: Next) -> Response {
    let name = params.iter().find(|(name, _)| *name == "instance").map_or("default", |(_, value)| value);
    let instance = match InstanceRef::parse(name) {
        Ok(instance) => instance,
        Err(error) => return told(StatusCode::NOT_FOUND, &error),
    };
    request.extensions_mut().insert(Mount { instance, mode });
    next.run(request).await
}

fn told(status: StatusCode, error: &OpError) -> Response {
    refuse(status, &error.to_string())
}

fn refuse(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({"error": why}))).into_response()
}
