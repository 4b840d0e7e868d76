//! What a follower has missed since a seq: the last state of each key that changed, and the keys that went.
//!
//! A reader of the log, not an operation: nothing here runs in a turn.

use std::collections::BTreeMap;

use crate::model::{error::OpError, key::Key, kind::Kind as _, limits, search::Stand};

use super::{broadcast::Facts, indexing};
use crate::ops::tx::Tx;

/// What was missed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Missed {
    /// Names of the keys that changed and are there for the follower.
    pub changed: Vec<String>,
    /// Names of those that are there no more for it, with the seq of that.
    pub gone: Vec<(String, u64)>,
    /// The state up to which that goes.
    pub as_of_seq: u64,
}

/// Why it is not told what was missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// The log does not hold it, or it is more than all keys are.
    LogTruncated,
    /// The follower speaks of another log than this one.
    OtherLog,
    /// The follower had other rights.
    OtherRights,
}

impl Whole {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::LogTruncated => "log_truncated",
            Self::OtherLog => "other_log",
            Self::OtherRights => "other_rights",
        }
    }
}

/// Where an instance stands, in words by which its log is known again: this one, and none that was the same up to here
/// and went another way.
pub fn stand(tx: &Tx<'_>) -> Result<String, OpError> {
    let head = indexing::head(tx.view(), tx.view().position()?)?;
    Ok(known_as(head))
}

/// The same for somebody who knows where that is.
pub fn known_as(stand: Stand) -> String {
    format!("{}-{}", stand.seq, stand.at)
}

fn parse(log: &str) -> Option<Stand> {
    let (seq, at) = log.split_once('-')?;
    Some(Stand { seq: seq.parse().ok()?, at: at.parse().ok()? })
}

/// Why a follower who has come to `since` in the log that was known as `log` cannot be told only what came next.
pub fn gap(tx: &Tx<'_>, since: u64, log: Option<&str>) -> Result<Option<Whole>, OpError> {
    let position = tx.view().position()?;
    if let Some(log) = log {
        match parse(log) {
            Some(stand) if !indexing::is_of_another_log(tx.view(), position, stand)? => {}
            _ => return Ok(Some(Whole::OtherLog)),
        }
    }
    if since > position.head {
        return Ok(Some(Whole::OtherLog));
    }
    Ok((since.saturating_add(1) < position.log_start).then_some(Whole::LogTruncated))
}

/// What was missed since `since`, from where there is no [`gap`], by who may see what `sees` says.
pub fn missed(tx: &Tx<'_>, since: u64, sees: impl Fn(&str, &Facts) -> bool) -> Result<Result<Missed, Whole>, OpError> {
    let head = tx.seq();
    let mut touched: BTreeMap<String, u64> = BTreeMap::new();
    let mut looked_at = since;
    while looked_at < head {
        let rows = tx.view().touched(looked_at, limits::PAGE as usize)?;
        let Some(last) = rows.last() else { break };
        looked_at = last.seq;
        touched.extend(rows.into_iter().filter(|row| row.kind == Key::KIND).map(|row| (row.id, row.seq)));
        if looked_at - since > limits::CATCH_UP_ROWS {
            return Ok(Err(Whole::LogTruncated));
        }
    }
    let mut missed = Missed { as_of_seq: head, ..Missed::default() };
    for (name, last) in touched {
        let now = tx.view().record(Key::KIND, &name)?;
        let now = now.and_then(|record| serde_json::from_str::<Key>(&record.body).ok());
        if now.is_some_and(|key| sees(&name, &Facts::of(&key))) {
            missed.changed.push(name);
        } else if may_be_known(tx, since, last, &name, &sees)? {
            missed.gone.push((name, last));
        }
    }
    Ok(Ok(missed))
}

/// Whether the follower may know of a key that is there no more for it: it was there at `since`, or between that and its
/// `last` change. Who made it knows it by the answer, which comes before what happened up to there has been told.
fn may_be_known(
    tx: &Tx<'_>,
    since: u64,
    last: u64,
    name: &str,
    sees: &impl Fn(&str, &Facts) -> bool,
) -> Result<bool, OpError> {
    let mut at = Some(last);
    while let Some(seq) = at {
        let Some(change) = tx.change(seq)? else { break };
        let key = change.body.and_then(|body| serde_json::from_str::<Key>(&body).ok());
        if key.is_some_and(|key| sees(name, &Facts::of(&key))) {
            return Ok(true);
        }
        at = change.previous.filter(|_| seq > since);
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stand_is_read_as_it_was_written() {
        assert_eq!(parse("7-1000"), Some(Stand { seq: 7, at: 1000 }));
        assert_eq!(parse("0-0"), Some(Stand::default()));
        for wrong in ["", "7", "-", "7-", "a-b", "7-1-2", "-7-1"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
