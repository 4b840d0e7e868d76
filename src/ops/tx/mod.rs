//! A turn's transaction: the read view with an overlay. The finished overlay *is* the effects, so nothing is
//! ever half done: a refused operation drops it, a finished one hands it to the store as it stands.

mod log;
mod pages;

use std::collections::BTreeMap;

use crate::model::{
    error::{OpError, Reason},
    index,
    kind::{self, Kind},
    record::{ChangeKind, Done, Effect, IndexEntry, Record},
    value::{BlobRef, Content, Stored},
    view::{Access, Found, ReadView},
};

use super::operation::Cx;

/// A large value that is already in its file, so that a record may name it.
#[derive(Debug, Clone)]
pub struct SavedBlob {
    /// The value.
    pub content: std::sync::Arc<Content>,
    /// Its file.
    pub blob: BlobRef,
}

/// A typed record as a turn sees it.
#[derive(Debug, Clone)]
pub struct Held<K> {
    /// The stored record.
    pub record: Record,
    /// Its content.
    pub content: K,
}

/// What the overlay knows of a record: as it is now in this turn.
#[derive(Clone)]
struct Known {
    record: Option<Record>,
    /// Staged in this turn, with the index entries that it has now.
    staged: Option<Vec<IndexEntry>>,
}

/// The read view of one turn and what the turn has done so far.
pub struct Tx<'v> {
    view: &'v dyn ReadView,
    head: u64,
    cx: &'v Cx,
    known: BTreeMap<Place, Known>,
    done: Done,
    /// Where among the blanks of the turn that of a stored row is.
    blanked: BTreeMap<u64, usize>,
    saved: &'v [SavedBlob],
    unsaved: Vec<Content>,
    /// Bytes of the large values that were kept, those of refused parts too.
    large_bytes: u64,
    /// What an attempt replaced in `known`, so that it can be taken back.
    replaced: Option<Vec<(Place, Option<Known>)>>,
}

/// What a value is called that is in no file yet, before its number among those of the turn. No hash looks so.
const UNSAVED: &str = "unsaved ";

/// Kind and id.
type Place = (&'static str, String);

/// What a finished turn leaves.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What to apply.
    pub done: Done,
    /// Large values that must be in their files before these effects may be applied: save them, then run the
    /// operation again with them. It is pure, so it may be.
    pub unsaved: Vec<Content>,
}

impl<'v> Tx<'v> {
    /// A transaction over one state of the instance. `saved` are the large values already in files.
    pub fn new(view: &'v dyn ReadView, head: u64, cx: &'v Cx, saved: &'v [SavedBlob]) -> Self {
        Self {
            view,
            head,
            cx,
            known: BTreeMap::new(),
            done: Done::default(),
            blanked: BTreeMap::new(),
            saved,
            unsaved: Vec::new(),
            large_bytes: 0,
            replaced: None,
        }
    }

    /// What the turn did.
    pub fn finish(self) -> Outcome {
        Outcome { done: self.done, unsaved: self.unsaved }
    }

    /// Does a part of the turn that is taken back when it fails, as if it had not been tried.
    pub fn attempt<T>(&mut self, part: impl FnOnce(&mut Self) -> Result<T, OpError>) -> Result<T, OpError> {
        let (effects, blanks, access) = (self.done.effects.len(), self.done.blanks.len(), self.done.access);
        let unsaved = self.unsaved.len();
        let outer = self.replaced.replace(Vec::new());
        let result = part(self);
        let replaced = std::mem::replace(&mut self.replaced, outer).unwrap_or_default();
        if result.is_err() {
            self.done.effects.truncate(effects);
            for blank in self.done.blanks.drain(blanks..) {
                self.blanked.remove(&blank.seq);
            }
            self.done.access = access;
            self.unsaved.truncate(unsaved);
            for (place, known) in replaced.into_iter().rev() {
                match known {
                    Some(known) => self.known.insert(place, known),
                    None => self.known.remove(&place),
                };
            }
        } else if let Some(outer) = &mut self.replaced {
            outer.extend(replaced);
        }
        result
    }

    /// Takes everything back, so that nothing of the turn is kept, and tells what it would have done.
    pub fn discard(&mut self) -> Done {
        self.unsaved.clear();
        self.known.clear();
        self.blanked.clear();
        std::mem::take(&mut self.done)
    }

    fn know(&mut self, place: Place, known: Known) {
        let before = self.known.insert(place.clone(), known);
        if let Some(replaced) = &mut self.replaced {
            replaced.push((place, before));
        }
    }

    /// Says what may be done with the instance from now on.
    pub fn set_access(&mut self, access: Access) {
        self.done.access = Some(access);
    }

    /// The seq of the last change, this turn's own included.
    pub fn seq(&self) -> u64 {
        self.head + self.done.effects.len() as u64
    }

    /// The seq that the next change gets, and so the version of what it writes.
    pub fn next_seq(&self) -> u64 {
        self.seq() + 1
    }

    /// One live record. A dead one is expired by asking for it, before anything else is done to it.
    pub fn get<K: Kind>(&mut self, id: &str) -> Result<Option<Held<K>>, OpError> {
        let Some(record) = self.live::<K>(id)? else { return Ok(None) };
        hold(record).map(Some)
    }

    fn live<K: Kind>(&mut self, id: &str) -> Result<Option<Record>, OpError> {
        let place = (K::KIND, id.to_owned());
        if !self.known.contains_key(&place) {
            let record = self.view.record(K::KIND, id)?;
            self.know(place.clone(), Known { record, staged: None });
        }
        let record = self.known.get(&place).and_then(|known| known.record.clone());
        if record.as_ref().is_some_and(|record| is_dead(record, self.cx.now_ms)) {
            if !K::TAKES_ALONG {
                self.remove::<K>(id, ChangeKind::Expired)?;
            }
            return Ok(None);
        }
        Ok(record)
    }

    /// Removes a record whose time is up, and then what goes along with it; whether there was one.
    pub fn expire<K: Kind>(
        &mut self,
        id: &str,
        along: impl FnOnce(&mut Self) -> Result<(), OpError>,
    ) -> Result<bool, OpError> {
        self.live::<K>(id)?;
        let known = self.known.get(&(K::KIND, id.to_owned())).and_then(|known| known.record.as_ref());
        let is_left = known.is_some_and(|record| is_dead(record, self.cx.now_ms));
        if is_left {
            self.remove::<K>(id, ChangeKind::Expired)?;
            along(self)?;
        }
        Ok(is_left)
    }

    /// Makes the record be so, until `expires_at` if given. Returns its version.
    pub fn put<K: Kind>(&mut self, id: &str, content: &K, expires_at: Option<i64>) -> Result<u64, OpError> {
        let before = self.live::<K>(id)?;
        let body = serde_json::to_string(content).map_err(|error| unencodable(id, &error))?;
        let entries = kind::entries_of(content, id, expires_at, &self.cx.actor);
        let leave = self.entries_before::<K>(id, before.as_ref())?;
        let version = self.next_seq();
        let record = Record {
            id: id.to_owned(),
            version,
            created_at: before.as_ref().map_or(self.cx.now_ms, |record| record.created_at),
            updated_at: self.cx.now_ms,
            expires_at,
            updated_by: self.cx.actor.clone(),
            body: body.clone(),
        };
        let logged = content.logged().map(|logged| serde_json::to_string(&logged)).transpose();
        let logged = logged.map_err(|error| unencodable(id, &error))?;
        let grown = body.len().cast_signed() - before.as_ref().map_or(0, |record| record.body.len().cast_signed());
        self.done.effects.push(Effect {
            kind: K::KIND,
            id: id.to_owned(),
            change: if before.is_some() { ChangeKind::Updated } else { ChangeKind::Created },
            previous: self.previous::<K>(id, before.as_ref())?,
            expires_at,
            before: before.map(|record| record.body),
            body: Some(body),
            logged,
            enter: entries.iter().filter(|entry| !leave.contains(entry)).cloned().collect(),
            leave: leave.into_iter().filter(|entry| !entries.contains(entry)).collect(),
            grown_bytes: grown as i64,
        });
        self.know((K::KIND, id.to_owned()), Known { record: Some(record), staged: Some(entries) });
        Ok(version)
    }

    /// Removes a record. Returns the seq of that, or nothing when there was no live one.
    pub fn delete<K: Kind>(&mut self, id: &str) -> Result<Option<u64>, OpError> {
        if self.live::<K>(id)?.is_none() {
            return Ok(None);
        }
        self.remove::<K>(id, ChangeKind::Deleted).map(Some)
    }

    fn remove<K: Kind>(&mut self, id: &str, change: ChangeKind) -> Result<u64, OpError> {
        let place = (K::KIND, id.to_owned());
        let before = self.known.get(&place).and_then(|known| known.record.clone());
        let leave = self.entries_before::<K>(id, before.as_ref())?;
        self.done.effects.push(Effect {
            kind: K::KIND,
            id: id.to_owned(),
            change,
            previous: self.previous::<K>(id, before.as_ref())?,
            expires_at: None,
            body: None,
            logged: None,
            enter: Vec::new(),
            leave,
            grown_bytes: -(before.as_ref().map_or(0, |record| record.body.len().cast_signed()) as i64),
            before: before.map(|record| record.body),
        });
        self.know(place, Known { record: None, staged: Some(Vec::new()) });
        Ok(self.seq())
    }

    fn entries_before<K: Kind>(&self, id: &str, before: Option<&Record>) -> Result<Vec<IndexEntry>, OpError> {
        if let Some(staged) = self.known.get(&(K::KIND, id.to_owned())).and_then(|known| known.staged.clone()) {
            return Ok(staged);
        }
        let Some(record) = before else { return Ok(Vec::new()) };
        Ok(kind::entries_of(&decode::<K>(record)?, id, record.expires_at, &record.updated_by))
    }

    fn previous<K: Kind>(&self, id: &str, before: Option<&Record>) -> Result<Option<u64>, OpError> {
        if let Some(record) = before {
            return Ok(Some(record.version));
        }
        match self.own_change::<K>(id) {
            Some(position) => Ok(Some(self.head + position as u64 + 1)),
            None => self.view.last_change(K::KIND, id),
        }
    }

    /// Where among this turn's changes the last one of a record is.
    fn own_change<K: Kind>(&self, id: &str) -> Option<usize> {
        // What the turn has not changed is not looked for among what it has: that would be quadratic in its size.
        let is_changed = self.known.get(&(K::KIND, id.to_owned())).is_some_and(|known| known.staged.is_some());
        let is_it = |effect: &Effect| effect.kind == K::KIND && effect.id == id;
        if is_changed { self.done.effects.iter().rposition(is_it) } else { None }
    }

    /// How many records of a kind are stored.
    pub fn count<K: Kind>(&self) -> Result<u64, OpError> {
        self.view.count(K::KIND)
    }

    /// Records of any kind whose time is up, at most `limit`.
    pub fn due(&self, limit: usize) -> Result<Vec<Found>, OpError> {
        self.view.index_range(kind::DUE, &index::number(i64::MIN), &index::number(self.cx.now_ms), limit)
    }

    /// What is stored, without what this turn has done.
    pub fn view(&self) -> &'v dyn ReadView {
        self.view
    }

    /// A large value's bytes in a range, also of one that an earlier part of this turn has written.
    pub fn blob(&self, blob: &BlobRef, range: std::ops::Range<u64>) -> Result<Vec<u8>, OpError> {
        let unsaved = blob.sha256.strip_prefix(UNSAVED).and_then(|number| number.parse::<usize>().ok());
        match unsaved.and_then(|number| self.unsaved.get(number)) {
            Some(content) => {
                let place = |at: u64| usize::try_from(at.min(blob.bytes)).unwrap_or(usize::MAX);
                Ok(content.as_bytes().get(place(range.start)..place(range.end)).unwrap_or_default().to_vec())
            }
            None => self.view.blob(blob, range),
        }
    }

    /// How many bytes of large values the turn has come to hold.
    pub fn large_bytes(&self) -> u64 {
        self.large_bytes
    }

    /// How a value is to be stored: small ones inline, large ones in their file. A large value that is not
    /// in its file yet is noted, and the kernel saves it and runs the turn again.
    pub fn keep(&mut self, content: Content) -> Stored {
        if !content.is_large() {
            return Stored::Inline(crate::model::key::encode(&content));
        }
        self.large_bytes += content.as_bytes().len() as u64;
        if let Some(saved) = self.saved.iter().find(|saved| *saved.content == content) {
            return Stored::Blob(saved.blob.clone());
        }
        let (bytes, length) = (content.as_bytes().len() as u64, content.length());
        let sha256 = format!("{UNSAVED}{}", self.unsaved.len());
        self.unsaved.push(content);
        Stored::Blob(BlobRef { sha256, bytes, length })
    }
}

fn is_dead(record: &Record, now_ms: i64) -> bool {
    record.expires_at.is_some_and(|at| at <= now_ms)
}

fn decode<K: Kind>(record: &Record) -> Result<K, OpError> {
    serde_json::from_str(&record.body).map_err(|error| OpError::Unavailable {
        reason: Reason::Damaged,
        what: format!("the stored {} \"{}\" cannot be understood ({error})", K::KIND, record.id),
        remedy: "restore it from a backup, or write it anew under another name".into(),
    })
}

fn hold<K: Kind>(record: Record) -> Result<Held<K>, OpError> {
    let content = decode(&record)?;
    Ok(Held { record, content })
}

fn unencodable(id: &str, error: &serde_json::Error) -> OpError {
    OpError::invalid("value", format!("\"{id}\" cannot be stored as JSON: {error}"), "")
}
