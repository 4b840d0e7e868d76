//! What changes, as it happens: server-sent events, which a client resumes with `Last-Event-ID`.
//!
//! `change` carries one change with the row that the key became; `position` says how far the client has come and how far
//! the instance is; `truncated` that the log does not hold what came next, so that the keys are to be read anew;
//! `signed_out` that the sign-in has ended.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, header},
    response::{
        IntoResponse as _, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::{sync::OwnedSemaphorePermit, time::timeout};

use crate::{
    access::sign_in::Watched,
    face::http::Who,
    kernel::{
        Lasting, Part,
        feed::{Feed, Live},
    },
    model::{error::OpError, instance::InstanceRef},
};

use super::{LOOK_EVERY, Rest, begin, caller, marks, problem::Problem};

/// How often a comment shows that the connection is alive.
const ALIVE_EVERY: Duration = Duration::from_secs(10);

/// Follows an instance from `Last-Event-ID`, from `since`, or from now on.
pub(super) async fn follow(
    State(rest): State<Arc<Rest>>,
    Extension(who): Extension<Who>,
    Path(instance): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let instance = InstanceRef::parse(&instance)?;
    let caller = caller(&who, &headers);
    begin(&rest.kernel, &caller, &instance).await?;
    let feed = rest.kernel.feed_since(&caller, &instance, marks::since(query.as_deref(), &headers)?)?;
    let place = Arc::clone(&rest.listens).try_acquire_owned().map_err(|_| Lasting::Stream.full())?;
    let place = (place, rest.kernel.part(&caller.principal, Lasting::Stream)?);
    let sign_in = rest.watch(&who);
    let first = position(feed.seen(), feed.seen());
    let following = Following { feed, rest, sign_in, place, ready: VecDeque::from([first]), is_over: false };
    let events = stream::unfold(following, |mut following| async move {
        let event = following.next().await?;
        Some((Ok::<_, Infallible>(event), following))
    });
    let events = Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE_EVERY));
    Ok(([(header::CACHE_CONTROL, "no-store")], events).into_response())
}

struct Following {
    feed: Feed,
    rest: Arc<Rest>,
    sign_in: Option<Watched>,
    #[expect(dead_code, reason = "it is free again when the client has gone")]
    place: (OwnedSemaphorePermit, Part),
    ready: VecDeque<Event>,
    is_over: bool,
}

impl Following {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.is_over {
                return None;
            }
            if self.sign_in.as_mut().is_some_and(|sign_in| !sign_in.holds()) {
                self.end(Event::default().event("signed_out").data("{}"));
                continue;
            }
            let found = tokio::select! {
                biased;
                () = self.rest.leaving.cancelled() => return None,
                found = timeout(LOOK_EVERY, self.feed.next_live()) => found,
            };
            match found {
                Ok(Ok(live)) => self.show(&live),
                Ok(Err(OpError::LogTruncated { floor })) => {
                    let data = json!({"floor": floor}).to_string();
                    self.end(Event::default().event("truncated").data(data));
                }
                Ok(Err(error)) => {
                    let data = Value::Object(error.to_json()).to_string();
                    self.end(Event::default().event("failed").data(data));
                }
                // Nothing has happened.
                Err(_) => {}
            }
        }
    }

    fn show(&mut self, live: &Live) {
        for change in &live.changes {
            match serde_json::to_string(change) {
                Ok(data) => {
                    self.ready.push_back(Event::default().event("change").id(change.seq.to_string()).data(data));
                }
                Err(error) => tracing::warn!(%error, "a change cannot be shown"),
            }
        }
        self.ready.push_back(position(live.as_of_seq, live.head_seq));
    }

    fn end(&mut self, event: Event) {
        self.ready.push_back(event);
        self.is_over = true;
    }
}

fn position(as_of_seq: u64, head_seq: u64) -> Event {
    let data = json!({"as_of_seq": as_of_seq, "head_seq": head_seq}).to_string();
    Event::default().event("position").id(as_of_seq.to_string()).data(data)
}
