//! Names of instances that were looked up a moment ago.
//!
//! Over HTTP each request names its instance, and a look at the catalog costs as much as the read that is asked for.
//! What was found holds as long as the hint of the catalog has not moved, which it does with every commit before its
//! answer, and for a second at most: for a process that died between its commit and its hint.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use super::instances::Located;

/// How long what was found holds, in milliseconds.
const HOLDS_MS: i64 = 1000;
/// Names kept; beyond that all are forgotten and found again.
const KEPT: usize = 1000;

/// What was found, by name.
#[derive(Default)]
pub(super) struct Found(Mutex<HashMap<String, (Located, Seen)>>);

/// Where the catalog stood, and when that was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    /// The hint of the catalog, asked for before the look.
    pub(super) hint: u64,
    /// By the clock, in milliseconds.
    pub(super) at_ms: i64,
}

impl Found {
    fn names(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Located, Seen)>> {
        // Each change is a single step, so the map is whole even if a holder panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a name stands for, if that was found and still holds.
    pub(super) fn get(&self, name: &str, now: Seen) -> Option<Located> {
        let names = self.names();
        let (located, seen) = names.get(name)?;
        let holds = seen.hint == now.hint && (0..HOLDS_MS).contains(&(now.at_ms - seen.at_ms));
        holds.then(|| located.clone())
    }

    /// Keeps what was found.
    pub(super) fn keep(&self, name: &str, located: Located, seen: Seen) {
        let mut names = self.names();
        if names.len() >= KEPT {
            names.clear();
        }
        names.insert(name.to_owned(), (located, seen));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{instance::InstanceId, permission::Permission};

    #[test]
    fn what_was_found_holds_until_the_catalog_moves_or_a_second_has_passed() {
        let found = Found::default();
        let seen = Seen { hint: 7, at_ms: 1000 };
        found.keep("a", Located { id: InstanceId::catalog(), name: "a".into(), permission: Permission::Admin }, seen);
        assert!(found.get("a", Seen { at_ms: 1999, ..seen }).is_some());
        for now in [Seen { at_ms: 2000, ..seen }, Seen { hint: 8, ..seen }, Seen { at_ms: 999, ..seen }] {
            assert!(found.get("a", now).is_none(), "{now:?}");
        }
        assert!(found.get("b", seen).is_none());
    }
}
