//! The HTTP shell: who gets in, connections, the end. What is served comes from the faces as routes.

mod connections;
mod guard;
mod heads;
mod refusal;
mod requests;

use std::{io, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::get,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Map;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use crate::{
    kernel::clock::pause,
    model::error::{OpError, Reason},
};

use connections::{Connections, Peer};
pub use guard::{Access, PAGE_KEY, Pages, Who};
pub(super) use guard::{from, is_same_origin};
pub(super) use refusal::Refusal;

/// A client that takes nothing for so long is given up.
pub(super) const STALLED: Duration = Duration::from_secs(30);
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
    pub(super) cut: CancellationToken,
}

/// What a server says of itself.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Health {
    status: &'static str,
    version: &'static str,
    environment: &'static str,
}

/// The routes of faces behind our checks: Host and Origin on each, and the token on those with data. Those that are
/// `open` hold none, or ask for a proof of their own; they and `/health` are for anyone on this machine.
pub fn guarded(routes: Router, open: Router, access: Access) -> Router {
    let environment = access.environment;
    let health = move || async move { Json(Health { status: "ok", version: env!("CARGO_PKG_VERSION"), environment }) };
    let access = Arc::new(access);
    routes
        .route_layer(middleware::from_fn_with_state(Arc::clone(&access), guard::authenticate))
        .merge(open)
        .route("/health", get(health))
        .fallback(nothing)
        .method_not_allowed_fallback(no_method)
        .layer(cors(Arc::clone(&access)))
        .layer(middleware::from_fn_with_state(access, enter))
}

/// What every request goes through before its route.
async fn enter(State(access): State<Arc<Access>>, mut request: Request, next: Next) -> Response {
    let noted = requests::Noted::begin(&mut request);
    let response = if let Some(refused) = heads::refusal(&request).or_else(|| guard::refusal(&access, &request)) {
        refused
    } else {
        guard::mend_accept(&mut request);
        next.run(request).await
    };
    noted.end(response)
}

async fn nothing() -> Response {
    refuse(StatusCode::NOT_FOUND, "nothing is at this address: /openapi.json tells what there is")
}

async fn no_method() -> Response {
    refuse(StatusCode::METHOD_NOT_ALLOWED, "this address does not take this method: /openapi.json tells which it takes")
}

/// Serves the routes on at most so many connections until `signal` resolves; then ends them by `stop`, and gives what is
/// under way a moment.
///
/// Errors: the listener's own.
pub async fn serve(
    listener: TcpListener,
    connections: usize,
    routes: Router,
    stop: Stop,
    signal: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let leaving = stop.leaving.clone();
    let graceful = async move {
        signal.await;
        leaving.cancel();
    };
    // A client that sends its request slowly, or never, does not keep the server.
    let overdue = async {
        stop.leaving.cancelled().await;
        pause(LAST_ANSWERS).await;
        stop.cut.cancel();
        pause(LAST_REQUESTS).await;
    };
    let serving =
        axum::serve(Connections::at_most(connections, listener), routes.into_make_service_with_connect_info::<Peer>())
            .with_graceful_shutdown(graceful);
    tokio::select! {
        served = serving.into_future() => served,
        () = overdue => Ok(()),
    }
}

/// Pages of this machine may use the server with the token; others get no further than the Origin check.
fn cors(access: Arc<Access>) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(move |origin, _| access.is_own_origin(origin)))
        .allow_methods([Method::GET, Method::PUT, Method::POST, Method::PATCH, Method::DELETE])
        // Not `*`, which browsers do not take to mean Authorization.
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([
            header::HeaderName::from_static("mcp-session-id"),
            header::WWW_AUTHENTICATE,
            header::ETAG,
            header::CONTENT_RANGE,
            requests::REQUEST_ID,
        ])
}

/// The status of an error: docs of the operation contract, one line each.
pub(crate) fn status(error: &OpError) -> StatusCode {
    match error {
        OpError::InvalidArgument { .. } => StatusCode::BAD_REQUEST,
        OpError::Unauthenticated { .. } => StatusCode::UNAUTHORIZED,
        OpError::PermissionDenied { .. } => StatusCode::FORBIDDEN,
        OpError::NotFound { .. } => StatusCode::NOT_FOUND,
        OpError::AlreadyExists { .. } => StatusCode::CONFLICT,
        // It is not there any more, however often it is asked for.
        OpError::LogTruncated { .. } | OpError::Unavailable { reason: Reason::NotKept, .. } => StatusCode::GONE,
        OpError::VersionMismatch { .. } => StatusCode::PRECONDITION_FAILED,
        OpError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        OpError::IdempotencyMismatch { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        OpError::Overloaded { .. } | OpError::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// An error before anything of a protocol was spoken: with its own status, as a refusal in a sentence.
pub(super) fn refuse_for(error: &OpError) -> Response {
    refuse(status(error), &error.to_string())
}

/// A refusal in a sentence, in the form that every refusal has (RFC 9457).
pub(super) fn refuse(status: StatusCode, why: &str) -> Response {
    let code = match status {
        StatusCode::UNAUTHORIZED => "unauthenticated",
        StatusCode::FORBIDDEN => "permission_denied",
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::PAYLOAD_TOO_LARGE => "too_large",
        StatusCode::TOO_MANY_REQUESTS => "overloaded",
        status if status.is_server_error() => "unavailable",
        _ => "invalid_argument",
    };
    Refusal::new(status, code, why.to_owned(), Map::new()).into_response()
}
