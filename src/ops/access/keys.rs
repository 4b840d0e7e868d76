//! API keys: made, listed, revoked. A key is shown once; what is kept of it is its SHA-256.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{
    access::{ApiKey, KeyPermission, KeyUse},
    digest::sha256,
    error::OpError,
    instance::Instance,
    kind, limits,
    permission::{
        Permission, Place, PrincipalKind,
        party::{LOCAL, Party, Resource, Scope},
        reaches,
    },
    time,
    view::IdRange,
};

use super::{
    Cursor, Lifetime, PageSize, Word, absent, account, check_room, counted, ends, forget, made, meta, name, no_account,
    own_page, projects, quota, secrets,
    standing::{self, Known},
    users,
};
use crate::ops::{
    operation::{Cx, EffectClass, OpMeta, Operation, Report, Step},
    tx::{Held, Tx},
};

/// An API key as replies show it: never what it is, but for the once.
#[derive(Debug, Serialize, JsonSchema)]
pub struct KeyView {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// The key itself: shown now and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Its first characters.
    pub prefix: String,
    /// The id of the user whose it is; `local` for the user of this machine.
    pub user: String,
    /// app or agent.
    pub kind: String,
    /// How far it reaches.
    pub scopes: Vec<String>,
    /// What it may be used for.
    pub permissions: Vec<KeyPermission>,
    /// When it was made.
    pub created_at: String,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// When it was last used, to ten minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<String>,
}

impl KeyView {
    fn of(tx: &mut Tx<'_>, held: Held<ApiKey>) -> Result<Self, OpError> {
        let Held { record, content } = held;
        let last_used_at = tx.get::<KeyUse>(&record.id)?.map(|used| time::rfc3339(used.content.at));
        let ApiKey { name, user, kind, prefix, scopes, permissions, .. } = content;
        Ok(Self {
            id: record.id,
            name,
            secret: None,
            prefix,
            user,
            kind: if kind == PrincipalKind::Agent { "agent".into() } else { "app".into() },
            scopes: scopes.iter().map(ToString::to_string).collect(),
            permissions,
            created_at: time::rfc3339(record.created_at),
            expires_at: record.expires_at.map(time::rfc3339),
            last_used_at,
        })
    }
}

impl Report for KeyView {
    fn outcome(&self) -> String {
        let shown = if self.secret.is_some() { " Keep the secret now: it is not shown again." } else { "" };
        format!("API key \"{}\" ({}…) has the id {}.{shown}", self.name, self.prefix, self.id)
    }
}

/// Who uses a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyKind {
    /// A program.
    App,
    /// A model's client.
    Agent,
}

/// Make an API key: with it a program or an agent acts for its user, no further than its scopes and permissions. The
/// secret is shown once.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Create {
    /// What it is for
    pub name: Word,
    /// account (default), project:NAME or instance:NAME, or their ids
    #[serde(default)]
    pub scopes: Option<Vec<Word>>,
    /// What it may be used for, default read and write
    #[serde(default)]
    pub permissions: Option<Vec<KeyPermission>>,
    /// Who uses it, default app
    #[serde(default)]
    pub kind: Option<KeyKind>,
    /// Milliseconds until it ends, default never
    #[serde(default)]
    pub expires_in_ms: Option<Lifetime>,
    /// Whose it is, by id or e-mail address; on the machine itself only
    #[serde(default)]
    pub user: Option<Word>,
}

impl Create {
    fn permissions(&self) -> Result<Vec<KeyPermission>, OpError> {
        let given = self.permissions.clone().unwrap_or_else(|| vec![KeyPermission::Read, KeyPermission::Write]);
        let mut permissions = given;
        permissions.sort_unstable();
        permissions.dedup();
        if permissions.is_empty() {
            return Err(OpError::invalid("permissions", "a key has one at least: read, write, admin, spend", ""));
        }
        Ok(permissions)
    }

    /// Whose it will be.
    fn user(&self, tx: &mut Tx<'_>, who: &Known) -> Result<String, OpError> {
        let own = &who.standing.user;
        // A key of theirs that reaches no further than some instances is not the machine.
        let is_machine = own == LOCAL && who.standing.has_account;
        match &self.user {
            Some(user) if own == LOCAL && user.as_str() == LOCAL => Ok(LOCAL.into()),
            Some(user) => {
                let id = match users::meant(tx, user.as_str()) {
                    Ok(held) => held.record.id,
                    Err(error) if is_machine => return Err(error),
                    Err(_) => String::new(),
                };
                if is_machine || id == *own {
                    return Ok(id);
                }
                Err(OpError::PermissionDenied {
                    what: "making an API key for somebody else".into(),
                    remedy: "Only the user of the machine may: leave user out".into(),
                })
            }
            None if is_machine => Ok(users::server_owner(tx)?.map_or_else(|| LOCAL.to_owned(), |held| held.record.id)),
            None => Ok(own.clone()),
        }
    }
}

/// The scope that a text means, with names made ids.
fn scope(tx: &mut Tx<'_>, who: &Known, text: &str) -> Result<Scope, OpError> {
    match Scope::parse(text) {
        Some(Scope::Account) => Ok(Scope::Account),
        Some(Scope::On(Resource::Project(named))) => {
            projects::meant(tx, who, &named, Permission::Read).map(|id| Scope::On(Resource::Project(id)))
        }
        Some(Scope::On(Resource::Instance(named))) => {
            let held = instance(tx, who, &named, Permission::Read)?;
            Ok(Scope::On(Resource::Instance(held.record.id)))
        }
        None => {
            Err(OpError::invalid("scopes", "a scope is account, project:NAME or instance:NAME, or their ids", text))
        }
    }
}

/// The instance that a text means, if the caller may do that much with it.
pub(super) fn instance(
    tx: &mut Tx<'_>,
    who: &Known,
    named: &str,
    wanted: Permission,
) -> Result<Held<Instance>, OpError> {
    use crate::{model::instance::InstanceRef, ops::instances};
    let held = match InstanceRef::parse(named)? {
        InstanceRef::Id(id) => tx.get::<Instance>(id.as_str())?,
        InstanceRef::Name(name) => standing::named(tx, who, &name)?,
    };
    let held = held.ok_or_else(|| instances::not_found(named))?;
    standing::on_instance(tx, &who.standing, &held, wanted, named)?;
    if held.content.deleted_at.is_some() { Err(instances::deleted(named)) } else { Ok(held) }
}

/// Whether whoever has these scopes may hand out that one.
fn covers(tx: &mut Tx<'_>, scopes: &[Scope], wanted: &Scope) -> Result<bool, OpError> {
    let place = match wanted {
        Scope::Account => return Ok(scopes.contains(&Scope::Account)),
        Scope::On(Resource::Project(id)) => Place { project: id.clone(), instance: None },
        Scope::On(Resource::Instance(id)) => {
            let project = tx.get::<Instance>(id)?.map_or_else(String::new, |held| held.content.project);
            Place { project, instance: Some(id.clone()) }
        }
    };
    Ok(scopes.iter().any(|scope| reaches(scope, &place)))
}

impl Operation for Create {
    const NAME: &'static str = "api_key_create";
    const META: OpMeta = OpMeta { events: &["api_key.created"], ..meta("Make an API key", EffectClass::Create) };
    type Out = KeyView;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<KeyView>, OpError> {
        let who = standing::known(tx, cx)?;
        let permissions = self.permissions()?;
        let texts: Vec<&str> = self.scopes.iter().flatten().map(Word::as_str).collect();
        if texts.len() > limits::SCOPES {
            let rule = format!("a key has at most {} scopes", limits::SCOPES);
            return Err(OpError::invalid("scopes", rule, &texts.len().to_string()));
        }
        let mut scopes = texts.iter().map(|text| scope(tx, &who, text)).collect::<Result<Vec<_>, _>>()?;
        if scopes.is_empty() {
            scopes.push(Scope::Account);
        }
        for scope in &scopes {
            if who.standing.lent.is_some() || !covers(tx, &who.standing.scopes, scope)? {
                return Err(no_account("an API key that reaches as far"));
            }
        }
        let wanted = permissions.iter().filter_map(|permission| permission.level()).max();
        let is_too_much = wanted > Some(who.standing.most) || who.standing.most < Permission::Admin;
        if is_too_much || (permissions.contains(&KeyPermission::Spend) && !who.may_spend) {
            return Err(OpError::PermissionDenied {
                what: "making an API key that may do as much".into(),
                remedy: "It takes the permission admin, and spend for a key that may spend".into(),
            });
        }
        check_room::<ApiKey>(tx)?;
        let user = self.user(tx, &who)?;
        quota::key(tx, &user)?;
        let secret = secrets::api_key(cx)?;
        let key = ApiKey {
            name: name("name", &self.name)?,
            user,
            kind: if self.kind == Some(KeyKind::Agent) { PrincipalKind::Agent } else { PrincipalKind::App },
            prefix: secrets::prefix(&secret).unwrap_or_default().to_owned(),
            sha256: sha256(&secret),
            scopes,
            permissions,
        };
        let id = secrets::id(cx, 0)?;
        let ends = ends(tx, cx, self.expires_in_ms)?;
        let held = made(tx, &id, &key, ends)?;
        Ok(Step::Done(KeyView { secret: Some(secret), ..KeyView::of(tx, held)? }))
    }
}

/// The API keys of the caller's user, without what they are. next_cursor, when not null, continues.
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

/// Keys by id.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Keys {
    /// A page of them.
    #[schemars(schema_with = "crate::ops::schema::objects")]
    pub keys: Vec<KeyView>,
    /// Pass it as `cursor` for the next page; null on the last.
    pub next_cursor: Option<String>,
}

impl Report for Keys {
    fn outcome(&self) -> String {
        counted(self.keys.len(), "API key").into()
    }
}

impl Operation for List {
    const NAME: &'static str = "api_key_list";
    const META: OpMeta = meta("List API keys", EffectClass::Read);
    type Out = Keys;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Keys>, OpError> {
        let who = standing::known(tx, cx)?.standing;
        account(&who, "listing API keys")?;
        let (found, next_cursor) = own_page::<ApiKey>(tx, &who, self.limit, self.cursor.as_ref())?;
        let keys = found.into_iter().map(|held| KeyView::of(tx, held)).collect::<Result<_, _>>()?;
        Ok(Step::Done(Keys { keys, next_cursor }))
    }
}

/// Revoke an API key: it is refused from now on, and what is connected with it is cut off within a second.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Revoke {
    /// Its id
    pub id: Word,
}

impl Operation for Revoke {
    const NAME: &'static str = "api_key_revoke";
    const META: OpMeta = OpMeta { events: &["api_key.deleted"], ..meta("Revoke an API key", EffectClass::Delete) };
    type Out = KeyView;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<KeyView>, OpError> {
        let who = standing::known(tx, cx)?.standing;
        let id = self.id.as_str();
        // Whoever finds a key may at least make it useless.
        if cx.principal.id != Party::Key(id.to_owned()).to_string() {
            account(&who, "revoking an API key")?;
        }
        let held = tx.get::<ApiKey>(id)?.filter(|held| held.content.user == who.user || who.user == LOCAL);
        let held = held.ok_or_else(|| absent("API key", id, "api_key_list"))?;
        let view = KeyView::of(tx, held)?;
        remove(tx, id)?;
        Ok(Step::Done(view))
    }
}

fn remove(tx: &mut Tx<'_>, id: &str) -> Result<(), OpError> {
    forget(tx, &Party::Key(id.to_owned()))?;
    tx.delete::<KeyUse>(id)?;
    tx.delete::<ApiKey>(id)?;
    Ok(())
}

/// Removes a key whose time is up with everything of it; whether there was one.
pub fn expire(tx: &mut Tx<'_>, id: &str) -> Result<bool, OpError> {
    tx.expire::<ApiKey>(id, |tx| remove(tx, id))
}

/// Revokes every key of a user.
pub(super) fn revoke_all(tx: &mut Tx<'_>, user: &str) -> Result<(), OpError> {
    let most = limits::ACCESS_RECORDS;
    for held in tx.scan_index::<ApiKey>(kind::BELONGS_TO, user.as_bytes(), &IdRange::all(), most)? {
        remove(tx, &held.record.id)?;
    }
    Ok(())
}

/// API keys with this public prefix; there is hardly ever more than one.
pub fn with_prefix(tx: &Tx<'_>, prefix: &str) -> Result<Vec<Held<ApiKey>>, OpError> {
    tx.scan_index::<ApiKey>(kind::KEY_PREFIX, prefix.as_bytes(), &IdRange::all(), limits::PAGE as usize)
}

/// Notes when keys and secrets were used.
#[derive(Debug)]
pub struct Used {
    /// Which.
    pub id: String,
}

impl Used {
    /// The name of the operation in the log.
    pub const NAME: &'static str = "key_used";
    /// How exact that is, in milliseconds: each note is a commit.
    pub const EVERY_MS: i64 = 10 * 60_000;
}

impl crate::ops::operation::Call for Used {
    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<crate::ops::operation::Reply>, OpError> {
        let known = tx.get::<KeyUse>(&self.id)?.map(|held| held.content.at);
        // It is removed with its key, and must not come back after that.
        let is_there = tx.get::<ApiKey>(&self.id)?.is_some()
            || tx.get::<crate::model::access::DelegateSecret>(&self.id)?.is_some();
        if is_there && known.is_none_or(|at| at + Self::EVERY_MS <= cx.now_ms) {
            tx.put(&self.id, &KeyUse { at: cx.now_ms }, None)?;
        }
        let (outcome, result) = (String::new(), serde_json::Value::Null);
        Ok(Step::Done(crate::ops::operation::Reply { outcome, result, image: None }))
    }
}
