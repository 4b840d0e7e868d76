//! The places of what lasts. Of each sort a server has only so many, and they are everybody's: a user, with all their keys
//! and delegates together, has a part of them. Whose the machine or the server is may take all.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::SemaphorePermit;

use crate::{
    model::{error::OpError, instance::InstanceId, limits, permission::Principal},
    ops::{access::quota, operation::Wait},
};

use super::{Caller, Kernel};

/// What lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lasting {
    /// A call that waits.
    Wait,
    /// A stream of events, or a subscription.
    Stream,
    /// A session of the older protocol.
    Session,
    /// A WebSocket.
    Socket,
}

impl Lasting {
    /// The most of them, and what they are called.
    fn told(self) -> (usize, &'static str) {
        match self {
            Self::Wait => (limits::WAITS, "calls waiting"),
            Self::Stream => (limits::LISTENS, "subscriptions and streams open"),
            Self::Session => (limits::SESSIONS, "sessions open"),
            Self::Socket => (limits::SOCKETS, "WebSockets open"),
        }
    }

    /// How many of them one user has.
    pub fn part(self) -> usize {
        self.told().0 / limits::PARTS
    }

    /// The refusal when all places are taken.
    pub fn full(self) -> OpError {
        let (waiting, of) = self.told();
        OpError::Overloaded { what: "this process".into(), of, waiting }
    }
}

/// How many places of each sort each user has.
#[derive(Debug, Clone, Default)]
pub(super) struct Parts(Arc<Mutex<HashMap<(Lasting, String), usize>>>);

impl Parts {
    fn taken(&self) -> std::sync::MutexGuard<'_, HashMap<(Lasting, String), usize>> {
        // A count that is too high after a panic lets in fewer, not more.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, what: Lasting, user: String) -> Result<Part, OpError> {
        let place = (what, user);
        let mut taken = self.taken();
        let count = taken.entry(place.clone()).or_default();
        if *count >= what.part() {
            let what = what.told().1;
            return Err(OpError::Overloaded {
                what: "your user, with all keys and delegates together,".into(),
                of: what,
                waiting: *count,
            });
        }
        *count += 1;
        drop(taken);
        Ok(Part(Some((self.clone(), place))))
    }
}

/// A place that counts for a user. Dropped, it is free again.
#[derive(Debug)]
pub struct Part(Option<(Parts, (Lasting, String))>);

impl Part {
    /// The user whose it is; nothing for who may take all.
    pub fn user(&self) -> Option<&str> {
        self.0.as_ref().map(|(_, (_, user))| user.as_str())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let Some((parts, place)) = self.0.take() else { return };
        let mut taken = parts.taken();
        if let Some(count) = taken.get_mut(&place) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&place);
            }
        }
    }
}

impl Kernel {
    /// The id of the user of whose part somebody takes; nothing for who may take all.
    pub fn whose(&self, principal: &Principal) -> Result<Option<String>, OpError> {
        if principal.is_local() {
            return Ok(None);
        }
        let catalog = self.handle(&InstanceId::catalog())?;
        catalog.read(&Caller::system(), Wait::default(), |tx, _| quota::whose(tx, principal))
    }

    /// A place of somebody's part, for what lasts. Errors: `overloaded` when their user has no more.
    pub fn part(&self, principal: &Principal, what: Lasting) -> Result<Part, OpError> {
        self.whose(principal)?.map_or(Ok(Part(None)), |user| self.parts.take(what, user))
    }

    /// A place for a call that begins to wait. What lasts keeps memory for long: there is only so much of it.
    pub(super) fn place_to_wait<'p>(&'p self, caller: &'p Caller) -> Result<([SemaphorePermit<'p>; 2], Part), OpError> {
        if caller.message_bytes > limits::LASTING_BYTES {
            return Err(OpError::TooLarge {
                what: "the message of a call that waits".into(),
                got_bytes: caller.message_bytes as u64,
                limit_bytes: limits::LASTING_BYTES as u64,
                remedy: "Send no more than its arguments".into(),
            });
        }
        let full = |_| OpError::waiting("this session", limits::WAITS_OF_SESSION);
        let own = caller.waits.try_acquire().map_err(full)?;
        let part = self.part(&caller.principal, Lasting::Wait)?;
        let of_all = self.waits.try_acquire().map_err(|_| Lasting::Wait.full())?;
        Ok(([own, of_all], part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_a_quarter_of_the_places_and_is_told_of_what() {
        for (what, part, named) in [
            (Lasting::Wait, 128, "128 calls waiting"),
            (Lasting::Stream, 256, "256 subscriptions and streams open"),
            (Lasting::Session, 2500, "2500 sessions open"),
            (Lasting::Socket, 3000, "3000 WebSockets open"),
        ] {
            let parts = Parts::default();
            let mut held: Vec<_> = (0..part).map(|_| parts.take(what, "ann".into()).unwrap()).collect();
            let refused = parts.take(what, "ann".into()).unwrap_err();
            assert_eq!(refused.code(), "overloaded");
            assert!(refused.to_string().contains(named) && refused.to_string().contains("Try again"), "{refused}");
            // Others have theirs, and what ends makes room.
            held.push(parts.take(what, "bob".into()).unwrap());
            held.remove(0);
            held.push(parts.take(what, "ann".into()).unwrap());
            drop(held);
            assert!(parts.taken().is_empty(), "nothing is kept of who has left");
        }
    }
}
