//! Somebody comes with a token of an issuer for the first time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{
    access::{Arrival, Identity, User},
    error::OpError,
};

use super::{
    meta, secrets,
    users::{self, UserView},
};
use crate::ops::{
    operation::{Cx, EffectClass, Listing, OpMeta, Operation, Step},
    tx::Tx,
};

/// Make the user of a token known: who is known already, else whoever has the verified address of the token, else a
/// new user if the server takes such.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arrive {
    /// The issuer
    pub issuer: String,
    /// Its name for them
    pub subject: String,
    /// Their address, if the issuer has verified it
    pub email: Option<String>,
    /// What they are called
    pub name: Option<String>,
    /// Whether they may be new
    pub may_be_new: bool,
}

impl From<Arrival> for Arrive {
    fn from(arrival: Arrival) -> Self {
        let Arrival { identity: Identity { issuer, subject }, email, name, may_be_new } = arrival;
        Self { issuer, subject, email, name, may_be_new }
    }
}

fn refused(what: &str, remedy: &str) -> OpError {
    OpError::Unauthenticated { what: what.into(), remedy: remedy.into() }
}

impl Operation for Arrive {
    const NAME: &'static str = "user_arrive";
    const META: OpMeta = OpMeta {
        listing: Listing::Internal,
        events: &["user.created", "user.updated", "project.created"],
        ..meta("Make the user of a token known", EffectClass::Create)
    };
    type Out = UserView;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<UserView>, OpError> {
        let identity = Identity { issuer: self.issuer.clone(), subject: self.subject.clone() };
        if let Some(held) = users::by_identity(tx, &identity)? {
            return Ok(Step::Done(UserView::of(held)));
        }
        let known = self.email.as_deref().map(|email| users::by_email(tx, email)).transpose()?.flatten();
        if let Some(mut held) = known {
            // Issuers give the address of who has left to somebody else, and a name never.
            if held.content.identities.iter().any(|each| each.issuer == self.issuer) {
                let remedy = "Whose the server is can remove that user, or give them another address";
                return Err(refused("the address belongs to a user whom the issuer knows by another name", remedy));
            }
            held.content.identities.push(identity);
            tx.put(&held.record.id, &held.content, None)?;
            return Ok(Step::Done(UserView::of(held)));
        }
        if !self.may_be_new {
            let remedy = "Ask whose the server is to make you a user; the token has to carry your verified address";
            return Err(refused("nobody here is known by this token", remedy));
        }
        let (id, project) = (secrets::id(cx, 0)?, secrets::id(cx, 1)?);
        let (email, name) = (self.email.clone(), self.name.clone().filter(|name| is_name(name)));
        let user = User { email, name, is_owner: false, project: project.clone(), identities: vec![identity] };
        users::enter(tx, id, project, user).map(Step::Done)
    }
}

/// Whether something can stand where names of people stand; else they have none, which is no reason to refuse them.
fn is_name(text: &str) -> bool {
    let length = text.chars().count();
    !text.trim().is_empty() && length <= crate::model::limits::ACCESS_CHARACTERS && !text.contains(char::is_control)
}
