//! Who was refused what, from where: a line of the log for each refusal, under the target `audit`. What was changed is in
//! the catalog's own log; this is the other half of the trail, which nothing else keeps.
//!
//! No line carries a value, a key's name or anything of a secret. A source that is refused again and again does not flood
//! the log: of its refusals so many a minute are told, then how many there were.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Mutex, PoisonError},
};

use crate::{
    model::{
        error::OpError,
        instance::{InstanceId, InstanceRef},
        limits,
        permission::{PrincipalKind, party::LOCAL},
    },
    ops::{
        self,
        operation::{Answer, Target},
    },
};

use super::{Caller, Kernel};

/// How long a window of counting is, in milliseconds.
const WINDOW_MS: i64 = 60_000;
/// A refusal that is told again within so many milliseconds is the same one, met on another step of one request.
const SAME_MS: i64 = 1000;
/// Sources that are counted each by itself; the others are counted together.
const SOURCES: usize = 1000;
const OTHERS: &str = "others";

/// A refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Refusal<'r> {
    who: &'r str,
    kind: &'r str,
    /// Face and address.
    from: &'r str,
    /// The program, as it names itself.
    client: &'r str,
    operation: &'r str,
    instance: &'r str,
    /// The code of the refusal.
    decision: &'r str,
}

/// What each source was told of in its window.
#[derive(Default)]
pub(super) struct Audit(Mutex<HashMap<String, Window>>);

#[derive(Default)]
struct Window {
    begun_ms: i64,
    told: usize,
    left_out: u64,
    last: (u64, i64),
}

/// What becomes of one refusal.
#[derive(Debug, PartialEq, Eq)]
enum Telling {
    /// It is told, and before it how many of the window before were not.
    Told { left_out: u64 },
    /// It is counted.
    Counted,
}

impl Audit {
    fn take(&self, source: &str, refusal: &Refusal<'_>, now_ms: i64) -> Telling {
        let mut hasher = DefaultHasher::new();
        refusal.hash(&mut hasher);
        let hash = hasher.finish();
        // Counts are whole even if a holder panicked.
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= SOURCES && !windows.contains_key(source) {
            windows.retain(|_, window| (0..WINDOW_MS).contains(&(now_ms - window.begun_ms)));
        }
        let is_full = windows.len() >= SOURCES && !windows.contains_key(source);
        let window = windows.entry(if is_full { OTHERS } else { source }.to_owned()).or_default();
        if window.last.0 == hash && (0..SAME_MS).contains(&(now_ms - window.last.1)) {
            return Telling::Counted;
        }
        window.last = (hash, now_ms);
        let mut left_out = 0;
        if !(0..WINDOW_MS).contains(&(now_ms - window.begun_ms)) {
            left_out = std::mem::take(&mut window.left_out);
            (window.begun_ms, window.told) = (now_ms, 0);
        }
        if window.told >= limits::REFUSALS_TOLD {
            window.left_out += 1;
            return Telling::Counted;
        }
        window.told += 1;
        Telling::Told { left_out }
    }
}

impl Kernel {
    /// Tells of a refusal, if the result is one, and gives the result back.
    pub(super) fn audited<T>(
        &self,
        caller: &Caller,
        instance: &InstanceRef,
        operation: &str,
        result: Result<T, OpError>,
    ) -> Result<T, OpError> {
        let Err(error) = &result else { return result };
        let entry = ops::find(operation);
        let is_told = match error {
            OpError::PermissionDenied { .. } | OpError::Unauthenticated { .. } => true,
            // What somebody may not know of is not there for them.
            OpError::NotFound { .. } => {
                !caller.principal.is_local() && entry.is_some_and(|entry| entry.meta.target == Target::Catalog)
            }
            _ => false,
        };
        // What is called by another is told of under its own name.
        if is_told && !entry.is_some_and(|entry| matches!(entry.answer, Answer::Forward)) {
            let named = match instance {
                InstanceRef::Id(id) => id.as_str(),
                InstanceRef::Name(name) => name,
            };
            let unsaid = if caller.principal.is_local() { "this machine" } else { "unknown" };
            self.tell(&Refusal {
                who: &caller.principal.id,
                kind: caller.actor.kind.name(),
                from: caller.actor.from.as_deref().unwrap_or(unsaid),
                client: &caller.actor.client,
                operation: entry.map_or(operation, |entry| entry.name),
                instance: named,
                decision: error.code(),
            });
        }
        result
    }

    /// Tells that somebody showed a proof that is none, or none at all.
    pub fn tell_of_stranger(&self, from: &str, client: &str, error: &OpError) {
        let client: String = client.chars().filter(|c| !c.is_control()).take(limits::CLIENT_CHARACTERS).collect();
        self.tell(&Refusal {
            who: "nobody",
            kind: PrincipalKind::App.name(),
            from,
            client: &client,
            operation: "authenticate",
            instance: "",
            decision: error.code(),
        });
    }

    /// Tells that somebody was not let in to an instance for another reason than what the catalog says.
    pub fn tell_of_refusal(&self, caller: &Caller, id: &InstanceId, error: &OpError) {
        self.tell(&Refusal {
            who: &caller.principal.id,
            kind: caller.actor.kind.name(),
            from: caller.actor.from.as_deref().unwrap_or("unknown"),
            client: &caller.actor.client,
            operation: "connect",
            instance: id.as_str(),
            decision: error.code(),
        });
    }

    fn tell(&self, refusal: &Refusal<'_>) {
        let Refusal { who, kind, from, client, operation, instance, decision } = *refusal;
        let source = from.rsplit(' ').next().unwrap_or(from);
        let Telling::Told { left_out } = self.audit.take(source, refusal, self.clock.wall_ms()) else { return };
        if left_out > 0 {
            tracing::warn!(target: "audit", source, left_out, "more refusals than are told one by one");
        }
        if who == LOCAL {
            // A model that tries what its mode does not allow, which is no attack.
            tracing::info!(target: "audit", who, kind, from, client, operation, instance, decision, "refused");
        } else {
            tracing::warn!(target: "audit", who, kind, from, client, operation, instance, decision, "refused");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSAL: Refusal<'static> = Refusal {
        who: "user:u",
        kind: "app",
        from: "rest 10.0.0.1",
        client: "x",
        operation: "read_key",
        instance: "i",
        decision: "permission_denied",
    };

    fn other(client: &str) -> Refusal<'_> {
        Refusal { client, ..REFUSAL }
    }

    #[test]
    fn a_source_is_told_of_so_often_a_minute_and_then_counted() {
        let audit = Audit::default();
        let names: Vec<String> = (0..limits::REFUSALS_TOLD + 5).map(|number| number.to_string()).collect();
        let told = names.iter().filter(|name| audit.take("a", &other(name), 1000) != Telling::Counted).count();
        assert_eq!(told, limits::REFUSALS_TOLD);
        assert_eq!(audit.take("b", &REFUSAL, 1000), Telling::Told { left_out: 0 }, "another source has its own count");
        assert_eq!(audit.take("a", &REFUSAL, 1000 + WINDOW_MS), Telling::Told { left_out: 5 });
    }

    #[test]
    fn one_refusal_met_twice_is_told_once() {
        let audit = Audit::default();
        assert_eq!(audit.take("a", &REFUSAL, 0), Telling::Told { left_out: 0 });
        assert_eq!(audit.take("a", &REFUSAL, SAME_MS - 1), Telling::Counted);
        assert_eq!(audit.take("a", &REFUSAL, SAME_MS), Telling::Told { left_out: 0 });
    }

    #[test]
    fn however_many_sources_there_are_the_memory_is_bounded() {
        let audit = Audit::default();
        for number in 0..3 * SOURCES {
            audit.take(&number.to_string(), &REFUSAL, 0);
        }
        assert_eq!(audit.0.lock().unwrap().len(), SOURCES + 1);
        audit.take("later", &REFUSAL, WINDOW_MS);
        assert_eq!(audit.0.lock().unwrap().len(), 1);
    }
}
