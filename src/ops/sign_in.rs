//! Sign-ins of browsers, as records of the catalog: they outlive a restart, are listed, and end when they are revoked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{error::OpError, limits, permission::Action, sign_in::SignIn, time, view::IdRange};

use super::{
    bounds::Text,
    operation::{Call, Cx, EffectClass, Listing, OpMeta, Operation, Reply, Report, Step, Target},
    tx::Tx,
};

/// The name in the log of what [`Keep`] does.
pub const KEEP: &str = "sign_in";

/// Keeps a new sign-in for 30 days. The oldest goes when there are too many.
#[derive(Debug)]
pub struct Keep {
    /// Its id.
    pub id: String,
    /// What is kept of it.
    pub sign_in: SignIn,
}

impl Call for Keep {
    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Reply>, OpError> {
        if tx.count::<SignIn>()? >= limits::SIGN_INS as u64 {
            let mut kept = tx.scan::<SignIn>(&IdRange::all(), limits::SIGN_INS + 1)?;
            kept.sort_by_key(|held| held.record.created_at);
            let over = (kept.len() + 1).saturating_sub(limits::SIGN_INS);
            for held in kept.iter().take(over) {
                tx.delete::<SignIn>(&held.record.id)?;
            }
        }
        tx.put(&self.id, &self.sign_in, Some(cx.now_ms + limits::SIGN_IN_MS))?;
        Reply::of(&Revoked { sign_in: self.id.clone(), revoked: false }).map(Step::Done)
    }
}

const fn meta(title: &'static str, effect: EffectClass) -> OpMeta {
    OpMeta {
        title,
        toolset: "access",
        listing: Listing::Search,
        target: Target::Catalog,
        action: Action::Instances,
        effect,
        idempotent: true,
        waits: false,
        events: &[],
    }
}

/// A sign-in is one of this machine's user: nobody else sees or ends it.
fn check_local(cx: &Cx, what: &str) -> Result<(), OpError> {
    if cx.principal.is_local() {
        return Ok(());
    }
    let remedy = "The user of the server's machine may, on its command line".into();
    Err(OpError::PermissionDenied { what: what.to_owned(), remedy })
}

/// The browsers that are signed in to the page: since when, until when, and what each calls itself.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {}

/// A browser that is signed in.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SignedIn {
    /// Its id, for `sign_in_revoke`.
    pub sign_in: String,
    /// As it names itself.
    pub browser: String,
    /// Since when.
    pub created_at: String,
    /// Until when.
    pub expires_at: String,
}

/// All of them.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SignIns {
    /// By id.
    #[schemars(schema_with = "crate::ops::schema::objects")]
    pub sign_ins: Vec<SignedIn>,
}

impl Report for SignIns {
    fn outcome(&self) -> String {
        format!("{} browsers are signed in.", self.sign_ins.len())
    }
}

impl Operation for List {
    const NAME: &'static str = "sign_in_list";
    const META: OpMeta = meta("List sign-ins", EffectClass::Read);
    type Out = SignIns;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<SignIns>, OpError> {
        check_local(cx, "listing sign-ins")?;
        let kept = tx.scan::<SignIn>(&IdRange::all(), limits::SIGN_INS)?;
        let sign_ins = kept.into_iter().map(|held| SignedIn {
            sign_in: held.record.id,
            browser: held.content.browser,
            created_at: time::rfc3339(held.record.created_at),
            expires_at: held.record.expires_at.map(time::rfc3339).unwrap_or_default(),
        });
        Ok(Step::Done(SignIns { sign_ins: sign_ins.collect() }))
    }
}

/// Sign a browser out, or all of them: their pages close within a second and need a new link.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Revoke {
    /// Its id, as sign_in_list shows it; all when left out
    #[serde(default)]
    pub sign_in: Option<Text<1, 64>>,
}

/// What was signed out.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Revoked {
    /// Its id, or `all`.
    pub sign_in: String,
    /// Whether there was one.
    pub revoked: bool,
}

impl Report for Revoked {
    fn outcome(&self) -> String {
        let done = if self.revoked { "Signed out" } else { "Nothing to sign out" };
        format!("{done}: {}.", self.sign_in)
    }
}

impl Operation for Revoke {
    const NAME: &'static str = "sign_in_revoke";
    const META: OpMeta = OpMeta { events: &["sign_in.deleted"], ..meta("Sign a browser out", EffectClass::Delete) };
    type Out = Revoked;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Revoked>, OpError> {
        check_local(cx, "ending sign-ins")?;
        if let Some(id) = &self.sign_in {
            let revoked = tx.delete::<SignIn>(id.as_str())?.is_some();
            return Ok(Step::Done(Revoked { sign_in: id.as_str().to_owned(), revoked }));
        }
        let kept = tx.scan::<SignIn>(&IdRange::all(), limits::SIGN_INS)?;
        for held in &kept {
            tx.delete::<SignIn>(&held.record.id)?;
        }
        Ok(Step::Done(Revoked { sign_in: "all".into(), revoked: !kept.is_empty() }))
    }
}
