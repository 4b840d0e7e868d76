//! The state that a socket is shown when it comes, comes back or has fallen behind: in pieces, each read when the one
//! before has gone out.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::{
    kernel::seat::Seat,
    model::{error::OpError, key::Key, limits},
    ops::{
        keys::{
            broadcast::{self, Facts, Shown, Value},
            catch_up::{self, Missed, Whole},
            live,
        },
        operation::Cx,
        tx::Tx,
    },
};

use super::{
    Form,
    entry::{self, Entries},
    sight::Sight,
    to_client::{self, Cause, ToClient, Why},
};

/// States that one server reads at a time.
const READS: usize = 8;

/// Places for those who read states, and for large messages that go out: few of those are in memory at a time.
pub(super) struct Places {
    reads: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

impl Places {
    /// All free.
    pub(super) fn new() -> Self {
        Self { reads: Arc::new(Semaphore::new(READS)), large: Arc::new(Semaphore::new(limits::LARGE_MESSAGES)) }
    }

    /// A place for a large message.
    async fn large(&self) -> Option<OwnedSemaphorePermit> {
        // They are never closed.
        Arc::clone(&self.large).acquire_owned().await.ok()
    }
}

/// What is to be shown next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// All keys, or what was missed since a seq of a log that was known as this.
    Begin(Option<(u64, Option<String>)>),
    /// Keys from the one after a name on.
    Keys { after: Option<String>, from: From, reason: Option<&'static str> },
    /// These keys, the last first; and those that are gone.
    Names { names: Vec<String>, gone: Vec<(String, u64)>, from: From },
    /// One key with its large value, if this is still its version.
    Large { name: String, seq: u64 },
    /// What happened after a seq, for who is told of changes.
    Changes(u64),
}

/// Behind what live messages begin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct From {
    pub(super) seq: u64,
    pub(super) log: String,
}

/// A piece that was read.
#[derive(Default)]
pub(super) struct Piece {
    pub(super) messages: Vec<Utf8Bytes>,
    /// What comes after it.
    pub(super) next: Option<Next>,
    /// Where live messages begin.
    pub(super) from: From,
    /// Given back when the messages have gone out.
    pub(super) place: Option<OwnedSemaphorePermit>,
}

/// What sort of state a message shows.
#[derive(Default)]
struct Sort<'a> {
    full: bool,
    more: bool,
    deleted: Option<&'a [String]>,
    reason: Option<&'static str>,
}

/// For whom it is read.
#[derive(Clone)]
pub(super) struct Reader {
    pub(super) seat: Seat,
    pub(super) form: Form,
    pub(super) sight: Arc<Sight>,
    pub(super) places: Arc<Places>,
}

impl Reader {
    /// Reads the next piece.
    pub(super) async fn piece(self, next: Next) -> Result<Piece, OpError> {
        match next {
            Next::Begin(since) if self.sight.as_changes => self.changes(since, true).await,
            Next::Changes(since) => self.changes(Some((since, None)), false).await,
            Next::Begin(None) => self.keys(None, None, None).await,
            Next::Begin(Some((since, log))) => match self.missed(since, log).await? {
                (Ok(missed), from) => {
                    let mut names = missed.changed;
                    names.reverse();
                    self.names(names, missed.gone, from).await
                }
                (Err(whole), _) => self.keys(None, None, Some(whole.name())).await,
            },
            Next::Keys { after, from, reason } => self.keys(after, Some(from), reason).await,
            Next::Names { names, gone, from } => self.names(names, gone, from).await,
            Next::Large { name, seq } => self.large(name, seq).await,
        }
    }

    /// Looks at the instance when it is this socket's turn. Nobody waits for a large message with that turn in hand.
    async fn look<T: Send + 'static>(
        &self,
        look: impl Fn(&mut Tx<'_>, &Cx) -> Result<T, OpError> + Send + 'static,
    ) -> Result<T, OpError> {
        let _turn = self.places.reads.acquire().await;
        self.seat.look(look).await
    }

    async fn missed(&self, since: u64, log: Option<String>) -> Result<(Result<Missed, Whole>, From), OpError> {
        let sight = Arc::clone(&self.sight);
        let look = move |tx: &mut Tx<'_>, _: &Cx| {
            let missed = match sight.gap(tx, since, log.as_deref())? {
                Some(whole) => Err(whole),
                None => catch_up::missed(tx, since, |name, facts| sight.sees(name, facts))?,
            };
            Ok((missed, From { seq: tx.seq(), log: sight.stand(tx)? }))
        };
        self.look(look).await
    }

    /// All keys, from the one after `after` on.
    async fn keys(
        self,
        after: Option<String>,
        from: Option<From>,
        reason: Option<&'static str>,
    ) -> Result<Piece, OpError> {
        let (mut bytes, mut place) = (limits::PIECE_BYTES, None);
        if self.form == Form::Old {
            bytes = limits::LARGE_BYTES;
        }
        let (mut shown, next, now) = loop {
            let (sight, after, is_whole) = (Arc::clone(&self.sight), after.clone(), self.form == Form::Old);
            let look = move |tx: &mut Tx<'_>, _: &Cx| {
                let sees = |name: &str, facts: &Facts| sight.sees(name, facts);
                let (shown, next) = broadcast::page(tx, after.as_deref(), bytes, is_whole, sees)?;
                Ok((shown, next, From { seq: tx.seq(), log: sight.stand(tx)? }))
            };
            let read = self.look(look).await?;
            // An older client knows of no pieces: what does not fit into a small message is read whole, in its turn.
            if read.1.is_none() || self.form == Form::Ours || place.is_some() {
                break read;
            }
            place = self.places.large().await;
            bytes = limits::OLD_STATE_BYTES;
        };
        if self.form == Form::Old {
            shown.sort_by_key(|shown| shown.key.z_index);
        }
        let from = from.unwrap_or(now);
        let message = self.sync(&shown, &from, &Sort { full: true, more: next.is_some(), deleted: None, reason });
        let next = next.map(|after| Next::Keys { after: Some(after), from: from.clone(), reason });
        Ok(Piece { messages: vec![message], next, from, place })
    }

    /// Keys by their names, as far as they fit into a piece, and all that are gone.
    async fn names(self, mut names: Vec<String>, gone: Vec<(String, u64)>, from: From) -> Result<Piece, OpError> {
        let (sight, is_whole) = (Arc::clone(&self.sight), self.form == Form::Old);
        let bytes = if is_whole { limits::LARGE_BYTES } else { limits::PIECE_BYTES };
        let place = if is_whole { self.places.large().await } else { None };
        let asked = names.clone();
        let look = move |tx: &mut Tx<'_>, _: &Cx| {
            let (mut shown, mut taken, mut looked_at) = (Vec::new(), 0, 0);
            for name in asked.iter().rev() {
                looked_at += 1;
                let Some(held) = tx.get::<Key>(name)? else { continue };
                if !sight.sees(name, &Facts::of(&held.content)) {
                    continue;
                }
                let one = broadcast::shown(tx, held, is_whole)?;
                taken += one.name.len() + 500 + if let Value::Here(text) = &one.value { text.len() } else { 0 };
                shown.push(one);
                if taken >= bytes {
                    break;
                }
            }
            Ok((shown, looked_at))
        };
        let (shown, looked_at): (Vec<Shown>, usize) = self.look(look).await?;
        names.truncate(names.len() - looked_at);
        let has_more = !names.is_empty();
        let mut messages = Vec::new();
        if self.form == Form::Ours {
            let deleted: Vec<String> = gone.into_iter().map(|(name, _)| name).collect();
            messages.push(self.sync(
                &shown,
                &from,
                &Sort { full: false, more: has_more, deleted: Some(&deleted), reason: None },
            ));
        } else {
            let told = |(name, seq): &(String, u64)| {
                to_client::deleted(name, Cause { by: "", at: 0, seq: *seq }, Why::Deleted, Form::Old)
            };
            messages.extend(gone.iter().map(told));
            if !shown.is_empty() {
                messages.push(self.sync(&shown, &from, &Sort::default()));
            }
        }
        let next = has_more.then(|| Next::Names { names, gone: Vec::new(), from: from.clone() });
        Ok(Piece { messages, next, from, place })
    }

    /// One key with its value, however large.
    async fn large(self, name: String, seq: u64) -> Result<Piece, OpError> {
        let place = self.places.large().await;
        let form = self.form;
        let look = move |tx: &mut Tx<'_>, _: &Cx| {
            // Where it has changed again, that is still to come.
            let held = tx.get::<Key>(&name)?.filter(|held| held.record.version <= seq);
            held.map(|held| broadcast::shown(tx, held, true)).transpose()
        };
        let shown = self.look(look).await?;
        let instance = self.seat.located().id.to_string();
        let messages = shown.map(|shown| entry::updated(&shown, form, &instance)).into_iter().collect();
        Ok(Piece { messages, next: None, from: From { seq, log: String::new() }, place })
    }

    /// What happened since, or from now on. Who begins is told even if that is nothing.
    async fn changes(self, since: Option<(u64, Option<String>)>, is_first: bool) -> Result<Piece, OpError> {
        let sight = Arc::clone(&self.sight);
        let look = move |tx: &mut Tx<'_>, _: &Cx| {
            let head = tx.seq();
            let (since, log) = since.clone().unwrap_or((head, None));
            let gap = sight.gap(tx, since, log.as_deref())?;
            let (changes, seq) = if gap.is_some() { (Vec::new(), head) } else { live::changes(tx, sight.mode, since)? };
            let log = if seq == head { Some(sight.stand(tx)?) } else { None };
            Ok((changes, seq, head, log, gap.map(Whole::name)))
        };
        let (changes, seq, head, log, reason) = self.look(look).await?;
        let mut messages = Vec::new();
        // Of what is not for it, it hears by its position, not at each change.
        if is_first || !changes.is_empty() || reason.is_some() {
            let log = log.as_deref();
            messages.push(ToClient::Changes { changes: &changes, seq, head, log, reason }.text());
        }
        let next = (seq < head).then_some(Next::Changes(seq));
        Ok(Piece { messages, next, from: From { seq, log: String::new() }, place: None })
    }

    fn sync(&self, shown: &[Shown], from: &From, sort: &Sort<'_>) -> Utf8Bytes {
        let ours = self.form == Form::Ours;
        let instance = self.seat.located().id.as_str();
        ToClient::Sync {
            data: Entries { shown, form: self.form, instance },
            instance_id: instance,
            seq: ours.then_some(from.seq),
            log: ours.then_some(from.log.as_str()),
            full: ours.then_some(sort.full),
            more: ours.then_some(sort.more),
            deleted: sort.deleted.filter(|_| ours),
            reason: sort.reason.filter(|_| ours),
        }
        .text()
    }
}
