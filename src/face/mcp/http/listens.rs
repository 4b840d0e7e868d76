//! Streams: subscriptions of the newer protocol, and what sessions of the older one hear on. Each is a response that
//! stays open, and there are only so many.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    http::{Method, StatusCode},
    middleware::Next,
    response::Response,
};
use futures_util::{StreamExt as _, stream};
use tokio::sync::Semaphore;

use crate::model::limits;

use crate::face::http::refuse;

/// Lets a stream in while there is a place for it, which it gives back when its response ends or its client has gone.
/// rmcp takes no subscription whose header does not name the method.
pub(super) async fn count(State(places): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    let is_listen = request.headers().get("mcp-method").is_some_and(|method| method == "subscriptions/listen");
    if !is_listen && request.method() != Method::GET {
        return next.run(request).await;
    }
    let Ok(place) = places.try_acquire_owned() else {
        let most = limits::LISTENS;
        let text = format!(
            "{most} subscriptions and streams of sessions are open, which is the most that this server serves: close \
             some, or ask for more resources in one"
        );
        return refuse(StatusCode::TOO_MANY_REQUESTS, &text);
    };
    next.run(request).await.map(|body| {
        let held = (body.into_data_stream(), place);
        Body::from_stream(stream::unfold(held, |(mut body, place)| async {
            let piece = body.next().await?;
            Some((piece, (body, place)))
        }))
    })
}
