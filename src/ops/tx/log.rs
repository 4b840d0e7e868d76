//! The log as a turn sees it: what is stored, with the turn's own changes and without the values that it takes out.

use crate::model::{
    actor::Actor,
    error::OpError,
    kind::Kind,
    record::{Blank, Change, ChangeKind, Effect},
};

use super::Tx;

impl Tx<'_> {
    /// Takes the value out of a row of the log.
    pub fn blank(&mut self, blank: Blank) {
        if let Some(effect) = self.own(blank.seq).and_then(|position| self.done.effects.get_mut(position)) {
            effect.logged = Some(blank.body);
        } else {
            self.blanked.insert(blank.seq, self.done.blanks.len());
            self.done.blanks.push(blank);
        }
    }

    /// The seq of the last change of a record, also of one that is gone. That it has expired by now is not one yet: who
    /// only reads notices it too, and the log does not learn of that.
    pub fn last_change<K: Kind>(&self, id: &str) -> Result<Option<u64>, OpError> {
        let own = self.own_change::<K>(id).and_then(|position| Some((position, self.done.effects.get(position)?)));
        match own {
            Some((_, effect)) if effect.change == ChangeKind::Expired => Ok(effect.previous),
            Some((position, _)) => Ok(Some(self.head + position as u64 + 1)),
            None => self.view.last_change(K::KIND, id),
        }
    }

    /// One row of the log, this turn's own included.
    pub fn change(&self, seq: u64) -> Result<Option<Change>, OpError> {
        if let Some(position) = self.own(seq) {
            return Ok(self.done.effects.get(position).map(|effect| self.row(seq, effect)));
        }
        let Some(change) = self.view.change(seq)? else { return Ok(None) };
        let blank = self.blanked.get(&seq).and_then(|position| self.done.blanks.get(*position));
        Ok(Some(Change { body: blank.map(|blank| blank.body.clone()).or(change.body), ..change }))
    }

    /// Where among this turn's changes the one of a seq is.
    fn own(&self, seq: u64) -> Option<usize> {
        usize::try_from(seq.checked_sub(self.head + 1)?).ok()
    }

    /// A change of this turn as the log will show it.
    fn row(&self, seq: u64, effect: &Effect) -> Change {
        Change {
            seq,
            at: self.cx.now_ms,
            transaction: self.head + 1,
            previous: effect.previous,
            kind: effect.kind.to_owned(),
            id: effect.id.clone(),
            change: effect.change,
            operation: self.cx.operation.to_owned(),
            actor: if effect.change == ChangeKind::Expired { Actor::system() } else { self.cx.actor.clone() },
            expires_at: effect.expires_at,
            body: effect.logged.as_ref().or(effect.body.as_ref()).cloned(),
        }
    }

    /// The seq of the oldest row that the log still holds whole.
    pub fn log_start(&self) -> Result<u64, OpError> {
        Ok(self.view.position()?.log_start)
    }

    /// Rows of the stored log after `since`.
    pub fn changes(&self, since: u64, limit: usize) -> Result<Vec<Change>, OpError> {
        self.view.changes(since, limit)
    }
}
