//! The stdio transport of the MCP server: newline-delimited JSON-RPC over any two byte streams.
//!
//! It stands in for the transport of `rmcp`, which leaves three gaps a client would feel: a line
//! it cannot read gets no answer at all, a notification that arrives before the first request
//! ends the server, and the end of the input is not told to anyone else. Here
//!
//! - every line that is not a notification or a response is answered, with the id of the request
//!   where one can be known and `null` where not;
//! - messages that `rmcp` could not survive before the session is open are dropped;
//! - the end of the input, and a client that stopped reading, cancel a token the caller holds.
//!
//! Requests are decoded by method rather than through the untagged unions of `rmcp`, which try
//! every variant in turn: that is faster, and the only way to say what is wrong with parameters.
//! Nothing here logs a payload.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{ClientRequest, GetExtensions as _, GetMeta as _, JsonRpcMessage, JsonRpcRequest, ProtocolVersion};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::message::{self, Message};
use crate::model::limits;

use decode::{Refusal, decode};
use input::{Input, Line};

mod decode;
mod input;
#[cfg(test)]
mod limits_tests;
mod standard;
#[cfg(test)]
mod tests;

/// The longest line that is read; a longer one is skipped and answered with an error.
pub use crate::model::limits::MESSAGE_BYTES as MAX_LINE_BYTES;

/// A buffer that grew beyond this is given back once it is nearly empty.
const KEPT_BUFFER_BYTES: usize = 256 * 1024;
/// With more than this waiting to be written, nothing more is read until the client has caught up.
const MAX_UNWRITTEN_BYTES: usize = limits::UNWRITTEN_BYTES;
/// What a request under way takes at least of the room for all of them.
const LEAST_ROOM_BYTES: usize = limits::IN_FLIGHT_BYTES / limits::IN_FLIGHT;
/// The room is counted in these, since a semaphore counts no further than 2^29.
const ROOM_UNIT_BYTES: usize = 1024;

/// What requests that last can take of it.
const LASTING_ROOM_BYTES: usize =
    limits::WAITS_OF_SESSION * limits::LASTING_BYTES + limits::LISTENS_OF_CONNECTION * limits::LARGE_BYTES;

// What lasts leaves room for what does not: the connection is not read while there is none.
const _: () = assert!(LASTING_ROOM_BYTES < limits::IN_FLIGHT_BYTES && LEAST_ROOM_BYTES < limits::LASTING_BYTES);
/// How long closing may wait for a client that does not read.
const CLOSE_GRACE: Duration = Duration::from_millis(500);

type Inbound = RxJsonRpcMessage<RoleServer>;
type Outbound = TxJsonRpcMessage<RoleServer>;

/// The standard input, whatever kind of file it is.
pub type StandardInput = Box<dyn AsyncRead + Send + Unpin>;
/// The standard output, whatever kind of file it is.
pub type StandardOutput = Box<dyn AsyncWrite + Send + Unpin>;

/// A server's end of newline-delimited JSON-RPC over a reader and a writer.
pub struct StdioTransport<R, W> {
    input: Input<R>,
    output: Arc<Output<W>>,
    /// An answer of the transport itself is queued and must be out before more is read, so that
    /// a client that only sends nonsense is slowed down rather than buffered for.
    answer_queued: bool,
    /// Whether the session loop of `rmcp` is past its opening and can take any message.
    session_open: bool,
    /// The place of the large line that is being read.
    large: Option<OwnedSemaphorePermit>,
    large_places: Arc<Semaphore>,
    /// A request that waits for room, and how much it needs.
    next: Option<(Box<JsonRpcRequest<ClientRequest>>, u32)>,
    room: Arc<Semaphore>,
}

/// The room of a request: it goes with it, and is free again when the request has been answered.
#[derive(Clone)]
struct Room {
    _held: Arc<OwnedSemaphorePermit>,
}

/// The transport over the standard streams of this process.
///
/// Must be called once, within a Tokio runtime that drives I/O, or else it panics. On a stream
/// that is neither a pipe nor a socket a read that waits holds up the shutdown of the runtime,
/// so end the process with `std::process::exit`.
#[must_use]
pub fn stdio(end_of_input: CancellationToken) -> StdioTransport<StandardInput, StandardOutput> {
    StdioTransport::new(standard::input(), standard::output(), end_of_input)
}

impl<R, W> StdioTransport<R, W> {
    /// Make a transport that cancels `end_of_input` when the reader ends or the writer fails.
    #[must_use]
    pub fn new(reader: R, writer: W, end_of_input: CancellationToken) -> Self {
        Self {
            input: Input::new(reader),
            output: Arc::new(Output::new(writer, end_of_input)),
            answer_queued: false,
            session_open: false,
            large: None,
            large_places: message::places(),
            next: None,
            room: Arc::new(Semaphore::new(limits::IN_FLIGHT_BYTES / ROOM_UNIT_BYTES)),
        }
    }

    /// Whether the session loop may see this message.
    ///
    /// Until the session is open `rmcp` takes anything but a request for a fatal error, though a
    /// client may well cancel its first probe. The loop leaves that state at `initialize` or at
    /// the first request that carries the metadata of the protocol without a handshake; the same
    /// test here keeps a request that was merely refused from opening the gate.
    fn admits(&mut self, message: &Inbound) -> bool {
        if self.session_open {
            return true;
        }
        let JsonRpcMessage::Request(request) = message else {
            tracing::debug!("dropped a message that came before the first request");
            return false;
        };
        self.session_open = match &request.request {
            ClientRequest::InitializeRequest(_) => true,
            ClientRequest::DiscoverRequest(_) | ClientRequest::PingRequest(_) => false,
            other => {
                let meta = other.get_meta();
                let known = |version| ProtocolVersion::KNOWN_VERSIONS.contains(&version);
                meta.missing_required_keys(&ProtocolVersion::V_2026_07_28).is_empty()
                    && meta.protocol_version().is_some_and(known)
            }
        };
        true
    }
}

impl<R, W> StdioTransport<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin,
{
    /// The next message for the session, or `None` at the end.
    ///
    /// May be dropped at any await and called again: everything half done is in `self`.
    async fn next_message(&mut self) -> Option<Inbound> {
        loop {
            if self.answer_queued || self.output.is_backed_up() {
                self.output.flush().await.ok()?;
                self.answer_queued = false;
            }
            if self.next.is_some() {
                return self.take_next().await;
            }
            let Some(line) = self.input.take_line() else {
                if self.input.is_at_large() && self.large.is_none() {
                    self.large = Some(acquired(&self.large_places, 1, &self.output.closed).await?);
                }
                tokio::select! {
                    biased;
                    () = self.output.closed.cancelled() => return None,
                    () = self.input.fill() => continue,
                }
            };
            let large = self.large.take();
            let (bytes, decoded) = match line {
                Line::Complete(range) => (range.len(), decode(self.input.bytes(range))),
                Line::TooLong(id) => (0, Err(Refusal::too_long(id))),
                Line::End => return None,
            };
            match decoded {
                Ok(Some(message)) if self.admits(&message) => match message {
                    JsonRpcMessage::Request(request) => self.next = Some(weighed(request, bytes, large)),
                    // It needs no answer, and may be what ends a request.
                    other => return Some(other),
                },
                Ok(_) => {}
                Err(refusal) => {
                    tracing::debug!(code = refusal.error.code.0, "refused a line");
                    self.output.enqueue(&refusal).ok()?;
                    self.answer_queued = true;
                }
            }
        }
    }

    /// The request that was read, once there is room for it.
    async fn take_next(&mut self) -> Option<Inbound> {
        let (_, units) = self.next.as_ref()?;
        let room = acquired(&self.room, *units, &self.output.closed).await?;
        let (mut request, _) = self.next.take()?;
        request.request.extensions_mut().insert(Room { _held: Arc::new(room) });
        Some(JsonRpcMessage::Request(*request))
    }
}

/// Waits for a place, unless nothing can be answered any more.
async fn acquired(places: &Arc<Semaphore>, count: u32, closed: &CancellationToken) -> Option<OwnedSemaphorePermit> {
    tokio::select! {
        biased;
        () = closed.cancelled() => None,
        place = Arc::clone(places).acquire_many_owned(count) => place.ok(),
    }
}

/// The request with what is known of its message, and how much room it needs. A large one has its own place.
fn weighed(
    mut request: JsonRpcRequest<ClientRequest>,
    bytes: usize,
    large: Option<OwnedSemaphorePermit>,
) -> (Box<JsonRpcRequest<ClientRequest>>, u32) {
    let counted = if large.is_some() { 0 } else { bytes };
    if bytes > limits::LASTING_BYTES {
        let message = Message::default();
        message.grow(bytes);
        if let Some(place) = large {
            message.keep(place);
        }
        request.request.extensions_mut().insert(message);
    }
    let units = counted.max(LEAST_ROOM_BYTES).div_ceil(ROOM_UNIT_BYTES);
    (Box::new(request), u32::try_from(units).unwrap_or(u32::MAX))
}

impl<R, W> Transport<RoleServer> for StdioTransport<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = io::Error;

    /// Queue the message now, so that messages leave in the order they were sent, and let
    /// whichever future comes first write all that is queued.
    fn send(&mut self, message: Outbound) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let queued = self.output.enqueue(&message);
        let output = Arc::clone(&self.output);
        async move {
            queued?;
            output.flush().await
        }
    }

    async fn receive(&mut self) -> Option<Inbound> {
        let message = self.next_message().await;
        if message.is_none() {
            self.output.end_of_input.cancel();
        }
        message
    }

    async fn close(&mut self) -> io::Result<()> {
        let flushed = tokio::time::timeout(CLOSE_GRACE, async {
            // A failed write has already been reported to the sender.
            self.output.flush().await.ok();
            self.output.sink.lock().await.writer = None;
        });
        if flushed.await.is_err() {
            tracing::debug!("closed the output while the client was not reading");
        }
        self.output.closed.cancel();
        Ok(())
    }
}

/// The writing half. Whole messages are queued; one writer at a time moves the queue out.
struct Output<W> {
    queue: Mutex<Vec<u8>>,
    /// How many bytes were queued and are not yet written.
    unwritten: AtomicUsize,
    sink: tokio::sync::Mutex<Sink<W>>,
    /// Nothing more can be written.
    closed: CancellationToken,
    end_of_input: CancellationToken,
}

struct Sink<W> {
    writer: Option<W>,
    /// What is being written, and how much of it is: kept here because a future that writes may
    /// be dropped halfway, and the next one has to go on at the very same byte.
    chunk: Vec<u8>,
    written: usize,
}

impl<W> Output<W> {
    fn new(writer: W, end_of_input: CancellationToken) -> Self {
        Self {
            queue: Mutex::default(),
            unwritten: AtomicUsize::new(0),
            sink: tokio::sync::Mutex::new(Sink { writer: Some(writer), chunk: Vec::new(), written: 0 }),
            closed: CancellationToken::new(),
            end_of_input,
        }
    }

    fn queue(&self) -> MutexGuard<'_, Vec<u8>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_backed_up(&self) -> bool {
        self.unwritten.load(Ordering::Relaxed) > MAX_UNWRITTEN_BYTES
    }

    fn enqueue(&self, message: &impl Serialize) -> io::Result<()> {
        if self.closed.is_cancelled() {
            return Err(io::ErrorKind::NotConnected.into());
        }
        let mut queue = self.queue();
        let before = queue.len();
        if let Err(error) = serde_json::to_writer(&mut *queue, message) {
            queue.truncate(before);
            return Err(error.into());
        }
        queue.push(b'\n');
        self.unwritten.fetch_add(queue.len() - before, Ordering::Relaxed);
        Ok(())
    }
}

impl<W: AsyncWrite + Unpin> Output<W> {
    /// Write everything queued so far. On failure the transport is over.
    async fn flush(&self) -> io::Result<()> {
        let mut sink = self.sink.lock().await;
        let outcome = self.write_queue(&mut sink).await;
        if let Err(error) = &outcome
            && !self.closed.is_cancelled()
        {
            tracing::debug!(%error, "writing the output failed");
            sink.writer = None;
            self.closed.cancel();
            self.end_of_input.cancel();
        }
        outcome
    }

    async fn write_queue(&self, sink: &mut Sink<W>) -> io::Result<()> {
        let writer = sink.writer.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        loop {
            while let Some(rest) = sink.chunk.get(sink.written..).filter(|b| !b.is_empty()) {
                match writer.write(rest).await? {
                    0 => return Err(io::ErrorKind::WriteZero.into()),
                    written => {
                        sink.written += written;
                        self.unwritten.fetch_sub(written, Ordering::Relaxed);
                    }
                }
            }
            sink.chunk.clear();
            sink.chunk.shrink_to(KEPT_BUFFER_BYTES);
            sink.written = 0;
            std::mem::swap(&mut sink.chunk, &mut *self.queue());
            if sink.chunk.is_empty() {
                return writer.flush().await;
            }
        }
    }
}
