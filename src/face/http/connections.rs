//! Connections: Nagle's algorithm off, and who takes nothing for long is let go.
//!
//! A client that stops reading would otherwise keep its stream, its place among the listens and all that is waiting
//! for it, for as long as it likes.

use std::{
    future::{Pending, pending},
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::serve::Listener;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    time::{Timeout, timeout},
};

use super::STALLED;

/// The listener with both.
pub(super) struct Connections(pub(super) TcpListener);

impl Listener for Connections {
    type Io = Patient<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        // Nagle's algorithm makes an answer wait for the client's acknowledgement: 40 ms a call.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot switch Nagle's algorithm off");
        }
        (Patient::new(stream), address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

/// A stream that fails when its peer has taken nothing for [`STALLED`] although there is something to take.
pub(super) struct Patient<S> {
    stream: S,
    /// Runs while the peer takes nothing.
    waiting: Option<Pin<Box<Timeout<Pending<()>>>>>,
}

impl<S> Patient<S> {
    fn new(stream: S) -> Self {
        Self { stream, waiting: None }
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
        let (client, accepted) =
            tokio::join!(TcpStream::connect(address), async { Listener::accept(&mut Connections(listener)).await.0 });
        drop(client.unwrap());
        assert!(accepted.stream.nodelay().unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_let_go_and_who_takes_little_is_not() {
        let (stream, mut peer) = duplex(16);
        let mut stream = Patient::new(stream);
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
