//! The last things that happened in an instance, each written once for all who are told of it.

use std::{
    collections::VecDeque,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::{
    model::{instance::InstanceId, limits, search::Stand},
    ops::keys::broadcast::{Facts, Happened, Slice, Value, What},
};

use super::{
    Form, entry,
    sight::Sight,
    to_client::{self, Cause, ToClient, Why},
};

/// One thing that happened.
pub(super) struct Frame {
    happened: Happened,
    instance: InstanceId,
    old: OnceLock<Utf8Bytes>,
    ours: OnceLock<Utf8Bytes>,
}

/// What a socket is told of it.
pub(super) enum Passed {
    /// Nothing: it is not for it.
    Nothing,
    /// This.
    Text(Utf8Bytes),
    /// That the key is gone.
    Gone(Utf8Bytes),
    /// The key with its large value, which is not kept here.
    Large(String),
    /// That all is gone, and then the keys that it sees of those that stayed.
    Cleared(Utf8Bytes, Vec<String>),
}

impl Frame {
    fn new(happened: Happened, instance: InstanceId) -> Self {
        Self { happened, instance, old: OnceLock::new(), ours: OnceLock::new() }
    }

    /// Its seq.
    pub(super) fn seq(&self) -> u64 {
        self.happened.seq
    }

    /// Whether a connection did it.
    pub(super) fn is_of(&self, connection: &str) -> bool {
        self.happened.run == connection
    }

    fn cause(&self) -> Cause<'_> {
        let Happened { seq, at, by, .. } = &self.happened;
        Cause { by, at: *at, seq: *seq }
    }

    /// Roughly what it takes, written in both forms.
    fn bytes(&self) -> usize {
        let value = match &self.happened.what {
            What::Is { shown, .. } => match &shown.value {
                Value::Here(text) => 3 * text.len(),
                Value::Large(_) => 0,
            },
            What::Was { .. } | What::Gone { .. } => 0,
            What::Cleared { kept } => 100 * kept.len(),
        };
        value + 1500
    }

    /// What a socket is told that sees so much.
    pub(super) fn passed(&self, form: Form, sight: &Sight) -> Passed {
        let cause = self.cause();
        match &self.happened.what {
            What::Is { before, after, shown } => {
                if sight.sees(&shown.name, after) {
                    return match (&shown.value, form) {
                        (Value::Large(_), Form::Old) => Passed::Large(shown.name.clone()),
                        _ => Passed::Text(self.written(form, || entry::updated(shown, form, self.instance.as_str()))),
                    };
                }
                self.hidden(form, sight, before.as_ref(), &shown.name)
            }
            // What it became since is still to come.
            What::Was { name, after, .. } if sight.sees(name, after) => Passed::Nothing,
            What::Was { name, before, .. } => self.hidden(form, sight, before.as_ref(), name),
            What::Gone { name, before, expired } => {
                if !before.as_ref().is_some_and(|before| sight.sees(name, before)) {
                    return Passed::Nothing;
                }
                let why = if *expired { Why::Expired } else { Why::Deleted };
                Passed::Gone(self.written(form, || to_client::deleted(name, cause, why, form)))
            }
            What::Cleared { kept } => {
                let seen = kept.iter().filter(|(name, facts)| sight.sees(name, facts));
                let kept: Vec<String> = seen.map(|(name, _)| name.clone()).collect();
                Passed::Cleared(cleared(cause, &kept, form), kept)
            }
        }
    }

    /// The key was there for the socket, and is no more.
    fn hidden(&self, form: Form, sight: &Sight, before: Option<&Facts>, name: &str) -> Passed {
        let cause = self.cause();
        if before.is_some_and(|before| sight.sees(name, before)) {
            Passed::Gone(to_client::deleted(name, cause, Why::Hidden, form))
        } else {
            Passed::Nothing
        }
    }

    fn written(&self, form: Form, write: impl FnOnce() -> Utf8Bytes) -> Utf8Bytes {
        let place = if form == Form::Old { &self.old } else { &self.ours };
        place.get_or_init(write).clone()
    }
}

/// `cleared`, with the keys that stayed for those who understand that.
pub(super) fn cleared(cause: Cause<'_>, kept: &[String], form: Form) -> Utf8Bytes {
    let Cause { by, at, seq } = cause;
    let ours = form == Form::Ours;
    let kept = ours.then(|| kept.iter().map(String::as_str).collect());
    ToClient::Cleared { cleared_by: by, timestamp: at, seq: ours.then_some(seq), kept }.text()
}

/// The frames of one instance.
pub(super) struct Ring {
    frames: VecDeque<Arc<Frame>>,
    bytes: usize,
    /// Everything after this seq is in it …
    start: u64,
    /// … up to this one.
    head: u64,
    /// When the last of it happened.
    at: Option<i64>,
    /// Bytes of all rings.
    all: Arc<AtomicUsize>,
}

impl Ring {
    /// Of an instance of which everything was seen up to here.
    pub(super) fn new(seen: u64, all: Arc<AtomicUsize>) -> Self {
        Self { frames: VecDeque::new(), bytes: 0, start: seen, head: seen, at: None, all }
    }

    /// Up to where it goes.
    pub(super) fn head(&self) -> u64 {
        self.head
    }

    /// Where the log stands at a seq, if that is where it ends.
    pub(super) fn stand(&self, seq: u64) -> Option<Stand> {
        let at = self.at.filter(|_| seq == self.head)?;
        Some(Stand { seq, at })
    }

    /// Whether nothing is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Takes in a piece of the log.
    pub(super) fn take(&mut self, slice: Slice, instance: &InstanceId) {
        for happened in slice.happened {
            let frame = Frame::new(happened, instance.clone());
            self.bytes += frame.bytes();
            self.all.fetch_add(frame.bytes(), Ordering::Relaxed);
            self.frames.push_back(Arc::new(frame));
        }
        (self.head, self.at) = (slice.seen, Some(slice.at));
        while self.frames.len() > 1 && self.is_over() {
            self.drop_first();
        }
    }

    fn is_over(&self) -> bool {
        self.frames.len() > limits::RING_CHANGES
            || self.bytes > limits::RING_BYTES
            || self.all.load(Ordering::Relaxed) > limits::RINGS_BYTES
    }

    fn drop_first(&mut self) {
        if let Some(frame) = self.frames.pop_front() {
            self.bytes -= frame.bytes();
            self.all.fetch_sub(frame.bytes(), Ordering::Relaxed);
            self.start = frame.seq();
        }
    }

    /// Forgets everything: whoever has not come so far reads the log.
    pub(super) fn clear(&mut self) {
        while !self.frames.is_empty() {
            self.drop_first();
        }
        self.start = self.head;
        self.frames.shrink_to_fit();
    }

    /// What comes after a seq, at most so many; nothing when that is no more in it.
    pub(super) fn after(&self, seq: u64, limit: usize) -> Option<Vec<Arc<Frame>>> {
        if seq < self.start {
            return None;
        }
        if seq >= self.head {
            // Most who ask have everything; looking for where that would be touches many frames.
            return Some(Vec::new());
        }
        let from = self.frames.partition_point(|frame| frame.seq() <= seq);
        Some(self.frames.iter().skip(from).take(limit).cloned().collect())
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        self.clear();
    }
}
