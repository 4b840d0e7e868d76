//! Streamable HTTP: rmcp's service behind our own checks of Host, Origin, token and session.

mod guard;
mod sessions;

use std::{io, sync::Arc, time::Duration};

use axum::{
    Extension, Json, Router,
    extract::{RawPathParams, Request},
    http::{Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::get,
    serve::ListenerExt as _,
};
use rmcp::{
    ServerHandler,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};
use serde_json::json;
use tokio::net::TcpListener;
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
/// How long requests under way may take after the signal.
const LAST_REQUESTS: Duration = Duration::from_millis(800);

/// The routes of mindcache itself.
pub fn router(kernel: Arc<Kernel>, access: Access, stop: CancellationToken) -> Router {
    let mount = Mount { instance: InstanceRef::Name("default".into()), mode: Mode::Use };
    let ending = stop.clone();
    routes(move || Server::new(Arc::clone(&kernel), mount.clone(), ending.clone()), access, stop)
}

/// The routes for any handler: `/health` for anyone on this machine, MCP with the token at `/mcp` and, for one
/// instance, `/i/{instance}/mcp`, each also with `/read` and `/edit` after it for another mode than `use`.
///
/// `handler` is called once for each session of the older protocol and each request of the newer one; `stop` ends
/// all of them.
pub fn routes<H: ServerHandler>(
    handler: impl Fn() -> H + Send + Sync + 'static,
    access: Access,
    stop: CancellationToken,
) -> Router {
    let environment = access.environment;
    let health = move || async move {
        Json(json!({"status": "ok", "version": env!("CARGO_PKG_VERSION"), "environment": environment}))
    };
    let access = Arc::new(access);
    let service = service(handler, stop);
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

fn service<H: ServerHandler>(
    handler: impl Fn() -> H + Send + Sync + 'static,
    stop: CancellationToken,
) -> StreamableHttpService<H, LocalSessionManager> {
    let config = StreamableHttpServerConfig::default()
        // Checked by our own layer, on every route.
        .disable_allowed_hosts()
        .with_max_request_body_bytes(limits::MESSAGE_BYTES)
        .with_cancellation_token(stop);
    // No event store: with one, rmcp never ends a listener whose client has gone.
    let mut sessions = LocalSessionManager::default();
    sessions.session_config.keep_alive = Some(SESSION_IDLE);
    StreamableHttpService::new(move || Ok(handler()), Arc::new(sessions), config)
}

/// Serves the routes until `signal` resolves; then cancels `stop`, and gives requests under way a moment.
///
/// Errors: the listener's own.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    stop: CancellationToken,
    signal: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    // Nagle's algorithm makes an answer wait for the client's acknowledgement: 40 ms a call.
    let listener = listener.tap_io(|socket| {
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "cannot switch Nagle's algorithm off");
        }
    });
    let ending = stop.clone();
    let graceful = async move {
        signal.await;
        ending.cancel();
    };
    // A client that sends its request slowly, or never, does not keep the server.
    let overdue = async {
        stop.cancelled().await;
        tokio::time::timeout(LAST_REQUESTS, std::future::pending::<()>()).await.unwrap_or_default();
    };
    tokio::select! {
        served = axum::serve(listener, routes).with_graceful_shutdown(graceful).into_future() => served,
        () = overdue => Ok(()),
    }
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
