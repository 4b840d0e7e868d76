//! How a socket ends, and how its client is told.

use std::{future::poll_fn, io, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message, protocol::CloseFrame};

use crate::model::error::OpError;

use super::{
    Form,
    socket::{Socket, write},
};

/// How long what a client has said may take to be done when it has gone.
const FINISH: Duration = Duration::from_secs(5);
/// How long a client has to take its leave.
const LEAVE: Duration = Duration::from_millis(200);

/// Why a socket ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The connection is no more.
    Gone,
    /// The client said goodbye, which is answered by itself.
    Left,
    /// The instance was deleted.
    Deleted,
    /// The right to be here has gone.
    Lost,
    /// The server stops.
    Stopping,
    /// The client takes too little.
    TooSlow,
    /// A large message of the client does not come to its end.
    TooLong,
    /// The client gives no sign of life.
    Silent,
    /// A message of the client was too large, or no message.
    Broken(u16),
}

impl Socket {
    /// Why it ends when the instance cannot be read.
    pub(super) fn ended(&self, error: &OpError) -> End {
        match error {
            _ if self.seat.is_deleted() => End::Deleted,
            OpError::Unauthenticated { .. } | OpError::PermissionDenied { .. } | OpError::NotFound { .. } => End::Lost,
            error => {
                tracing::warn!(%error, "a socket cannot be served");
                End::Broken(1011)
            }
        }
    }

    /// Does what the client has said and that is not done: an older client says it and goes, and knows of no answer.
    pub(super) async fn finish(&mut self, end: End) {
        if matches!(end, End::Deleted | End::Lost) {
            return;
        }
        let all = async {
            self.turns.finish(&self.seat).await;
            // Where writing has failed, what came before may still be read.
            while end == End::Gone && self.read_what_is_there() {
                self.turns.finish(&self.seat).await;
            }
        };
        timeout(FINISH, all).await.unwrap_or_default();
    }

    /// Takes in a message that has come already; whether there was one.
    fn read_what_is_there(&mut self) -> bool {
        let read = self.ws.next().now_or_never().flatten();
        read.is_some_and(|read| self.read(Some(read)).is_none())
    }

    /// Takes leave.
    pub(super) async fn close(mut self: Box<Self>, end: End) {
        let end = if end == End::Lost && self.seat.is_deleted() { End::Deleted } else { end };
        let (code, reason) = match end {
            End::Gone => return,
            End::Left => (1000, ""),
            End::Deleted => (1000, "Instance deleted"),
            End::Lost => (4001, "the right to be here was taken back"),
            End::Stopping => (1001, "the server stops"),
            End::TooSlow => (4002, "too slow"),
            End::TooLong => (4003, "a large message takes too long to arrive"),
            End::Silent => (4000, "no sign of life"),
            End::Broken(1009) => (1009, "a message is too large"),
            End::Broken(code) => (code, "no message of this protocol"),
        };
        if end == End::TooSlow {
            tracing::warn!("a client takes nothing of what it is sent and is disconnected");
        }
        if self.form == Form::Ours && !matches!(end, End::Left | End::TooSlow) && self.alarms.position.is_some() {
            self.tell_position();
        }
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        self.out.push_back(Message::Close((end != End::Left).then_some(frame)));
        let (ws, out) = (&mut self.ws, &mut self.out);
        let parting = async {
            if poll_fn(|context| write(ws, out, context)).await.is_err() {
                return;
            }
            // The client's goodbye: without it what was sent may be lost with the connection.
            while let Some(Ok(message)) = ws.next().await {
                if matches!(message, Message::Close(_)) {
                    break;
                }
            }
        };
        // Who does not take its leave in time is left without.
        timeout(LEAVE, parting).await.unwrap_or_default();
    }
}

/// What a fault of the connection means.
pub(super) fn broken(error: &Error) -> End {
    match error {
        Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => End::Broken(1002),
        Error::Io(_) | Error::ConnectionClosed | Error::AlreadyClosed => End::Gone,
        Error::Capacity(_) => End::Broken(1009),
        Error::Utf8(_) => End::Broken(1007),
        _ => End::Broken(1002),
    }
}
