//! Sockets at several instances, one after the other written to by one client that keeps so many sets under way.
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::cli::bench::figures::{millis, per_second};
use crate::cli::bench::workload::{key, scattered, value};

use super::socket::{SILENCE, Socket, kind};

/// Keys of each instance that are written.
const KEYS: u64 = 100;
/// Acknowledgements that may wait to be looked at.
const WAITING: usize = 4096;

/// A set that was acknowledged, by its number, and when.
type Acked = anyhow::Result<(u64, Instant)>;

/// The sockets.
pub(super) struct Fleet {
    sinks: Vec<SplitSink<WebSocketStream<TcpStream>, Message>>,
    acks: Receiver<Acked>,
    turn: u64,
}

/// What the sets of one flight took.
pub(super) struct Flown {
    /// Milliseconds from each set to its acknowledgement.
    pub(super) trips: Vec<f64>,
    pub(super) elapsed: Duration,
}

impl Flown {
    pub(super) fn sets(&self) -> u64 {
        u64::try_from(self.trips.len()).unwrap_or(u64::MAX)
    }

    pub(super) fn per_second(&self) -> Option<f64> {
        per_second(self.sets(), self.elapsed)
    }
}

impl Fleet {
    /// Over sockets that have been shown their state. They are read on the runtime that this is called on.
    pub(super) fn of(sockets: Vec<Socket>) -> Self {
        let (tell, acks) = channel(WAITING);
        let mut sinks = Vec::new();
        for socket in sockets {
            let (sink, stream) = socket.ws.split();
            sinks.push(sink);
            drop(tokio::spawn(read(stream, tell.clone())));
        }
        Self { sinks, acks, turn: 0 }
    }

    /// Keeps so many sets under way for as long as `goes_on`, each written by itself, and waits for the last.
    pub(super) async fn fly(&mut self, in_flight: usize, goes_on: &dyn Fn() -> bool) -> anyhow::Result<Flown> {
        let (first, begun) = (self.turn, Instant::now());
        let mut sent: Vec<Instant> = Vec::new();
        let mut flown = Flown { trips: Vec::new(), elapsed: Duration::ZERO };
        loop {
            while sent.len() - flown.trips.len() < in_flight && goes_on() {
                let turn = usize::try_from(self.turn)?;
                let at = turn.checked_rem(self.sinks.len()).context("no socket")?;
                let write = json!({"type": "set", "opId": self.turn.to_string(),
                    "key": key(scattered(self.turn, KEYS)), "value": value(self.turn)});
                let sink = self.sinks.get_mut(at).context("no socket")?;
                self.turn += 1;
                sent.push(Instant::now());
                sink.send(Message::text(write.to_string())).await?;
            }
            if sent.len() == flown.trips.len() {
                return Ok(flown);
            }
            let acked = timeout(SILENCE, self.acks.recv()).await.context("a set was not acknowledged")?;
            let (turn, at) = acked.context("all sockets were closed")??;
            let nth = turn.checked_sub(first).context("an earlier set was acknowledged again")?;
            let of = sent.get(usize::try_from(nth)?).context("an acknowledgement of nothing asked")?;
            flown.trips.push(millis(at.duration_since(*of)));
            flown.elapsed = at.duration_since(begun);
        }
    }
}

/// Reads what a socket is told to its end, and tells of acknowledgements. A bare broadcast sends the set itself back.
async fn read(mut stream: SplitStream<WebSocketStream<TcpStream>>, tell: Sender<Acked>) {
    while let Some(message) = stream.next().await {
        let acked = match message {
            Ok(Message::Text(text)) => match kind(&text) {
                "ack" | "set" => number(&text),
                "error" => Err(anyhow!("the server refused: {text}")),
                _ => continue,
            },
            Ok(Message::Close(frame)) => Err(anyhow!("the server closed a socket: {frame:?}")),
            Ok(_) => continue,
            Err(error) => Err(error.into()),
        };
        if tell.send(acked).await.is_err() {
            return;
        }
    }
}

fn number(text: &str) -> Acked {
    let id = text.split_once(r#""opId":""#).and_then(|(_, rest)| rest.split_once('"'));
    match id {
        Some((id, _)) => Ok((id.parse()?, Instant::now())),
        None => bail!("an acknowledgement of nothing: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_set_is_found_in_its_acknowledgement() {
        assert_eq!(number(r#"{"type":"ack","opId":"12","key":"k"}"#).unwrap().0, 12);
        assert!(number(r#"{"type":"ack"}"#).is_err());
    }
}
