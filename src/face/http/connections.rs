//! Connections: only so many, Nagle's algorithm off, and who takes nothing for long is let go.
//!
//! A client that stops reading would otherwise keep its stream, its place among the listens and all that is waiting
//! for it, for as long as it likes.

use std::{
    future::{Pending, pending},
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Timeout, timeout},
};

use super::STALLED;

/// What a client gets that is one too many: it is not left to wait for nothing.
const FULL: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n\
                    Retry-After: 1\r\n\r\n\
                    {\"error\":\"this server has as many connections as it takes: close some, then try again\"}\n";

/// From where a connection comes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

impl Connected<IncomingStream<'_, Connections>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Connections>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// The listener with all that.
pub(super) struct Connections {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

impl Connections {
    /// So many over a listener.
    pub(super) fn at_most(most: usize, listener: TcpListener) -> Self {
        Self { listener, places: Arc::new(Semaphore::new(most)) }
    }
}

impl Listener for Connections {
    type Io = Patient<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (mut stream, address) = Listener::accept(&mut self.listener).await;
            // Nagle's algorithm makes an answer wait for the client's acknowledgement: 40 ms a call.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "cannot switch Nagle's algorithm off");
            }
            if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
                return (Patient::new(stream, Some(place)), address);
            }
            // A new connection has room for so little: nobody is waited for.
            if let Err(error) = stream.write_all(FULL.as_bytes()).await {
                tracing::debug!(%error, "a client that was one too many was not told");
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A stream that fails when its peer has taken nothing for [`STALLED`] although there is something to take.
pub(super) struct Patient<S> {
    stream: S,
    /// Runs while the peer takes nothing.
    waiting: Option<Pin<Box<Timeout<Pending<()>>>>>,
    #[expect(dead_code, reason = "it is free again when the connection is dropped")]
    place: Option<OwnedSemaphorePermit>,
}

impl<S> Patient<S> {
    fn new(stream: S, place: Option<OwnedSemaphorePermit>) -> Self {
        Self { stream, waiting: None, place }
    }

    fn taken(&mut self, taken: Poll<io::Result<usize>>, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if taken.is_ready() {
            self.waiting = None;
            return taken;
        }
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(timeout(STALLED, pending())));
        // What never resolves can only have run out of time.
        drop(ready!(waiting.as_mut().poll(context)));
        tracing::warn!("a client has taken nothing for {} s and is disconnected", STALLED.as_secs());
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let taken = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.taken(taken, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let taken = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.taken(taken, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, duplex},
        time::Instant,
    };

    use super::*;

    #[tokio::test]
    async fn defect_12_connections_do_not_wait_for_acknowledgements() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(address), async {
            Listener::accept(&mut Connections::at_most(1, listener)).await.0
        });
        drop(client.unwrap());
        assert!(accepted.stream.nodelay().unwrap());
    }

    #[tokio::test]
    async fn one_connection_too_many_is_told_so_and_there_is_room_when_another_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut connections = Connections::at_most(1, listener);
        let first = tokio::join!(TcpStream::connect(address), Listener::accept(&mut connections));
        let refused = async {
            let mut told = String::new();
            TcpStream::connect(address).await.unwrap().read_to_string(&mut told).await.unwrap();
            drop(first);
            assert!(told.starts_with("HTTP/1.1 503 ") && told.contains("close some"), "{told}");
            TcpStream::connect(address).await.unwrap()
        };
        let (again, _accepted) = tokio::join!(refused, Listener::accept(&mut connections));
        drop(again);
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_let_go_and_who_takes_little_is_not() {
        let (stream, mut peer) = duplex(16);
        let mut stream = Patient::new(stream, None);
        let reader = tokio::spawn(async move {
            for _ in 0..10 {
                drop(timeout(STALLED / 2, pending::<()>()).await);
                peer.read_u8().await.unwrap();
            }
            drop(timeout(STALLED * 10, pending::<()>()).await);
            drop(peer);
        });
        stream.write_all(&[0; 26]).await.unwrap();
        let full = Instant::now();
        let error = stream.write_all(&[0; 17]).await.unwrap_err();
        assert_eq!((error.kind(), full.elapsed()), (io::ErrorKind::TimedOut, STALLED));
        reader.abort();
    }
}
