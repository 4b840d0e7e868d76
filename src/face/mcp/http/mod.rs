//! Streamable HTTP: rmcp's service behind our own checks of Host, Origin, token and session.

mod bodies;
mod connections;
mod guard;
mod listens;
mod sessions;

use std::{io, sync::Arc, time::Duration};

use axum::{
    Extension, Json, Router,
    extract::{RawPathParams, Request},
    http::{Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::get,
};
use rmcp::{
    ServerHandler,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService,
        session::local::{LocalSessionManager, SessionConfig},
    },
};
use serde_json::json;
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use crate::{
    kernel::Kernel,
    model::{error::OpError, instance::InstanceRef, limits, permission::Mode},
};

use super::{Server, connection::Mount};

use connections::Connections;
pub use guard::Access;

/// How long a session may be idle. rmcp's own 5 minutes end sessions that merely listen.
const SESSION_IDLE: Duration = Duration::from_hours(6);
/// How long streams may stay open after the signal: time for the last answers on them.
const LAST_ANSWERS: Duration = Duration::from_millis(300);
/// How long requests under way may take after that.
const LAST_REQUESTS: Duration = Duration::from_millis(500);

/// The end of a server, in two steps: with one, rmcp cuts off what is being answered because of it.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// What waits is to be answered, and subscriptions are to end with their result.
    pub leaving: CancellationToken,
    /// Streams are cut.
    cut: CancellationToken,
}

/// The routes of mindcache itself.
pub fn router(kernel: Arc<Kernel>, access: Access, stop: &Stop) -> Router {
    let mount = Mount { instance: InstanceRef::Name("default".into()), mode: Mode::Use };
    let leaving = stop.leaving.clone();
    routes(move || Server::new(Arc::clone(&kernel), mount.clone(), leaving.clone()), access, stop)
}

/// The routes for any handler: `/health` for anyone on this machine, MCP with the token at `/mcp` and, for one
/// instance, `/i/{instance}/mcp`, each also with `/read` and `/edit` after it for another mode than `use`.
///
/// `handler` is called once for each session of the older protocol and each request of the newer one; when
/// [`Stop::leaving`] is cancelled, they are to answer what waits.
pub fn routes<H: ServerHandler>(
    handler: impl Fn() -> H + Send + Sync + 'static,
    access: Access,
    stop: &Stop,
) -> Router {
    let environment = access.environment;
    let health = move || async move {
        Json(json!({"status": "ok", "version": env!("CARGO_PKG_VERSION"), "environment": environment}))
    };
    let access = Arc::new(access);
    // No event store: with one, rmcp never ends a listener whose client has gone.
    let mut live = LocalSessionManager::default();
    live.session_config = session_config();
    let live = Arc::new(live);
    let service = service(handler, Arc::clone(&live), stop.cut.clone());
    let sessions = Arc::new(sessions::Sessions::new(live));
    let places = Arc::new(Semaphore::new(limits::LISTENS));
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
        .route_layer(middleware::from_fn(bodies::drain))
        .route_layer(middleware::from_fn_with_state(sessions, sessions::bind))
        .route_layer(middleware::from_fn_with_state(places, listens::count))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&access), guard::authenticate))
        .route("/health", get(health))
        .layer(cors(Arc::clone(&access)))
        .layer(middleware::from_fn_with_state(access, guard::check_names))
}

fn service<H: ServerHandler>(
    handler: impl Fn() -> H + Send + Sync + 'static,
    sessions: Arc<LocalSessionManager>,
    cut: CancellationToken,
) -> StreamableHttpService<H, LocalSessionManager> {
    let config = StreamableHttpServerConfig::default()
        // Checked by our own layer, on every route.
        .disable_allowed_hosts()
        .with_max_request_body_bytes(limits::MESSAGE_BYTES)
        .with_cancellation_token(cut);
    StreamableHttpService::new(move || Ok(handler()), sessions, config)
}

fn session_config() -> SessionConfig {
    let mut config = SessionConfig::default();
    config.keep_alive = Some(SESSION_IDLE);
    config
}

/// Serves the routes until `signal` resolves; then ends them by `stop`, and gives what is under way a moment.
///
/// Errors: the listener's own.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    stop: Stop,
    signal: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let leaving = stop.leaving.clone();
    let graceful = async move {
        signal.await;
        leaving.cancel();
    };
    let pause =
        |time| async move { tokio::time::timeout(time, std::future::pending::<()>()).await.unwrap_or_default() };
    // A client that sends its request slowly, or never, does not keep the server.
    let overdue = async {
        stop.leaving.cancelled().await;
        pause(LAST_ANSWERS).await;
        stop.cut.cancel();
        pause(LAST_REQUESTS).await;
    };
    let serving = axum::serve(Connections(listener), routes).with_graceful_shutdown(graceful);
    tokio::select! {
        served = serving.into_future() => served,
        () = overdue => Ok(()),
    }
}

/// Pages of this machine may use the server with the token; others get no further than the Origin check.
fn cors(access: Arc<Access>) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(move |origin, _| access.is_own_origin(origin)))
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        // Not `*`, which browsers do not take to mean Authorization.
        .allow_headers(AllowHeaders::mirror_request())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defect_3_idle_sessions_outlive_a_pause_of_hours() {
        assert!(SessionConfig::DEFAULT_KEEP_ALIVE < Duration::from_mins(10), "rmcp's own time is still too short");
        assert!(session_config().keep_alive.is_some_and(|time| time >= Duration::from_hours(6)));
    }
}
