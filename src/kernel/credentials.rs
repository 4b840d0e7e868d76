//! Secrets that callers show, looked up in the catalog. Only hashes are kept, found by what is public, and compared
//! without telling by the time it takes how much was right.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use subtle::ConstantTimeEq as _;

use crate::{
    model::{
        access::{Arrival, DelegateSecret},
        digest::sha256,
        error::OpError,
        instance::InstanceId,
        permission::{Principal, PrincipalKind, party::Party},
    },
    ops::{
        access::{
            arriving::Arrive,
            delegates,
            keys::{self, Used},
            secrets, users,
        },
        operation::{Cx, Operation as _, Wait},
        tx::Tx,
    },
};

use super::{
    Caller, Kernel,
    order::{Fresh, Order},
};

/// Keys whose last note is remembered; beyond that all are forgotten and looked up again.
const REMEMBERED: usize = 20_000;

/// When the use of each key was last noted by this process, in milliseconds.
pub(super) type Noted = Mutex<HashMap<String, i64>>;

fn refused(what: &str) -> OpError {
    OpError::Unauthenticated {
        what: format!("{what} is unknown, was revoked, or has expired"),
        remedy: "Ask whoever gave it to you for a new one".into(),
    }
}

fn same(shown: &str, kept: &str) -> bool {
    shown.as_bytes().ct_eq(kept.as_bytes()).into()
}

impl Kernel {
    /// Who shows this API key. Errors: `unauthenticated`.
    pub fn prove_key(&self, key: &str) -> Result<Principal, OpError> {
        let refused = || refused("the API key");
        let prefix = secrets::prefix(key).ok_or_else(refused)?;
        let hash = sha256(key);
        let catalog = self.handle(&InstanceId::catalog())?;
        let found = catalog.read(&Caller::system(), Wait::default(), |tx, _| keys::with_prefix(tx, prefix))?;
        let held = found.into_iter().find(|held| same(&hash, &held.content.sha256)).ok_or_else(refused)?;
        self.note_use(&held.record.id);
        Ok(Principal::of(&Party::Key(held.record.id), held.content.kind))
    }

    /// Who shows the secret of a delegate. Errors: `unauthenticated`.
    pub fn prove_delegate(&self, id: &str, secret: &str) -> Result<Principal, OpError> {
        let hash = sha256(secret);
        let catalog = self.handle(&InstanceId::catalog())?;
        let found = catalog.read(&Caller::system(), Wait::default(), |tx, _| delegates::secrets_of(tx, id))?;
        let is_it = |kept: &DelegateSecret| same(&hash, &kept.sha256);
        let held = found.into_iter().find(|held| is_it(&held.content));
        let held = held.ok_or_else(|| refused("the delegate or its secret"))?;
        self.note_use(&held.record.id);
        let principal = Principal::of(&Party::Delegate(id.to_owned()), PrincipalKind::Agent);
        Ok(Principal { secret: Some(held.record.id), ..principal })
    }

    /// Who a token speaks of that was checked, and for how long. Who comes for the first time is made known.
    /// Errors: `unauthenticated` for who is no user and may not become one.
    pub async fn prove_arrival(&self, arrival: Arrival, until_ms: i64) -> Result<Principal, OpError> {
        let catalog = self.handle(&InstanceId::catalog())?;
        let known = |tx: &mut Tx<'_>, _: &Cx| users::by_identity(tx, &arrival.identity);
        let id = if let Some(held) = catalog.read(&Caller::system(), Wait::default(), known)? {
            held.record.id
        } else {
            let order = Order::new(Arrive::NAME, Arc::new(Arrive::from(arrival)), Caller::system());
            let reply = catalog.write(Order { fresh: Fresh::draw(), ..order }).await?;
            reply.result.get("id").and_then(|id| id.as_str()).unwrap_or_default().to_owned()
        };
        Ok(Principal { until_ms: Some(until_ms), ..Principal::of(&Party::User(id), PrincipalKind::App) })
    }

    /// Notes that a key was used, now and then and while nobody waits for it: each note is a commit.
    fn note_use(&self, id: &str) {
        let now_ms = self.clock.wall_ms();
        {
            // A map of times is whole even if a holder panicked.
            let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
            if noted.get(id).is_some_and(|at| (0..Used::EVERY_MS).contains(&(now_ms - at))) {
                return;
            }
            if noted.len() >= REMEMBERED {
                noted.clear();
            }
            noted.insert(id.to_owned(), now_ms);
        }
        let (Some(kernel), id) = (self.this.upgrade(), id.to_owned()) else { return };
        let noting = async move {
            let catalog = kernel.handle(&InstanceId::catalog())?;
            catalog.write(Order::new(Used::NAME, Arc::new(Used { id }), Caller::system())).await
        };
        drop(tokio::spawn(async move {
            if let Err(error) = noting.await {
                tracing::debug!(%error, "the use of a key was not noted");
            }
        }));
    }
}
