//! Delegates: identities of agents. A delegate may do what was given to it, as far as its flags and its owner allow.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{
    access::{Delegate, DelegateSecret, KeyUse},
    digest::sha256,
    error::OpError,
    kind, limits,
    permission::{
        Permission, Standing,
        party::{LOCAL, Party},
    },
    time,
    view::IdRange,
};

use super::{
    Cursor, Lifetime, PageSize, Word, absent, account, check_room, counted, ends, forget, made, meta, name, own_page,
    quota, secrets, standing,
};
use crate::ops::{
    operation::{Cx, EffectClass, OpMeta, Operation, Report, Step},
    tx::{Held, Tx},
};

/// A delegate as replies show it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DelegateView {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// The id of the user whose it is.
    pub owner: String,
    /// The most that it may do anywhere.
    pub permission: Permission,
    /// When it was made.
    pub created_at: String,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

impl DelegateView {
    fn of(held: Held<Delegate>) -> Self {
        let Held { record, content: Delegate { name, owner, most } } = held;
        let expires_at = record.expires_at.map(time::rfc3339);
        Self { id: record.id, name, owner, permission: most, created_at: time::rfc3339(record.created_at), expires_at }
    }
}

impl Report for DelegateView {
    fn outcome(&self) -> String {
        format!("Delegate \"{}\" has the id {}.", self.name, self.id)
    }
}

/// The caller's delegate of an id. Errors: `not_found` for somebody else's.
pub(super) fn own(tx: &mut Tx<'_>, who: &Standing, id: &str) -> Result<Held<Delegate>, OpError> {
    account(who, "delegates")?;
    let id = id.strip_prefix("delegate:").unwrap_or(id);
    let held = tx.get::<Delegate>(id)?.filter(|held| held.content.owner == who.user || who.user == LOCAL);
    held.ok_or_else(|| absent("delegate", id, "delegate_list"))
}

/// Make a delegate: an identity for an agent. It may do nothing until something is shared with it, and then no more
/// than its permission and its owner's. delegate_secret_create gives it a secret.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Create {
    /// What it is called
    pub name: Word,
    /// The most that it may do anywhere, default read
    #[serde(default)]
    pub permission: Option<Permission>,
    /// Milliseconds until it ends, default never
    #[serde(default)]
    pub expires_in_ms: Option<Lifetime>,
    /// When it ends, such as 2026-11-21T09:30:00Z, instead
    #[serde(default)]
    pub expires_at: Option<Word>,
}

impl Create {
    fn ends(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Option<i64>, OpError> {
        let refused = |rule: &str, text: &str| Err(OpError::invalid("expires_at", rule, text));
        match (self.expires_in_ms, self.expires_at.as_ref().map(Word::as_str)) {
            (Some(_), Some(text)) => refused("give it or expires_in_ms, not both", text),
            (lifetime, None) => ends(tx, cx, lifetime),
            (None, Some(text)) => match time::from_rfc3339(text) {
                Some(at) if at > cx.now_ms && at <= cx.now_ms.saturating_add_unsigned(limits::TTL_MS) => {
                    // What a key makes ends with it.
                    Ok(ends(tx, cx, None)?.into_iter().chain([at]).min())
                }
                Some(_) => refused("it is a time to come, within 10 years", text),
                None => refused("a time looks like 2026-11-21T09:30:00Z", text),
            },
        }
    }
}

impl Operation for Create {
    const NAME: &'static str = "delegate_create";
    const META: OpMeta = OpMeta { events: &["delegate.created"], ..meta("Make a delegate", EffectClass::Create) };
    type Out = DelegateView;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<DelegateView>, OpError> {
        let who = standing::known(tx, cx)?.standing;
        account(&who, "making a delegate")?;
        check_room::<Delegate>(tx)?;
        quota::delegate(tx, &who.user)?;
        let most = self.permission.unwrap_or(Permission::Read);
        let delegate = Delegate { name: name("name", &self.name)?, owner: who.user, most };
        let id = secrets::id_of("del", cx)?;
        let ends = self.ends(tx, cx)?;
        Ok(Step::Done(DelegateView::of(made(tx, &id, &delegate, ends)?)))
    }
}

/// The caller's delegates. next_cursor, when not null, continues.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Page size, default 1000
    #[serde(default)]
    pub limit: Option<PageSize>,
    /// next_cursor of the page before
    #[serde(default)]
    pub cursor: Option<Cursor>,
}

/// Delegates by id.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Delegates {
    /// A page of them.
    pub delegates: Vec<DelegateView>,
    /// Pass it as `cursor` for the next page; null on the last.
    pub next_cursor: Option<String>,
}

impl Report for Delegates {
    fn outcome(&self) -> String {
        counted(self.delegates.len(), "delegate").into()
    }
}

impl Operation for List {
    const NAME: &'static str = "delegate_list";
    const META: OpMeta = meta("List delegates", EffectClass::Read);
    type Out = Delegates;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Delegates>, OpError> {
        let who = standing::known(tx, cx)?.standing;
        account(&who, "listing delegates")?;
        let (found, next_cursor) = own_page::<Delegate>(tx, &who, self.limit, self.cursor.as_ref())?;
        Ok(Step::Done(Delegates { delegates: found.into_iter().map(DelegateView::of).collect(), next_cursor }))
    }
}

/// Remove a delegate with its secrets; what is connected with them is cut off within a second.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delete {
    /// Its id
    pub delegate: Word,
}

impl Operation for Delete {
    const NAME: &'static str = "delegate_delete";
    const META: OpMeta = OpMeta {
        events: &["delegate.deleted", "delegate_secret.deleted"],
        ..meta("Remove a delegate", EffectClass::Delete)
    };
    type Out = DelegateView;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<DelegateView>, OpError> {
        let who = standing::known(tx, cx)?.standing;
        let held = own(tx, &who, self.delegate.as_str())?;
        remove(tx, &held.record.id)?;
        Ok(Step::Done(DelegateView::of(held)))
    }
}

/// Removes a delegate with everything of it.
pub(super) fn remove(tx: &mut Tx<'_>, id: &str) -> Result<(), OpError> {
    for secret in secrets_of(tx, id)? {
        tx.delete::<KeyUse>(&secret.record.id)?;
        tx.delete::<DelegateSecret>(&secret.record.id)?;
    }
    forget(tx, &Party::Delegate(id.to_owned()))?;
    tx.delete::<Delegate>(id)?;
    Ok(())
}

/// Removes a delegate whose time is up with everything of it; whether there was one.
pub fn expire(tx: &mut Tx<'_>, id: &str) -> Result<bool, OpError> {
    tx.expire::<Delegate>(id, |tx| remove(tx, id))
}

/// Removes a secret whose time is up with the note of its use; whether there was one.
pub fn expire_secret(tx: &mut Tx<'_>, id: &str) -> Result<bool, OpError> {
    tx.expire::<DelegateSecret>(id, |tx| tx.delete::<KeyUse>(id).map(drop))
}

/// The secrets of a delegate.
pub fn secrets_of(tx: &Tx<'_>, id: &str) -> Result<Vec<Held<DelegateSecret>>, OpError> {
    tx.scan_index::<DelegateSecret>(kind::BELONGS_TO, id.as_bytes(), &IdRange::all(), limits::SECRETS + 1)
}

/// A secret of a delegate as replies show it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SecretView {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub delegate: String,
    /// The secret itself: shown now and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it was made.
    pub created_at: String,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// When it was last used, to ten minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<String>,
}

impl SecretView {
    fn of(tx: &mut Tx<'_>, held: Held<DelegateSecret>) -> Result<Self, OpError> {
        let Held { record, content: DelegateSecret { delegate, name, .. } } = held;
        let last_used_at = tx.get::<KeyUse>(&record.id)?.map(|used| time::rfc3339(used.content.at));
        let (created_at, expires_at) = (time::rfc3339(record.created_at), record.expires_at.map(time::rfc3339));
        Ok(Self { id: record.id, delegate, secret: None, name, created_at, expires_at, last_used_at })
    }
}

impl Report for SecretView {
    fn outcome(&self) -> String {
        let shown = if self.secret.is_some() { " Keep the secret now: it is not shown again." } else { "" };
        format!("The secret of delegate {} has the id {}.{shown}", self.delegate, self.id)
    }
}

/// Give a delegate one more secret, of ten at most. It is shown once, and goes as `Authorization: ApiKey
/// DELEGATE:SECRET`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateSecret {
    /// Id of the delegate
    pub delegate: Word,
    /// What it is for
    #[serde(default)]
    pub name: Option<Word>,
    /// Milliseconds until it ends, default never
    #[serde(default)]
    pub expires_in_ms: Option<Lifetime>,
}

impl Operation for CreateSecret {
    const NAME: &'static str = "delegate_secret_create";
    const META: OpMeta =
        OpMeta { events: &["delegate_secret.created"], ..meta("Give a delegate a secret", EffectClass::Create) };
    type Out = SecretView;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<SecretView>, OpError> {
        let who = standing::known(tx, cx)?.standing;
        let delegate = own(tx, &who, self.delegate.as_str())?.record.id;
        if secrets_of(tx, &delegate)?.len() >= limits::SECRETS {
            let rule = format!("a delegate has at most {} secrets: revoke one first", limits::SECRETS);
            return Err(OpError::invalid("delegate", rule, ""));
        }
        check_room::<DelegateSecret>(tx)?;
        let called = self.name.as_ref().map(|given| name("name", given)).transpose()?;
        let (id, secret) = (secrets::id_of("sec", cx)?, secrets::delegate_secret(cx)?);
        let kept = DelegateSecret { delegate, name: called, sha256: sha256(&secret) };
        let ends = ends(tx, cx, self.expires_in_ms)?;
        let held = made(tx, &id, &kept, ends)?;
        Ok(Step::Done(SecretView { secret: Some(secret), ..SecretView::of(tx, held)? }))
    }
}

/// The secrets of a delegate, without what they are.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListSecrets {
    /// Id of the delegate
    pub delegate: Word,
}

/// The secrets of a delegate.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Secrets {
    /// All of them.
    pub secrets: Vec<SecretView>,
}

impl Report for Secrets {
    fn outcome(&self) -> String {
        counted(self.secrets.len(), "secret").into()
    }
}

impl Operation for ListSecrets {
    const NAME: &'static str = "delegate_secret_list";
    const META: OpMeta = meta("List the secrets of a delegate", EffectClass::Read);
    type Out = Secrets;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Secrets>, OpError> {
        let who = standing::known(tx, cx)?.standing;
        let delegate = own(tx, &who, self.delegate.as_str())?.record.id;
        let held = secrets_of(tx, &delegate)?;
        let secrets = held.into_iter().map(|held| SecretView::of(tx, held)).collect::<Result<_, _>>()?;
        Ok(Step::Done(Secrets { secrets }))
    }
}

/// Revoke one secret of a delegate; the others stay. What is connected with it is cut off within a second.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeSecret {
    /// Id of the delegate
    pub delegate: Word,
    /// Id of the secret
    pub id: Word,
}

impl Operation for RevokeSecret {
    const NAME: &'static str = "delegate_secret_revoke";
    const META: OpMeta =
        OpMeta { events: &["delegate_secret.deleted"], ..meta("Revoke a secret", EffectClass::Delete) };
    type Out = SecretView;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<SecretView>, OpError> {
        let who = standing::known(tx, cx)?.standing;
        let delegate = own(tx, &who, self.delegate.as_str())?.record.id;
        let id = self.id.as_str();
        let held = tx.get::<DelegateSecret>(id)?.filter(|held| held.content.delegate == delegate);
        let held = held.ok_or_else(|| absent("secret", id, "delegate_secret_list"))?;
        let view = SecretView::of(tx, held)?;
        tx.delete::<KeyUse>(id)?;
        tx.delete::<DelegateSecret>(id)?;
        Ok(Step::Done(view))
    }
}
