//! Bodies of JSON. A large one has to be held whole, so only so many come in at a time, and each in its time.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use futures_util::StreamExt as _;
use serde_json::{Map, Value};
use tokio::{sync::Semaphore, time::Instant};

use crate::model::{error::OpError, limits};

/// Reads a body as an object; nothing is an empty one. Errors: `too_large`; `invalid_argument` for what is no object or
/// does not arrive.
pub(super) async fn object(body: Body, places: &Arc<Semaphore>) -> Result<Map<String, Value>, OpError> {
    let bytes = whole(body, places).await?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    serde_json::from_slice(&bytes)
        .map_err(|error| OpError::invalid("body", format!("it is the arguments as a JSON object: {error}"), ""))
}

/// Reads a body.
pub(super) async fn whole(body: Body, places: &Arc<Semaphore>) -> Result<Vec<u8>, OpError> {
    let late = || OpError::invalid("body", "it did not arrive whole: send it again", "");
    let (mut pieces, mut bytes) = (body.into_data_stream(), Vec::new());
    let mut place = None;
    let mut until = Instant::now() + Duration::from_millis(limits::LARGE_MS);
    loop {
        let piece = tokio::time::timeout_at(until, pieces.next()).await.map_err(|_| late())?;
        let Some(piece) = piece else { return Ok(bytes) };
        bytes.extend_from_slice(&piece.map_err(|_| late())?);
        if bytes.len() > limits::MESSAGE_BYTES {
            return Err(OpError::TooLarge {
                what: "the body".into(),
                got_bytes: bytes.len() as u64,
                limit_bytes: limits::MESSAGE_BYTES as u64,
                remedy: "Send a large value as it is: PUT …/keys/{key}".into(),
            });
        }
        if bytes.len() > limits::LARGE_BYTES && place.is_none() {
            place = Some(places.acquire().await.map_err(|_| late())?);
            until = Instant::now() + Duration::from_millis(limits::LARGE_MS);
        }
    }
}
