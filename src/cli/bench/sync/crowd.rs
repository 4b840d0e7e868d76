//! A writer and all who hear it: each message carries its number, so that whoever hears it knows when it was sent.
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use futures_util::stream::SplitSink;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::cli::bench::figures::{number, per_second};
use crate::cli::bench::workload::{key, scattered};

use super::socket::{SILENCE, Socket, kind};

/// Keys that are written. More than are ever under way: what a slower hearer is told of is each change.
const KEYS: u64 = 100;
/// Before and behind the number of a message.
const MARK: char = '#';

/// What is published.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// A set with a value of so many bytes, of which a message comes to all.
    Set(usize),
    /// A text of so many bytes, which comes to all as it is.
    Bare(usize),
}

/// One writer and its hearers.
pub(super) struct Crowd {
    form: Form,
    writer: SplitSink<WebSocketStream<TcpStream>, Message>,
    /// What the writer itself is told is passed over; it ends with what went wrong.
    drained: JoinHandle<anyhow::Error>,
    hearers: Vec<Socket>,
    turn: u64,
}

/// How much is published.
#[derive(Clone, Copy)]
pub(super) struct Round {
    pub(super) messages: usize,
    /// Messages under way: sent and not yet heard by all.
    pub(super) window: usize,
}

/// What came of it.
pub(super) struct Published {
    /// Messages heard, each by each hearer.
    pub(super) heard: u64,
    pub(super) elapsed: Duration,
    /// Milliseconds from a message's sending to its arrival.
    pub(super) lags: Vec<f64>,
    /// Bytes of the last message as it was heard.
    pub(super) bytes: usize,
}

impl Published {
    pub(super) fn per_second(&self) -> Option<f64> {
        per_second(self.heard, self.elapsed)
    }
}

/// What writer and hearers share in a round.
struct Shared {
    begun: Instant,
    first: u64,
    /// Nanoseconds after `begun` at which each message was sent.
    sent: Vec<AtomicU64>,
    /// How many have not heard each message.
    left: Vec<AtomicUsize>,
    window: Semaphore,
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.drained.abort();
    }
}

impl Crowd {
    pub(super) fn new(form: Form, writer: Socket, hearers: Vec<Socket>) -> Self {
        let (writer, mut stream) = writer.ws.split();
        let drained = tokio::spawn(async move {
            loop {
                match stream.next().await {
                    Some(Ok(Message::Text(text))) if kind(&text) == "error" => break anyhow!("refused: {text}"),
                    Some(Ok(Message::Close(frame))) => break anyhow!("the server closed the writer: {frame:?}"),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => break error.into(),
                    None => break anyhow!("the server ended the writer's connection"),
                }
            }
        });
        Self { form, writer, drained, hearers, turn: 0 }
    }

    /// Publishes a round, and waits until all have heard all of it.
    pub(super) async fn publish(&mut self, round: Round) -> anyhow::Result<Published> {
        let hearers = self.hearers.len();
        let shared = Arc::new(Shared {
            begun: Instant::now(),
            first: self.turn,
            sent: (0..round.messages).map(|_| AtomicU64::new(0)).collect(),
            left: (0..round.messages).map(|_| AtomicUsize::new(hearers)).collect(),
            window: Semaphore::new(round.window),
        });
        let mut hearing = JoinSet::new();
        for socket in self.hearers.drain(..) {
            drop(hearing.spawn(hear(socket, Arc::clone(&shared))));
        }
        for sent in &shared.sent {
            let place = tokio::select! {
                place = timeout(SILENCE, shared.window.acquire()) => place.context("a message did not reach all")??,
                ended = &mut self.drained => return Err(ended?),
            };
            place.forget();
            let text = self.form.text(self.turn);
            self.turn += 1;
            sent.store(u64::try_from(shared.begun.elapsed().as_nanos())?, Ordering::Release);
            self.writer.send(Message::text(text)).await?;
        }
        let mut published = Published { heard: 0, elapsed: Duration::ZERO, lags: Vec::new(), bytes: 0 };
        while let Some(heard) = hearing.join_next().await {
            let (socket, lags, bytes) = heard??;
            self.hearers.push(socket);
            published.heard += u64::try_from(lags.len())?;
            published.lags.extend(lags);
            published.bytes = bytes;
        }
        published.elapsed = shared.begun.elapsed();
        Ok(published)
    }
}

/// Hears all messages of a round.
async fn hear(mut socket: Socket, shared: Arc<Shared>) -> anyhow::Result<(Socket, Vec<f64>, usize)> {
    let mut lags = Vec::with_capacity(shared.sent.len());
    let mut bytes = 0;
    while lags.len() < shared.sent.len() {
        let text = socket.next().await?;
        let Some(turn) = turn_in(&text) else {
            match kind(&text) {
                "resync" => bail!("a hearer fell behind: {text}"),
                _ => continue,
            }
        };
        let Some(nth) = turn.checked_sub(shared.first).map(usize::try_from) else { continue };
        let nth = nth?;
        let (sent, left) = shared.sent.get(nth).zip(shared.left.get(nth)).context("a message that nobody sent")?;
        let at = u64::try_from(shared.begun.elapsed().as_nanos())?;
        lags.push(number(at.saturating_sub(sent.load(Ordering::Acquire))) / 1e6);
        bytes = text.len();
        if left.fetch_sub(1, Ordering::AcqRel) == 1 {
            shared.window.add_permits(1);
        }
    }
    Ok((socket, lags, bytes))
}

impl Form {
    /// The message of a turn.
    fn text(self, turn: u64) -> String {
        let padded = |bytes: usize| format!("{MARK}{turn:010}{MARK}{:x<width$}", "", width = bytes.saturating_sub(12));
        match self {
            Self::Bare(bytes) => padded(bytes),
            Self::Set(bytes) => {
                json!({"type": "set", "key": key(scattered(turn, KEYS)), "value": padded(bytes)}).to_string()
            }
        }
    }
}

/// The number that a message carries.
fn turn_in(text: &str) -> Option<u64> {
    text.split_once(MARK)?.1.split_once(MARK)?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_carries_its_number_and_has_its_size() {
        let text = Form::Bare(200).text(7);
        assert_eq!((text.len(), turn_in(&text)), (200, Some(7)));
        assert_eq!(turn_in(&Form::Set(50).text(12)), Some(12));
        assert_eq!(turn_in(r#"{"type":"ack"}"#), None);
    }
}
