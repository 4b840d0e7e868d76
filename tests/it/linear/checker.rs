//! Whether a history of one key could have happened one call after the other (Wing and Gong, with a memory).
//!
//! It knows what a key promises and nothing of how the store keeps it: a history is linearizable if its calls can be
//! put in an order that agrees with real time and in which each answer is the one that the calls before it lead to.

use std::collections::HashSet;

/// A call and its answer. The stamps come from one counter: greater is later, in all threads.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) invoked: u64,
    pub(super) answered: u64,
    pub(super) did: Did,
}

/// What was done and what came of it. Version 0 is an absent key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Did {
    Read {
        version: u64,
        value: String,
    },
    Write {
        value: String,
        if_version: Option<u64>,
        version: u64,
    },
    Delete {
        if_version: Option<u64>,
        version: u64,
    },
    /// A write or a delete that found another version than it asked for.
    Refused {
        if_version: u64,
        current: u64,
    },
}

/// The state of a key: its version, 0 when it is absent, and its value; the last version that it had.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct State {
    version: u64,
    value: String,
    last: u64,
}

impl State {
    /// The state after a call, or nothing where its answer does not fit.
    fn after(&self, did: &Did) -> Option<Self> {
        let may = |if_version: &Option<u64>| if_version.is_none_or(|expected| expected == self.version);
        let next =
            |version: u64, live: u64, value: &str| Self { version: live, value: value.to_owned(), last: version };
        match did {
            Did::Read { version, value } => (*version == self.version && *value == self.value).then(|| self.clone()),
            Did::Write { value, if_version, version } => {
                (may(if_version) && *version > self.last).then(|| next(*version, *version, value))
            }
            // Nothing was there to delete: nothing changes.
            Did::Delete { if_version, version: 0 } => (may(if_version) && self.version == 0).then(|| self.clone()),
            Did::Delete { if_version, version } => {
                (may(if_version) && self.version != 0 && *version > self.last).then(|| next(*version, 0, ""))
            }
            Did::Refused { if_version, current } => {
                (*current == self.version && if_version != current).then(|| self.clone())
            }
        }
    }
}

/// Which calls have taken their place in the order.
type Placed = Vec<u64>;

/// Whether the history of a key that is absent at first is linearizable.
pub(super) fn is_linearizable(history: &[Event]) -> bool {
    let mut seen: HashSet<(Placed, State)> = HashSet::new();
    let mut open = vec![(vec![0; history.len() / 64 + 1], State::default())];
    while let Some((placed, state)) = open.pop() {
        let is_placed = |at: usize| placed[at / 64] & (1 << (at % 64)) != 0;
        let waiting: Vec<_> = (0..history.len()).filter(|at| !is_placed(*at)).collect();
        // The next in the order was invoked before any other that waits was answered.
        let Some(first_answer) = waiting.iter().map(|at| history[*at].answered).min() else { return true };
        for at in waiting.into_iter().filter(|at| history[*at].invoked < first_answer) {
            let Some(next) = state.after(&history[at].did) else { continue };
            let mut placed = placed.clone();
            placed[at / 64] |= 1 << (at % 64);
            if seen.insert((placed.clone(), next.clone())) {
                open.push((placed, next));
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(invoked: u64, answered: u64, did: Did) -> Event {
        Event { invoked, answered, did }
    }

    fn write(value: &str, if_version: Option<u64>, version: u64) -> Did {
        Did::Write { value: value.to_owned(), if_version, version }
    }

    fn read(version: u64, value: &str) -> Did {
        Did::Read { version, value: value.to_owned() }
    }

    #[test]
    fn calls_that_overlap_may_take_either_order() {
        let both = [event(1, 10, write("a", None, 5)), event(2, 9, write("b", None, 4))];
        assert!(is_linearizable(&both));
        for seen in [read(0, ""), read(4, "b"), read(5, "a")] {
            assert!(is_linearizable(&[&both[..], &[event(3, 8, seen)]].concat()));
        }
        let refused = Did::Refused { if_version: 0, current: 4 };
        assert!(is_linearizable(&[&both[..], &[event(3, 8, refused)]].concat()));
        let deleted = [event(11, 12, Did::Delete { if_version: Some(5), version: 6 }), event(13, 14, read(0, ""))];
        assert!(is_linearizable(&[&both[..], &deleted].concat()));
        assert!(is_linearizable(&[]));
    }

    #[test]
    fn histories_that_cannot_have_happened_are_rejected() {
        let first = event(1, 2, write("a", Some(0), 1));
        let second = event(3, 4, write("b", Some(1), 2));
        for (what, wrong) in [
            ("a stale read", event(5, 6, read(1, "a"))),
            ("a value that was never written", event(5, 6, read(2, "c"))),
            ("a write that is forgotten", event(5, 6, read(0, ""))),
            ("two that win at one version", event(3, 6, write("c", Some(1), 3))),
            ("a version given twice", event(5, 6, write("c", None, 2))),
            ("a refusal that names a version that is over", event(5, 6, Did::Refused { if_version: 7, current: 1 })),
            ("a refusal of the right version", event(5, 6, Did::Refused { if_version: 2, current: 2 })),
            ("nothing to delete although it is there", event(5, 6, Did::Delete { if_version: None, version: 0 })),
            ("a version that goes back", event(5, 6, write("c", None, 1))),
        ] {
            assert!(!is_linearizable(&[first.clone(), second.clone(), wrong]), "{what}");
        }
        // Each alone is fine, but the two readers saw the writes in different orders.
        let writes = [event(1, 20, write("a", None, 1)), event(1, 20, write("b", None, 2))];
        let readers = [event(2, 3, read(2, "b")), event(4, 5, read(1, "a"))];
        assert!(is_linearizable(&[&writes[..], &readers[..1]].concat()));
        assert!(!is_linearizable(&[&writes[..], &readers].concat()));
    }
}
