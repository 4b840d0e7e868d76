//! Of which deletions an older client has heard: it sends its whole state again and again, and what it had not heard was
//! deleted is not to come back by that.
//!
//! A deletion has been heard when the client has answered a ping that was sent before it.

use std::collections::{HashMap, VecDeque};

use axum::body::Bytes;

use crate::{model::limits, ops::keys::put::Delivered};

/// What is known of it.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Deletions after this seq were passed on as they happened …
    after: u64,
    /// … and heard up to this one.
    to: u64,
    /// Those that the client was told of by themselves, by key.
    told: HashMap<String, u64>,
    /// Pings that have not been answered, with what is heard when they are.
    pings: VecDeque<(u64, Item)>,
    last_ping: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Item {
    /// What was passed on up to this seq.
    UpTo(u64),
    /// The deletion of one key.
    Key(String, u64),
}

impl Heard {
    /// The client was shown the keys as they were at a seq; what happened between `before` and that it was not told.
    pub(super) fn begin(&mut self, before: u64, seq: u64) {
        if seq > before {
            (self.after, self.to) = (seq, seq);
            self.pings.retain(|(_, item)| matches!(item, Item::Key(..)));
        }
    }

    /// A deletion is passed on: the ping to send before it.
    pub(super) fn passing(&mut self, seq: u64) -> Bytes {
        self.ping(Item::UpTo(seq))
    }

    /// The client is told of one deletion by itself: the ping to send before it, unless one is out.
    pub(super) fn telling(&mut self, key: &str, seq: u64) -> Option<Bytes> {
        let item = Item::Key(key.to_owned(), seq);
        if self.pings.iter().any(|(_, out)| *out == item) { None } else { Some(self.ping(item)) }
    }

    fn ping(&mut self, item: Item) -> Bytes {
        self.last_ping += 1;
        if self.pings.len() >= limits::TOLD_GONE {
            // It counts as not heard, and the client is told again.
            self.pings.pop_front();
        }
        self.pings.push_back((self.last_ping, item));
        Bytes::copy_from_slice(&self.last_ping.to_be_bytes())
    }

    /// A ping was answered, and all before it.
    pub(super) fn pong(&mut self, token: &[u8]) {
        let Ok(token) = token.try_into().map(u64::from_be_bytes) else { return };
        while self.pings.front().is_some_and(|(ping, _)| *ping <= token) {
            match self.pings.pop_front() {
                Some((_, Item::UpTo(seq))) => self.to = self.to.max(seq),
                Some((_, Item::Key(key, seq))) => {
                    if self.told.len() >= limits::TOLD_GONE {
                        self.told.clear();
                    }
                    self.told.insert(key, seq);
                }
                None => {}
            }
        }
    }

    /// What has been heard of a key's deletions.
    pub(super) fn of(&self, key: &str) -> Delivered {
        Delivered { after: self.after, to: self.to, of_key: self.told.get(key).copied() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deletion_is_heard_when_the_ping_before_it_is_answered() {
        let mut heard = Heard::default();
        heard.begin(0, 10);
        let ping = heard.passing(12);
        assert!(!heard.of("k").has(12));
        heard.pong(&ping);
        assert!(heard.of("k").has(12) && !heard.of("k").has(10) && !heard.of("k").has(13));
        let ping = heard.telling("k", 5).unwrap();
        assert!(heard.telling("k", 5).is_none(), "one ping is enough");
        assert!(!heard.of("k").has(5));
        heard.pong(&ping);
        assert!(heard.of("k").has(5) && !heard.of("other").has(5));
        heard.pong(b"what nobody sent");
    }

    #[test]
    fn what_happened_while_the_client_was_behind_is_not_heard() {
        let mut heard = Heard::default();
        heard.begin(0, 10);
        let late = heard.passing(12);
        heard.begin(12, 20);
        heard.pong(&late);
        assert!(!heard.of("k").has(12) && !heard.of("k").has(15));
        let ping = heard.passing(21);
        heard.pong(&ping);
        assert!(heard.of("k").has(21));
    }
}
