//! What happened in the instance, passed on to one socket as fast as its client takes it, and what is due by the clock.

use std::{future::poll_fn, task::Poll, time::Duration};

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use crate::{access::sign_in::Watched, model::limits};

use super::{
    Form,
    ending::End,
    ring::Passed,
    socket::{PING_EVERY, Socket, write},
    state::Next,
    to_client::{self, ToClient},
};

/// A client that gives no sign of life for so long is gone.
const SILENT: Duration = Duration::from_mins(1);
/// A client that takes nothing for so long is let go; a little before the connection itself does that.
const STALLED: Duration = Duration::from_secs(28);
/// Time in which a client has to take what is large: few of those go out at a time.
const LARGE: Duration = Duration::from_millis(limits::LARGE_MS);
/// Least time between two positions.
pub(super) const POSITION_EVERY: Duration = Duration::from_secs(1);
/// How often the sign-in of a page is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(400);
/// Things that happened that are passed on before the client has taken them.
const BATCH: usize = 64;

/// What is due, and when.
pub(super) struct Alarms {
    pub(super) ping: Instant,
    /// The last sign of life.
    pub(super) alive: Instant,
    /// What is to be written cannot be, or not all of it.
    pub(super) stuck: Option<Stuck>,
    /// When the client is told where it is, if it is to be.
    pub(super) position: Option<Instant>,
    /// When it is told who is there, if that has changed; and when it was told last.
    pub(super) presence: Option<Instant>,
    pub(super) presence_told: Instant,
    pub(super) look: Instant,
}

/// A client that does not take all at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stuck {
    /// Since when.
    begun: Instant,
    /// When it was last seen to take something, and how much it had taken in all.
    moved: Instant,
    written: u64,
}

impl Stuck {
    /// From now on, by a client that has taken so many bytes.
    pub(super) fn at(written: u64) -> Self {
        let now = Instant::now();
        Self { begun: now, moved: now, written }
    }
}

impl Socket {
    /// Passes on what happened, when the client has taken what was before: with the answers that are about to go out.
    pub(super) fn pull(&mut self) {
        if self.reading.is_some() || !self.next.is_empty() || self.out.len() >= BATCH || !self.is_flushed {
            return;
        }
        while let Some(done) = self.turns.done_now() {
            self.done(done);
        }
        let head = *self.news.borrow_and_update();
        if self.sight.as_changes {
            self.own.clear();
            if self.next.is_empty() && self.cursor < head {
                self.next.push_back(Next::Changes(self.cursor));
            }
            return self.pong();
        }
        // Of what is not for this client it may be much.
        while self.next.is_empty() && self.pass_on() {}
    }

    /// Passes on some of what happened; whether there may be more to pass on at once.
    fn pass_on(&mut self) -> bool {
        let Some((frames, head)) = self.hub.after(self.cursor, BATCH) else {
            if self.form == Form::Ours {
                self.send(ToClient::Resync { reason: "lagged" }.text());
            }
            self.next.push_back(Next::Begin(Some((self.cursor, None))));
            return false;
        };
        let is_all = frames.len() < BATCH;
        if self.form == Form::Ours && self.cursor < head {
            self.alarms.position.get_or_insert(Instant::now() + POSITION_EVERY);
        }
        for frame in frames {
            // An own change is in the log a moment before its answer is here, which says by which message it was made.
            let is_own = || frame.seq() > self.changed && frame.is_of(&self.connection);
            if self.form == Form::Ours && self.turns.is_busy() && is_own() {
                return false;
            }
            self.cursor = frame.seq();
            self.pass(frame.passed(self.form, &self.sight), frame.seq());
            if !self.next.is_empty() {
                return false;
            }
        }
        if is_all {
            self.cursor = self.cursor.max(head);
            self.own.retain(|seq, _| *seq > head);
            self.pong();
        }
        !is_all && self.out.len() < BATCH
    }

    fn pass(&mut self, passed: Passed, seq: u64) {
        let op_id = self.own.remove(&seq);
        let owned = |text: Utf8Bytes| match &op_id {
            Some(id) => to_client::with_op_id(&text, id),
            None => text,
        };
        match passed {
            Passed::Nothing => {}
            Passed::Text(text) => self.send(owned(text)),
            Passed::Gone(text) => {
                self.ping_before(seq);
                self.send(owned(text));
            }
            Passed::Large(name) => self.next.push_back(Next::Large { name, seq }),
            Passed::Cleared(text, kept) => {
                self.ping_before(seq);
                self.send(owned(text));
                if self.form == Form::Old {
                    self.next.extend(kept.into_iter().map(|name| Next::Large { name, seq }));
                }
            }
        }
    }

    /// When an older client has heard of a deletion is told by its answer to a ping.
    fn ping_before(&mut self, seq: u64) {
        if self.form == Form::Old {
            let ping = self.heard.passing(seq);
            self.out.push_back(Message::Ping(ping));
        }
    }

    /// Writes what there is to write, if the connection takes all of it at once: most often it does, and nothing else
    /// need be looked at.
    pub(super) async fn write_now(&mut self) -> Option<Result<(), Error>> {
        self.is_flushed &= self.out.is_empty();
        if self.is_flushed {
            return None;
        }
        let (ws, out) = (&mut self.ws, &mut self.out);
        poll_fn(|context| match write(ws, out, context) {
            Poll::Ready(written) => Poll::Ready(Some(written)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    /// When something is due next.
    pub(super) fn next_alarm(&self) -> Instant {
        let alarms = &self.alarms;
        let mut next = alarms.ping;
        next = self.ws.get_ref().until().map_or(next, |until| next.min(until));
        next = alarms.stuck.map_or(next, |stuck| next.min(stuck.moved + STALLED));
        next = alarms.position.map_or(next, |position| next.min(position));
        next = alarms.presence.map_or(next, |presence| next.min(presence));
        if self.sign_in.is_some() { next.min(alarms.look + LOOK_EVERY) } else { next }
    }

    /// Does what is due.
    pub(super) fn alarm(&mut self) -> Option<End> {
        let now = Instant::now();
        if let Some(stuck) = self.alarms.stuck.as_mut().filter(|stuck| stuck.moved + STALLED <= now) {
            let written = self.ws.get_ref().written();
            if stuck.written == written || (self.large.is_some() && stuck.begun + LARGE <= now) {
                return Some(End::TooSlow);
            }
            (stuck.moved, stuck.written) = (now, written);
        }
        // The clock is set for it by the next ping at the latest, which is long before.
        if self.ws.get_ref().until().is_some_and(|until| until <= now) {
            return Some(End::TooLong);
        }
        if self.alarms.ping <= now {
            if self.alarms.alive + SILENT <= now && !self.ws.get_ref().is_busy() {
                return Some(End::Silent);
            }
            self.alarms.ping = now + PING_EVERY;
            self.out.push_back(Message::Ping(axum::body::Bytes::new()));
        }
        if self.alarms.position.is_some_and(|position| position <= now) {
            self.tell_position();
        }
        if self.alarms.presence.is_some_and(|presence| presence <= now) {
            (self.alarms.presence, self.alarms.presence_told) = (None, now);
            if self.comings.is_some() {
                let told = self.hub.told_present();
                self.send(told);
            }
        }
        if self.sign_in.is_some() && self.alarms.look + LOOK_EVERY <= now {
            self.alarms.look = now;
            if !self.sign_in.as_mut().is_none_or(Watched::holds) {
                return Some(End::Lost);
            }
        }
        None
    }

    /// Tells the client where it is: in the log as a whole, not only in what it was told of.
    pub(super) fn tell_position(&mut self) {
        self.alarms.position = None;
        if let Some(log) = self.hub.log_at(self.cursor) {
            let position = ToClient::Position { seq: self.cursor, log: &self.sight.mark(&log) }.text();
            self.send(position);
        }
    }
}
