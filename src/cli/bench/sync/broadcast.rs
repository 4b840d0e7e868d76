//! The floor under `bench sync`: every message that comes in is sent to all who are connected, on the WebSocket library
//! that `serve` uses, and nothing around it: nothing is kept, nobody is asked who they are.

use std::io::Write as _;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast::{Sender, channel, error::RecvError};
use tokio_tungstenite::accept_async_with_config;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

/// Messages that are kept for who is slow.
const KEPT: usize = 16_384;
/// Messages that go out together.
const TOGETHER: usize = 64;
/// The buffers of `serve`.
const READ_BUFFER: usize = 4 * 1024;
const WRITE_BUFFER: usize = 16 * 1024;

/// What is answered, and passed on to nobody.
pub(super) const PING: &str = r#"{"type":"ping"}"#;
const PONG: &str = r#"{"type":"pong"}"#;
/// Who says this is sent nothing but answers.
pub(super) const QUIET: &str = r#"{"type":"quiet"}"#;

/// Serves on a free port of the loopback, for ever.
pub(in super::super) fn run() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        writeln!(std::io::stdout().lock(), "listening on http://{}", listener.local_addr()?)?;
        let (tell, _) = channel(KEPT);
        loop {
            let (stream, _) = listener.accept().await?;
            let tell = tell.clone();
            drop(tokio::spawn(async move {
                if let Err(error) = serve(stream, tell).await {
                    tracing::debug!(%error, "a client has gone");
                }
            }));
        }
    })
}

async fn serve(stream: TcpStream, tell: Sender<Utf8Bytes>) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut heard = tell.subscribe();
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER).write_buffer_size(WRITE_BUFFER);
    let mut ws = accept_async_with_config(stream, Some(config)).await?;
    let mut is_quiet = false;
    loop {
        tokio::select! {
            message = ws.next() => match message.transpose()? {
                None => return Ok(()),
                Some(Message::Text(text)) if text.as_str() == PING => ws.send(Message::text(PONG)).await?,
                Some(Message::Text(text)) if text.as_str() == QUIET => is_quiet = true,
                // Without listeners it is for nobody.
                Some(Message::Text(text)) => drop(tell.send(text)),
                Some(_) => {}
            },
            told = heard.recv(), if !is_quiet => {
                match told {
                    Ok(text) => ws.feed(Message::Text(text)).await?,
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return Ok(()),
                }
                for _ in 1..TOGETHER {
                    let Ok(text) = heard.try_recv() else { break };
                    ws.feed(Message::Text(text)).await?;
                }
                ws.flush().await?;
            }
        }
    }
}
