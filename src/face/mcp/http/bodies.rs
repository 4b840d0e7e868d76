//! Bodies over the limit: read to their end, so that the refusal reaches a client that is still sending and its
//! connection goes on.

use axum::{
    body::{Body, Bytes, HttpBody as _},
    extract::Request,
    middleware::Next,
    response::Response,
};
use futures_util::{StreamExt as _, stream};

use crate::model::limits;

/// Hands on as much of a body as rmcp takes, and the piece that is too much when all others have been read.
pub(super) async fn drain(request: Request, next: Next) -> Response {
    // One that says that it is small enough is cut by HTTP itself.
    if request.body().size_hint().upper().is_some_and(|most| most <= limits::MESSAGE_BYTES as u64) {
        return next.run(request).await;
    }
    let request = request.map(|body| {
        Body::from_stream(stream::unfold((body.into_data_stream(), 0), |(mut pieces, taken)| async move {
            let piece = pieces.next().await?;
            let taken = taken + piece.as_ref().map_or(0, Bytes::len);
            if taken > limits::MESSAGE_BYTES {
                while pieces.next().await.is_some_and(|piece| piece.is_ok()) {}
            }
            Some((piece, (pieces, taken)))
        }))
    });
    next.run(request).await
}
