//! Streams: subscriptions of the newer protocol, and what sessions of the older one hear on. Each is a response that
//! stays open, and there are only so many.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{RawPathParams, Request, State},
    http::{Method, StatusCode},
    middleware::Next,
    response::Response,
};
use futures_util::{StreamExt as _, stream};
use tokio::sync::Semaphore;

use crate::{
    access::proofs::Proofs,
    face::http::{refuse, refuse_for},
    kernel::{Hold, Lasting, Part},
    model::{error::OpError, limits, permission::Principal},
};

/// Lets a stream in while there is a place for it, which it gives back when its response ends or its client has gone.
/// rmcp takes no subscription whose header does not name the method.
pub(super) async fn count(
    State(places): State<Arc<Semaphore>>,
    params: RawPathParams,
    request: Request,
    next: Next,
) -> Response {
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
    let hold = match hold(&request, &params) {
        Ok(hold) => hold,
        Err(error) => return refuse_for(&error),
    };
    let place = match part(&request) {
        Ok(part) => (place, part),
        Err(error @ OpError::Overloaded { .. }) => {
            return refuse(StatusCode::TOO_MANY_REQUESTS, &error.to_string());
        }
        Err(error) => return refuse_for(&error),
    };
    next.run(request).await.map(|body| {
        let all = (body.into_data_stream(), place, hold);
        Body::from_stream(stream::unfold(all, |(mut body, place, hold)| async {
            let piece = tokio::select! {
                biased;
                () = lost(hold.as_ref()) => {
                    // A subscription ends with its result, if it is quick to say so.
                    tokio::time::timeout(LAST_WORDS, body.next()).await.ok()??
                }
                piece = body.next() => piece?,
            };
            Some((piece, (body, place, hold)))
        }))
    })
}

/// How long a stream may go on whose right has gone.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// A part of the address.
pub(super) fn param<'p>(params: &'p RawPathParams, wanted: &str) -> Option<&'p str> {
    params.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value)
}

/// The right that something lasting depends on; nothing for the local user, who cannot lose it.
pub(super) fn hold(request: &Request, params: &RawPathParams) -> Result<Option<Hold>, OpError> {
    let extensions = request.extensions();
    match (extensions.get::<Proofs>(), extensions.get::<Principal>()) {
        (Some(proofs), Some(principal)) => match param(params, "project") {
            Some(project) => proofs.hold_in(principal, project).map(Some),
            None => proofs.hold(principal, param(params, "instance").unwrap_or("default")).map(Some),
        },
        _ => Ok(None),
    }
}

/// A place of somebody's part of the streams; nothing for the local user, whose all are.
fn part(request: &Request) -> Result<Option<Part>, OpError> {
    let extensions = request.extensions();
    let known = extensions.get::<Proofs>().zip(extensions.get::<Principal>());
    known.map(|(proofs, principal)| proofs.part(principal, Lasting::Stream)).transpose()
}

/// Resolves when the right has gone.
pub(super) async fn lost(hold: Option<&Hold>) {
    match hold {
        Some(hold) => hold.lost().await,
        None => std::future::pending().await,
    }
}
