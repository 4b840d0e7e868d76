//! A WebSocket client on tokio: text out, text in, and nothing understood but the name of a message.

use std::time::Duration;

use anyhow::{Context as _, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::cli::bench::client::HttpServer;

/// A server that owes a message for so long fails the bench.
pub(super) const SILENCE: Duration = Duration::from_mins(1);
/// Of each connection: ten thousand of the library's own would take gigabytes.
const READ_BUFFER: usize = 8 * 1024;
/// The receive buffer of a client that is to stall soon.
const SMALL: u32 = 4096;

/// Where to connect to.
#[derive(Clone)]
pub(super) struct Door {
    address: String,
    token: Option<String>,
}

/// A connection.
pub(super) struct Socket {
    pub(super) ws: WebSocketStream<TcpStream>,
}

impl Door {
    pub(super) fn of(server: &HttpServer) -> Self {
        let (address, token) = server.door();
        Self { address: address.to_owned(), token: token.map(str::to_owned) }
    }

    /// Opens a socket at a path.
    pub(super) async fn open(&self, path: &str) -> anyhow::Result<Socket> {
        self.open_with(path, None).await
    }

    /// Opens one that takes little in before it is read.
    pub(super) async fn open_small(&self, path: &str) -> anyhow::Result<Socket> {
        self.open_with(path, Some(SMALL)).await
    }

    /// Opens one at an instance, and reads its state to the end.
    pub(super) async fn synced(&self, instance: &str) -> anyhow::Result<Socket> {
        let mut socket = self.open(&at(instance)).await?;
        socket.state().await?;
        Ok(socket)
    }

    async fn open_with(&self, path: &str, receive: Option<u32>) -> anyhow::Result<Socket> {
        let mut request = format!("ws://{}{path}", self.address).into_client_request()?;
        if let Some(token) = &self.token {
            request.headers_mut().insert("authorization", format!("Bearer {token}").parse()?);
        }
        let socket = TcpSocket::new_v4()?;
        if let Some(bytes) = receive {
            socket.set_recv_buffer_size(bytes)?;
        }
        let stream = socket.connect(self.address.parse()?).await.context("the server takes no connection")?;
        stream.set_nodelay(true)?;
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
        let opening = client_async_with_config(request, stream, Some(config));
        let (ws, _) = timeout(SILENCE, opening).await.context("the server fell silent")?.context("no WebSocket")?;
        Ok(Socket { ws })
    }
}

/// The path of an instance, in our protocol.
pub(super) fn at(instance: &str) -> String {
    format!("/sync/{instance}?v=2&client=bench")
}

/// What a message calls itself: every one begins with that.
pub(super) fn kind(text: &str) -> &str {
    let name = text.strip_prefix(r#"{"type":""#).and_then(|rest| rest.split_once('"'));
    name.map(|(name, _)| name).unwrap_or_default()
}

impl Socket {
    pub(super) async fn send(&mut self, text: impl Into<Utf8Bytes>) -> anyhow::Result<()> {
        Ok(self.ws.send(Message::Text(text.into())).await?)
    }

    /// The next text. Errors: none comes for long, or the connection ends.
    pub(super) async fn next(&mut self) -> anyhow::Result<Utf8Bytes> {
        loop {
            match timeout(SILENCE, self.ws.next()).await.context("the server fell silent")? {
                Some(Ok(Message::Text(text))) => return Ok(text),
                Some(Ok(Message::Close(frame))) => bail!("the server closed a socket: {frame:?}"),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => bail!("the server ended a connection"),
            }
        }
    }

    /// The next message of this name; others are passed over.
    pub(super) async fn next_of(&mut self, name: &str) -> anyhow::Result<Utf8Bytes> {
        loop {
            let text = self.next().await?;
            match kind(&text) {
                found if found == name => return Ok(text),
                "error" => bail!("the server refused: {text}"),
                _ => {}
            }
        }
    }

    /// Reads to the end of a state.
    pub(super) async fn state(&mut self) -> anyhow::Result<()> {
        while self.next_of("sync").await?.contains(r#""more":true"#) {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_known_by_its_beginning() {
        assert_eq!(kind(r#"{"type":"ack","opId":"1"}"#), "ack");
        assert_eq!(kind(r#"{"key":"k"}"#), "");
    }
}
