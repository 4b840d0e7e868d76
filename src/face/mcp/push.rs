//! Telling clients what changed: one loop for both eras, over the feed of the instance.
//!
//! `resources/updated` goes out at once, then at most once per URI and 100 ms, and never loses the last: it carries
//! no value, so ten writes need one message. `list_changed` makes a client fetch everything anew and lose its prompt
//! cache, so for what agents do it comes at most every 5 s; what a person does is told at once.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rmcp::{
    RoleServer,
    model::{ResourceUpdatedNotificationParam, SubscriptionFilter},
    service::{Peer, SubscriptionSink},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    kernel::{clock::pause, feed::Feed},
    model::{error::OpError, limits},
    ops::keys::{expand::Uses, feed::Notice},
};

use super::resources::Subject;

/// Least time between two notifications of one URI.
const PER_URI: Duration = Duration::from_millis(100);
/// Least time between two notifications of a list for what agents do.
const PER_LIST: Duration = Duration::from_secs(5);
/// A client that takes nothing for so long is given up.
const STALLED: Duration = Duration::from_secs(30);

/// How soon a log that could not be read is read again, doubled each time up to [`STALLED`].
const RETRY: Duration = Duration::from_millis(250);

/// What a client wants to hear of.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    /// The resources, by the URI that the client named.
    uris: Arc<Mutex<HashMap<String, Subject>>>,
    /// The lists.
    lists: Lists,
}

/// The lists of which a client wants to hear that they changed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lists {
    /// `tools/list_changed`.
    pub(super) tools: bool,
    /// `resources/list_changed`.
    pub(super) resources: bool,
    /// `prompts/list_changed`.
    pub(super) prompts: bool,
}

impl Lists {
    /// What every session of the older protocol hears of.
    pub(super) const ALL: Self = Self { tools: true, resources: true, prompts: true };
}

impl Wanted {
    fn uris(&self) -> std::sync::MutexGuard<'_, HashMap<String, Subject>> {
        // Each change is a single step, so the map is whole even if a holder panicked.
        self.uris.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No resource yet, and perhaps the lists.
    pub(super) fn of_lists(lists: Lists) -> Self {
        Self { lists, ..Self::default() }
    }

    /// Adds a resource. `false` when there are as many as one session may follow.
    pub(super) fn add(&self, uri: String, subject: Subject) -> bool {
        let mut uris = self.uris();
        let bytes: usize = uris.keys().map(String::len).sum();
        let is_full = uris.len() >= limits::FOLLOWED || bytes + uri.len() > limits::LISTEN_BYTES;
        if is_full && !uris.contains_key(&uri) {
            return false;
        }
        uris.insert(uri, subject);
        true
    }

    /// Takes a resource away.
    pub(super) fn remove(&self, uri: &str) {
        self.uris().remove(uri);
    }

    /// What it follows now, each once.
    fn subjects(&self) -> HashSet<Subject> {
        self.uris().values().cloned().collect()
    }

    /// The URIs of some of that.
    fn uris_of(&self, subjects: &HashSet<Subject>) -> Vec<String> {
        let uris = self.uris();
        uris.iter().filter(|(_, subject)| subjects.contains(subject)).map(|(uri, _)| uri.clone()).collect()
    }
}

/// What each followed subject is made of beside itself, looked up when it is first needed.
#[derive(Default)]
struct Made(HashMap<Subject, Uses>);

impl Made {
    /// The subjects that a change is a change of.
    fn concerned(&mut self, notice: &Notice, followed: &HashSet<Subject>, feed: &Feed) -> HashSet<Subject> {
        self.0.retain(|subject, _| followed.contains(subject));
        let mut concerned = HashSet::new();
        for subject in followed {
            let uses = self.0.entry(subject.clone()).or_insert_with(|| {
                let uses = match subject {
                    Subject::Key(name) => feed.key_uses(name),
                    Subject::Prompt => feed.prompt_uses(),
                };
                uses.unwrap_or_else(|error| {
                    tracing::debug!(%error, "cannot tell what a template is made of");
                    Uses::default()
                })
            });
            let is_itself = match subject {
                Subject::Key(name) => notice.is_readable && *name == notice.key,
                Subject::Prompt => notice.in_prompt,
            };
            if is_itself || uses.concern(notice) {
                concerned.insert(subject.clone());
            }
        }
        // They may be made of something else now.
        self.0.retain(|subject, _| !concerned.contains(subject));
        concerned
    }
}

/// As much of what a client of the newer protocol asks for as it gets.
pub(super) fn honoured(mut asked: SubscriptionFilter) -> SubscriptionFilter {
    if let Some(uris) = &mut asked.resource_subscriptions {
        uris.retain(|uri| uri.len() <= limits::URI_BYTES);
        uris.truncate(limits::FOLLOWED);
    }
    asked
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
                (Self::Session(peer), What::Resources) => peer.notify_resource_list_changed().await.is_ok(),
                (Self::Session(peer), What::Prompts) => peer.notify_prompt_list_changed().await.is_ok(),
                (Self::Listener(sink), What::Resource(uri)) => sink.notify_resource_updated(uri.clone()).await.is_ok(),
                (Self::Listener(sink), What::Tools) => sink.notify_tool_list_changed().await.is_ok(),
                (Self::Listener(sink), What::Resources) => sink.notify_resource_list_changed().await.is_ok(),
                (Self::Listener(sink), What::Prompts) => sink.notify_prompt_list_changed().await.is_ok(),
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
    Prompts,
}

impl What {
    fn pace(&self) -> Duration {
        match self {
            Self::Resource(_) => PER_URI,
            Self::Tools | Self::Resources | Self::Prompts => PER_LIST,
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

/// The next changes. What cannot be read now is read later, from where it stopped: a disk that is full or a file that is
/// busy must not end what the client was promised. Nothing when the right to hear of them has gone. May be dropped while
/// it waits and called again.
async fn followed_on(feed: &mut Feed, failures: &mut u32) -> Option<Vec<Notice>> {
    loop {
        match feed.next().await {
            Ok(notices) => {
                *failures = 0;
                return Some(notices);
            }
            Err(OpError::Unauthenticated { .. }) => return None,
            Err(error) => {
                if *failures == 0 {
                    tracing::warn!(%error, "a client will be told of changes later: the log cannot be read now");
                }
                let length = (RETRY * 2_u32.saturating_pow(*failures)).min(STALLED);
                *failures = failures.saturating_add(1).min(16);
                pause(length).await;
            }
        }
    }
}

/// Tells a client what it wants to hear until it, or its right to, has gone.
pub(super) async fn run(mut feed: Feed, wanted: Wanted, sink: Sink, gone: CancellationToken) {
    let mut pace = Pace::default();
    let mut made = Made::default();
    let mut failures = 0;
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
            notices = followed_on(&mut feed, &mut failures) => match notices {
                Some(notices) => notices,
                None => return,
            },
        };
        let now = Instant::now();
        let followed = wanted.subjects();
        for notice in &notices {
            for uri in wanted.uris_of(&made.concerned(notice, &followed, &feed)) {
                pace.note(What::Resource(uri), now, false);
            }
            let lists = wanted.lists;
            for (is_wanted, list) in [
                (notice.listing && lists.tools, What::Tools),
                (notice.listing && lists.resources, What::Resources),
                (notice.prompts && lists.prompts, What::Prompts),
            ] {
                if is_wanted {
                    pace.note(list, now, notice.by_person);
                }
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

    struct Silent;
    impl rmcp::ServerHandler for Silent {}

    #[tokio::test(start_paused = true)]
    async fn defect_15_a_client_that_takes_nothing_is_given_up_and_holds_nothing_up() {
        let (ours, theirs) = tokio::io::duplex(64);
        let running = rmcp::service::serve_directly(Silent, ours, None);
        let sink = Sink::Session(running.peer().clone());
        let mut waited = Duration::ZERO;
        while waited == Duration::ZERO {
            let start = Instant::now();
            let sent = sink.send(&What::Tools).await;
            waited = start.elapsed();
            assert_eq!(sent, waited < STALLED, "after {waited:?}");
        }
        assert_eq!(waited, STALLED);
        drop(theirs);
    }
}
