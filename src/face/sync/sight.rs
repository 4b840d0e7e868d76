//! What of an instance a socket is told: the keys that its mode may read, and of those the ones that it asked for.

use crate::{
    model::{error::OpError, permission::Mode},
    ops::{
        keys::{
            broadcast::Facts,
            catch_up::{self, Whole},
        },
        tx::Tx,
    },
};

use super::from_client::Subscribe;

/// What a socket sees.
#[derive(Debug, Clone)]
pub(super) struct Sight {
    pub(super) mode: Mode,
    /// Without anything in it: all.
    pub(super) only: Subscribe,
    /// It is told what changed, with the beginnings of values, and no keys: what a list needs.
    pub(super) as_changes: bool,
}

impl Sight {
    /// Whether it sees a key.
    pub(super) fn sees(&self, name: &str, facts: &Facts) -> bool {
        facts.readable(self.mode) && self.is_wanted(name, &facts.tags)
    }

    /// Where the log stands, as this socket is told.
    pub(super) fn stand(&self, tx: &Tx<'_>) -> Result<String, OpError> {
        Ok(self.mark(&catch_up::stand(tx)?))
    }

    /// The word for a log with the mode: who comes back with other rights has not seen what there is for them now, and may
    /// have seen what there is no more.
    pub(super) fn mark(&self, log: &str) -> String {
        format!("{log}-{}", self.mode.name())
    }

    /// Why a socket that comes back to `since` with such a word cannot be told only what came next.
    pub(super) fn gap(&self, tx: &Tx<'_>, since: u64, word: Option<&str>) -> Result<Option<Whole>, OpError> {
        let log = match word.and_then(|word| word.rsplit_once('-')) {
            Some((log, mode)) if mode.starts_with(|first: char| first.is_ascii_alphabetic()) => {
                if mode != self.mode.name() {
                    return Ok(Some(Whole::OtherRights));
                }
                Some(log)
            }
            _ => word,
        };
        catch_up::gap(tx, since, log)
    }

    fn is_wanted(&self, name: &str, tags: &[String]) -> bool {
        let Subscribe { keys, prefixes, tags: wanted } = &self.only;
        if [keys, prefixes, wanted].iter().all(|list| list.is_empty()) {
            return true;
        }
        keys.iter().any(|key| key == name)
            || prefixes.iter().any(|prefix| name.starts_with(prefix.as_str()))
            || wanted.iter().any(|wanted| tags.contains(wanted))
    }
}
