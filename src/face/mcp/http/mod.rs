//! Streamable HTTP: rmcp's service behind our own check of sessions, with bounds on what clients hold.

mod bodies;
mod listens;
mod sessions;

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    extract::{RawPathParams, Request},
    middleware::{self, Next},
    response::Response,
};
use rmcp::{
    ServerHandler,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService,
        session::local::{LocalSessionManager, SessionConfig},
    },
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{
    kernel::Kernel,
    model::{instance::InstanceRef, limits, permission::Mode},
};

use super::{Server, connection::Mount, message};
use crate::face::http::{Stop, refuse_for};

/// How long a session may be idle. rmcp's own 5 minutes end sessions that merely listen.
const SESSION_IDLE: Duration = Duration::from_hours(6);
/// The routes of mindcache itself.
pub fn router(kernel: Arc<Kernel>, stop: &Stop) -> Router {
    let mount = Mount { instance: InstanceRef::Name("default".into()), project: None, mode: Mode::Use };
    let leaving = stop.leaving.clone();
    routes(move || Server::new(Arc::clone(&kernel), mount.clone(), leaving.clone()), stop)
}

/// The routes for any handler: `/mcp`, for one instance `/i/{instance}/mcp`, and for what entering a project leads to
/// `/p/{project}/mcp`, each also with `/read` and `/edit`
/// after it for another mode than `use`.
///
/// `handler` is called once for each session of the older protocol and each request of the newer one; when
/// [`Stop::leaving`] is cancelled, they are to answer what waits.
pub fn routes<H: ServerHandler>(handler: impl Fn() -> H + Send + Sync + 'static, stop: &Stop) -> Router {
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
            .route_service(&format!("/p/{{project}}/mcp{ending}"), service.clone())
            .route_service(&format!("/p/{{project}}/mcp{ending}/"), service.clone())
            .route_layer(middleware::from_fn(mount))
            .route_layer(Extension(mode));
        routes = routes.merge(of_mode);
    }
    routes
        .route_layer(middleware::from_fn_with_state(message::places(), bodies::take_in))
        .route_layer(middleware::from_fn_with_state(sessions, sessions::bind))
        .route_layer(middleware::from_fn_with_state(places, listens::count))
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
        // An answer that is one message needs no stream; a subscription still is one.
        .with_json_response(true)
        .with_cancellation_token(cut);
    StreamableHttpService::new(move || Ok(handler()), sessions, config)
}

fn session_config() -> SessionConfig {
    let mut config = SessionConfig::default();
    config.keep_alive = Some(SESSION_IDLE);
    config
}

/// Says which instance and mode the address stands for.
async fn mount(params: RawPathParams, Extension(mode): Extension<Mode>, mut request: Request, next: Next) -> Response {
    let instance = match InstanceRef::parse(listens::param(&params, "instance").unwrap_or("default")) {
        Ok(instance) => instance,
        Err(error) => return refuse_for(&error),
    };
    let project = listens::param(&params, "project").map(str::to_owned);
    request.extensions_mut().insert(Mount { instance, project, mode });
    next.run(request).await
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
