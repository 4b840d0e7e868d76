//! Bodies that are more than small. A large one has to be held whole, so only so many come in at a time; one over the
//! limit is read to its end, so that the refusal reaches a client that is still sending and its connection goes on.

use std::{io, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes, HttpBody as _},
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::Response,
};
use futures_util::{Stream, StreamExt as _, stream};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use crate::{
    face::{http::refuse, mcp::message::Message},
    model::limits,
};

/// Hands a body on to rmcp as it comes, a large one when it has a place. The place goes with the request to its handler,
/// and is free again when nobody has the request any more.
pub(super) async fn take_in(State(places): State<Arc<Semaphore>>, mut request: Request, next: Next) -> Response {
    let most = request.body().size_hint().upper();
    if most.is_some_and(|most| most <= limits::LASTING_BYTES as u64) {
        return next.run(request).await;
    }
    let message = Message::default();
    request.extensions_mut().insert(message.clone());
    let arriving = request.map(|body| Body::from_stream(arriving(body.into_data_stream(), message.clone(), places)));
    let response = next.run(arriving).await;
    if message.is_late() {
        let seconds = limits::LARGE_MS / 1000;
        return refuse(
            StatusCode::REQUEST_TIMEOUT,
            &format!("the body did not arrive within {seconds} s, and others wait to send theirs: send it again"),
        );
    }
    // In a session the answer begins before the request is done: its handler holds the place.
    response
}

/// The pieces of a body: those that make it large when it has a place, and the one that is too much when all others
/// have been read.
fn arriving<E: Into<axum::BoxError>>(
    pieces: impl Stream<Item = Result<Bytes, E>> + Unpin,
    message: Message,
    places: Arc<Semaphore>,
) -> impl Stream<Item = Result<Bytes, axum::BoxError>> {
    stream::unfold(Arriving { pieces, message, places, until: None }, |mut body| async move {
        let piece = body.next().await?;
        Some((piece, body))
    })
}

struct Arriving<P> {
    pieces: P,
    message: Message,
    places: Arc<Semaphore>,
    /// When a large one must have come.
    until: Option<Instant>,
}

impl<E: Into<axum::BoxError>, P: Stream<Item = Result<Bytes, E>> + Unpin> Arriving<P> {
    async fn next(&mut self) -> Option<Result<Bytes, axum::BoxError>> {
        let piece = match self.piece().await? {
            Ok(piece) => piece,
            Err(error) => return Some(Err(error)),
        };
        self.message.grow(piece.len());
        if self.message.bytes() > limits::LARGE_BYTES && self.until.is_none() {
            let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
            self.message.keep(place);
            self.until = Some(Instant::now() + Duration::from_millis(limits::LARGE_MS));
        }
        if self.message.bytes() > limits::MESSAGE_BYTES {
            while self.piece().await.is_some_and(|piece| piece.is_ok()) {}
        }
        Some(Ok(piece))
    }

    /// The next piece. Who has a place does not keep it by sending nothing.
    async fn piece(&mut self) -> Option<Result<Bytes, axum::BoxError>> {
        let Some(until) = self.until else { return Some(self.pieces.next().await?.map_err(Into::into)) };
        if let Ok(piece) = timeout_at(until, self.pieces.next()).await {
            return Some(piece?.map_err(Into::into));
        }
        self.message.give_up();
        Some(Err(io::Error::from(io::ErrorKind::TimedOut).into()))
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, future::pending};

    use super::*;

    const PIECE: usize = 256 * 1024;

    /// Takes a body of this size in, and says how it ended; one that never ends stalls.
    async fn take(bytes: usize, stalls: bool, places: &Arc<Semaphore>) -> (Message, Result<usize, axum::BoxError>) {
        let pieces = stream::iter((0..bytes / PIECE).map(|_| Ok::<_, Infallible>(Bytes::from(vec![0; PIECE]))));
        let rest = stream::once(async move { if stalls { pending().await } else { Ok(Bytes::new()) } });
        let message = Message::default();
        let mut body = Box::pin(arriving(Box::pin(pieces.chain(rest)), message.clone(), Arc::clone(places)));
        let mut taken = 0;
        while let Some(piece) = body.next().await {
            match piece {
                Ok(piece) => taken += piece.len(),
                Err(error) => return (message, Err(error)),
            }
        }
        (message, Ok(taken))
    }

    #[tokio::test(start_paused = true)]
    async fn two_large_bodies_come_in_at_a_time_and_the_third_when_one_is_answered() {
        let places = Arc::new(Semaphore::new(limits::LARGE_MESSAGES));
        let (first, taken) = take(limits::LARGE_BYTES + PIECE, false, &places).await;
        assert_eq!(taken.unwrap(), limits::LARGE_BYTES + PIECE);
        let (second, _) = take(limits::LARGE_BYTES * 2, false, &places).await;
        assert!(first.has_place() && second.has_place());
        let at_the_limit = take(limits::LARGE_BYTES, false, &places).await;
        assert!(at_the_limit.1.is_ok() && !at_the_limit.0.has_place(), "what is not large needs no place");
        let third = take(limits::LARGE_BYTES + PIECE, false, &places);
        let mut third = std::pin::pin!(third);
        assert!(timeout_at(Instant::now() + Duration::from_mins(10), &mut third).await.is_err());
        first.release();
        assert!(third.await.1.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_body_that_does_not_come_gives_its_place_back() {
        let places = Arc::new(Semaphore::new(1));
        let start = Instant::now();
        let (late, ended) = take(limits::LARGE_BYTES + PIECE, true, &places).await;
        assert!(ended.is_err() && late.is_late());
        assert_eq!(start.elapsed(), Duration::from_millis(limits::LARGE_MS));
        assert!(take(limits::LARGE_BYTES + PIECE, false, &places).await.1.is_ok());
        // A small one is not hurried: it keeps nobody waiting.
        let slow = take(limits::LARGE_BYTES, true, &places);
        assert!(timeout_at(Instant::now() + Duration::from_millis(limits::LARGE_MS * 10), slow).await.is_err());
    }
}
