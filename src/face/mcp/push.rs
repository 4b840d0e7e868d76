//! Telling clients what changed: one loop for both eras, over the feed of the instance.
//!
//! `resources/updated` goes out at once, then at most once per URI and 100 ms, and never loses the last: it carries
//! no value, so ten writes need one message. `list_changed` makes a client fetch everything anew and lose its prompt
//! cache, so for what agents do it comes at most every 5 s; what a person does is told at once.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rmcp::{
    RoleServer,
    model::ResourceUpdatedNotificationParam,
    service::{Peer, SubscriptionSink},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{kernel::feed::Feed, ops::keys::feed::Notice};

use super::resources::Subject;

/// Least time between two notifications of one URI.
const PER_URI: Duration = Duration::from_millis(100);
/// Least time between two notifications of a list for what agents do.
const PER_LIST: Duration = Duration::from_secs(5);
/// A client that takes nothing for so long is given up.
const STALLED: Duration = Duration::from_secs(30);
/// Most URIs that one session follows.
pub(super) const MOST_URIS: usize = 1000;

/// What a client wants to hear of.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    /// The resources, by the URI that the client named.
    uris: Arc<Mutex<HashMap<String, Subject>>>,
    /// `tools/list_changed`.
    tools: bool,
    /// `resources/list_changed`.
    resources: bool,
}

impl Wanted {
    fn uris(&self) -> std::sync::MutexGuard<'_, HashMap<String, Subject>> {
        // Each change is a single step, so the map is whole even if a holder panicked.
        self.uris.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No resource yet, and perhaps the lists.
    pub(super) fn of_lists(tools: bool, resources: bool) -> Self {
        Self { tools, resources, ..Self::default() }
    }

    /// Adds a resource. `false` when there are as many as one session may follow.
    pub(super) fn add(&self, uri: String, subject: Subject) -> bool {
        let mut uris = self.uris();
        if uris.len() >= MOST_URIS && !uris.contains_key(&uri) {
            return false;
        }
        uris.insert(uri, subject);
        true
    }

    /// Takes a resource away.
    pub(super) fn remove(&self, uri: &str) {
        self.uris().remove(uri);
    }

    fn wants_prompt(&self) -> bool {
        self.uris().values().any(|subject| *subject == Subject::Prompt)
    }

    /// The URIs that a notice is about.
    fn concerned(&self, notice: &Notice, prompt_uses: &BTreeSet<String>) -> Vec<String> {
        let is_prompt = notice.in_prompt || prompt_uses.contains(&notice.key);
        let uris = self.uris();
        let concerned = uris.iter().filter(|(_, subject)| match subject {
            Subject::Key(key) => *key == notice.key,
            Subject::Prompt => is_prompt,
        });
        concerned.map(|(uri, _)| uri.clone()).collect()
    }
}

/// Where notifications go.
pub(super) enum Sink {
    /// To a session of the older protocol.
    Session(Peer<RoleServer>),
    /// To a listener of the newer one.
    Listener(SubscriptionSink),
}

impl Sink {
    /// Sends one; `false` when the client has gone or takes nothing.
    async fn send(&self, what: &What) -> bool {
        let sent = async {
            match (self, what) {
                (Self::Session(peer), What::Resource(uri)) => {
                    peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri.clone())).await.is_ok()
                }
                (Self::Session(peer), What::Tools) => peer.notify_tool_list_changed().await.is_ok(),
                (Self::Listener(sink), What::Tools) => sink.notify_tool_list_changed().await.is_ok(),
                (Self::Session(peer), What::Resources) => peer.notify_resource_list_changed().await.is_ok(),
                (Self::Listener(sink), What::Resource(uri)) => sink.notify_resource_updated(uri.clone()).await.is_ok(),
                (Self::Listener(sink), What::Resources) => sink.notify_resource_list_changed().await.is_ok(),
            }
        };
        tokio::time::timeout(STALLED, sent).await.unwrap_or_else(|_| {
            tracing::warn!("a client has taken no notification for {} s and is told of no more", STALLED.as_secs());
            false
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum What {
    Resource(String),
    Tools,
    Resources,
}

impl What {
    fn pace(&self) -> Duration {
        match self {
            Self::Resource(_) => PER_URI,
            Self::Tools | Self::Resources => PER_LIST,
        }
    }
}

/// When each thing was told last, and what is still to be told.
#[derive(Default)]
struct Pace {
    told: HashMap<What, Instant>,
    waiting: HashMap<What, Instant>,
}

impl Pace {
    /// Notes that something is to be told; what is said `at_once` does not wait for its turn.
    fn note(&mut self, what: What, now: Instant, at_once: bool) {
        let due = match self.told.get(&what) {
            Some(told) if !at_once => (*told + what.pace()).max(now),
            _ => now,
        };
        let waiting = self.waiting.entry(what).or_insert(due);
        *waiting = (*waiting).min(due);
    }

    fn next_due(&self) -> Option<Instant> {
        self.waiting.values().min().copied()
    }

    /// Takes what is due.
    fn take(&mut self, now: Instant) -> Vec<What> {
        let due: Vec<What> = self.waiting.iter().filter(|(_, at)| **at <= now).map(|(what, _)| what.clone()).collect();
        for what in &due {
            self.waiting.remove(what);
            self.told.insert(what.clone(), now);
        }
        // What was told long ago paces nothing any more.
        self.told.retain(|what, told| *told + what.pace() > now);
        due
    }
}

/// Tells a client what it wants to hear until it has gone.
pub(super) async fn run(mut feed: Feed, wanted: Wanted, sink: Sink, gone: CancellationToken) {
    let mut pace = Pace::default();
    let mut prompt_uses: Option<BTreeSet<String>> = None;
    loop {
        let due = pace.next_due();
        let wake = async move {
            match due {
                Some(due) => tokio::time::timeout_at(due, std::future::pending::<()>()).await.unwrap_or_default(),
                None => std::future::pending().await,
            }
        };
        let notices = tokio::select! {
            biased;
            () = gone.cancelled() => return,
            () = wake => Vec::new(),
            notices = feed.next() => match notices {
                Ok(notices) => notices,
                Err(error) => {
                    tracing::warn!(%error, "a client is told of no more changes");
                    return;
                }
            },
        };
        let now = Instant::now();
        for notice in &notices {
            if prompt_uses.is_none() && wanted.wants_prompt() {
                prompt_uses = feed.prompt_uses().ok();
            }
            let none = BTreeSet::new();
            for uri in wanted.concerned(notice, prompt_uses.as_ref().unwrap_or(&none)) {
                pace.note(What::Resource(uri), now, false);
            }
            if notice.listing && wanted.tools {
                pace.note(What::Tools, now, notice.by_person);
            }
            if notice.listing && wanted.resources {
                pace.note(What::Resources, now, notice.by_person);
            }
            if notice.in_prompt || prompt_uses.as_ref().is_some_and(|uses| uses.contains(&notice.key)) {
                // What the prompt uses may be something else now.
                prompt_uses = None;
            }
        }
        for what in pace.take(now) {
            let sent = tokio::select! {
                biased;
                () = gone.cancelled() => return,
                sent = sink.send(&what) => sent,
            };
            if !sent {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_resource_is_told_at_once_then_every_100_ms_and_never_loses_the_last() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let what = What::Resource("u".into());
        let mut told = Vec::new();
        for tick in 0..50 {
            let now = start + ms(tick * 10);
            if tick < 25 {
                pace.note(what.clone(), now, false);
            }
            told.extend(pace.take(now).iter().map(|_| tick * 10));
        }
        // The last write is at 240: what is told at 300 is after it.
        assert_eq!(told, [0, 100, 200, 300]);
        assert_eq!(pace.next_due(), None);
    }

    #[test]
    fn a_person_does_not_wait_for_what_agents_do() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        pace.note(What::Resources, start, false);
        assert_eq!(pace.take(start).len(), 1);
        pace.note(What::Resources, start + ms(10), false);
        assert_eq!(pace.next_due(), Some(start + PER_LIST));
        pace.note(What::Resources, start + ms(20), true);
        assert_eq!(pace.take(start + ms(20)).len(), 1);
        assert_eq!(pace.next_due(), None);
    }
}
