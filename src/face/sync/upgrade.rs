//! From a request to a WebSocket (RFC 6455, section 4.2).

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Version, header, request::Parts},
};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        handshake::derive_accept_key,
        protocol::{Role, WebSocketConfig},
    },
};

use crate::model::limits;

use super::intake::{Intake, Landing};

/// What one read of a connection takes at most, and what is kept for it as long as the socket lives.
const READ_BUFFER: usize = 4 * 1024;
/// So much is gathered before it is written to the connection.
const WRITE_BUFFER: usize = 16 * 1024;

/// A connection that speaks WebSocket.
pub(super) type Wire = WebSocketStream<Intake<TokioIo<Upgraded>>>;

/// A request that asks for a WebSocket.
pub(super) struct Upgrade {
    accept: HeaderValue,
    connection: OnUpgrade,
}

impl Upgrade {
    /// Of a request, if it is one.
    pub(super) fn of(parts: &mut Parts) -> Option<Self> {
        let headers = &parts.headers;
        let is_asked = parts.method == Method::GET
            && parts.version == Version::HTTP_11
            && names(headers, &header::CONNECTION, "upgrade")
            && names(headers, &header::UPGRADE, "websocket")
            && names(headers, &header::SEC_WEBSOCKET_VERSION, "13");
        let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| is_asked)?;
        let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes())).ok()?;
        Some(Self { accept, connection: parts.extensions.remove::<OnUpgrade>()? })
    }

    /// The answer to it. After that the socket is served; its large messages take these places.
    pub(super) fn answer<Served>(
        self,
        landing: Landing,
        serve: impl FnOnce(Wire) -> Served + Send + 'static,
    ) -> Response<Body>
    where
        Served: Future<Output = ()> + Send,
    {
        let Self { accept, connection } = self;
        drop(tokio::spawn(async move {
            match connection.await {
                Ok(connection) => {
                    // In a place of its own, for which each socket would otherwise keep room.
                    let wire = Box::pin(wire(Intake::of(TokioIo::new(connection), landing))).await;
                    serve(wire).await;
                }
                Err(error) => tracing::debug!(%error, "a connection ended before it was a socket"),
            }
        }));
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        response
    }
}

/// Whether a header lists a word.
fn names(headers: &HeaderMap, header: &header::HeaderName, word: &str) -> bool {
    let values = headers.get_all(header).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|named| named.trim().eq_ignore_ascii_case(word))
}

/// A WebSocket with buffers of its own, over a connection on which nothing of a message is under way.
pub(super) async fn wire(connection: Intake<TokioIo<Upgraded>>) -> Wire {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_message_size(Some(limits::MESSAGE_BYTES))
        .max_frame_size(Some(limits::MESSAGE_BYTES));
    WebSocketStream::from_raw_socket(connection, Role::Server, Some(config)).await
}
