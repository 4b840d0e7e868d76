//! Active expiry: removes what nobody has touched since its time was up. Lazy expiry is [`Tx::get`]'s.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{
    access::{ApiKey, Delegate, DelegateSecret},
    erasure::Erasure,
    error::OpError,
    instance::Instance,
    key::Key,
    kind::Kind as _,
    limits,
    permission::Action,
    reply::KeptReply,
    sign_in::SignIn,
    undone::Undone,
};

use super::{
    access,
    keys::purge,
    operation::{Cx, EffectClass, Listing, OpMeta, Operation, Report, Step, Target},
    tx::Tx,
};

/// Expire what is due, at most 1,000 records a turn.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpireDue {}

/// How far it came.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Expired {
    /// How many records were removed.
    pub expired: u64,
}

impl Report for Expired {
    fn outcome(&self) -> String {
        format!("{} records expired.", self.expired)
    }
}

impl Operation for ExpireDue {
    const NAME: &'static str = "expire_due";
    const META: OpMeta = OpMeta {
        title: "Expire what is due",
        toolset: "upkeep",
        listing: Listing::Internal,
        target: Target::Instance,
        action: Action::Read,
        effect: EffectClass::Delete,
        idempotent: true,
        waits: false,
        events: &["key.expired"],
    };
    type Out = Expired;

    fn apply(&self, tx: &mut Tx<'_>, _: &Cx) -> Result<Step<Expired>, OpError> {
        let mut expired = 0;
        let begun = tx.seq();
        for found in tx.due(limits::EXPIRE_SLICE)? {
            // What goes along with one counts too.
            if tx.seq() - begun >= limits::EXPIRE_SLICE as u64 {
                break;
            }
            // Asking for a dead record is what expires it.
            let asked = match found.kind.as_str() {
                Key::KIND => tx.get::<Key>(&found.id).map(|held| held.is_none()),
                KeptReply::KIND => tx.get::<KeptReply>(&found.id).map(|held| held.is_none()),
                Erasure::KIND => purge::go_on(tx, &found.id),
                SignIn::KIND => tx.get::<SignIn>(&found.id).map(|held| held.is_none()),
                Instance::KIND => tx.get::<Instance>(&found.id).map(|held| held.is_none()),
                Undone::KIND => tx.get::<Undone>(&found.id).map(|held| held.is_none()),
                ApiKey::KIND => tx.attempt(|tx| access::keys::expire(tx, &found.id)),
                Delegate::KIND => tx.attempt(|tx| access::delegates::expire(tx, &found.id)),
                DelegateSecret::KIND => tx.attempt(|tx| access::delegates::expire_secret(tx, &found.id)),
                _ => Ok(false),
            };
            // One that cannot be understood must not keep the others alive.
            expired += u64::from(asked.unwrap_or(false));
        }
        Ok(Step::Done(Expired { expired }))
    }
}
