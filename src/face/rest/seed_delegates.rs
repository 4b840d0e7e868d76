//! `/api/delegates`: identities of agents, their secrets and what was given to them.

use axum::{Json, body::Body, extract::Path, response::Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

use super::{
    problem::Problem,
    seed::{Asking, Done, Moment, Words, created, given, number, only, shown, success, zero_or_one},
};
use crate::{
    model::{
        error::OpError,
        permission::{
            Permission,
            party::{Party, Resource},
        },
    },
    ops::{
        access::{
            Word,
            delegates::{Create, CreateSecret, Delete, List, ListSecrets, RevokeSecret},
            grants, shares,
        },
        operation::Operation as _,
    },
};

/// What a delegate may do anywhere, as flags. Ours is a ladder, so a step includes those below it.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
struct Flags {
    #[serde(default)]
    can_read: bool,
    #[serde(default)]
    can_write: bool,
    #[serde(default)]
    can_system: bool,
}

impl Flags {
    fn of(most: Permission) -> Self {
        let can = |level| most >= level;
        let (can_read, can_write) = (can(Permission::Read), can(Permission::Write));
        Self { can_read, can_write, can_system: can(Permission::Admin) }
    }

    /// The step that they are. Errors: `invalid_argument` when one is missing below another: more would be given than
    /// was asked for.
    fn most(self) -> Result<Permission, OpError> {
        match (self.can_read, self.can_write, self.can_system) {
            (true, false, false) => Ok(Permission::Read),
            (true, true, false) => Ok(Permission::Write),
            (true, true, true) => Ok(Permission::Admin),
            _ => {
                let rule = "can_write includes can_read and can_system includes both: set those below too";
                Err(OpError::invalid("keyPermissions", rule, ""))
            }
        }
    }
}

/// A delegate as operations show it.
#[derive(Debug, Deserialize)]
struct Found {
    id: String,
    name: String,
    permission: Permission,
    created_at: Moment,
    expires_at: Option<Moment>,
}

/// A delegate as it is shown here.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Delegate {
    #[serde(rename = "delegate_id")]
    id: String,
    name: String,
    #[serde(serialize_with = "number")]
    #[schemars(schema_with = "zero_or_one")]
    can_read: bool,
    #[serde(serialize_with = "number")]
    #[schemars(schema_with = "zero_or_one")]
    can_write: bool,
    #[serde(serialize_with = "number")]
    #[schemars(schema_with = "zero_or_one")]
    can_system: bool,
    created_at: Moment,
    expires_at: Option<Moment>,
}

impl From<Found> for Delegate {
    fn from(found: Found) -> Self {
        let Found { id, name, permission, created_at, expires_at } = found;
        let Flags { can_read, can_write, can_system } = Flags::of(permission);
        Self { id, name, can_read, can_write, can_system, created_at, expires_at }
    }
}

/// Delegates.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Delegates {
    delegates: Vec<Delegate>,
}

/// A delegate that was made.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Made {
    #[serde(rename = "delegate_id")]
    id: String,
    name: String,
    key_permissions: Flags,
    expires_at: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct New {
    name: Word,
    key_permissions: Option<Flags>,
    expires_at: Option<Words>,
}

pub(super) async fn list(asking: Asking) -> Result<Response, Problem> {
    let mut found: Vec<Found> = asking.all(List::NAME, Map::new(), "delegates").await?;
    found.sort_by(|one, other| (other.created_at, &one.id).cmp(&(one.created_at, &other.id)));
    Ok(shown(Delegates { delegates: found.into_iter().map(Delegate::from).collect() }))
}

pub(super) async fn create(asking: Asking, body: Body) -> Result<Response, Problem> {
    let New { name, key_permissions, expires_at } = asking.body(body).await?;
    let expires_at = given(expires_at);
    let most = key_permissions.map_or(Ok(Permission::Read), Flags::most)?;
    let args = json!({"name": name.as_str(), "permission": most, "expires_at": expires_at});
    let made: Found = asking.ask(Create::NAME, args).await?;
    let Found { id, name, permission, .. } = made;
    Ok(created(Made { id, name, key_permissions: Flags::of(permission), expires_at }))
}

pub(super) async fn remove(asking: Asking, Path(id): Path<String>) -> Result<Json<Done>, Problem> {
    asking.call(Delete::NAME, json!({"delegate": id})).await?;
    Ok(success())
}

/// A secret, but for what it is. One that was revoked is gone.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
pub(super) struct Secret {
    #[serde(rename(serialize = "secret_id"))]
    id: String,
    #[serde(default)]
    name: Option<String>,
    created_at: Moment,
    #[serde(default)]
    last_used_at: Option<Moment>,
    #[serde(default)]
    revoked_at: Option<Moment>,
}

/// Secrets.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Secrets {
    secrets: Vec<Secret>,
}

/// A secret that was made, as operations show it.
#[derive(Debug, Deserialize)]
struct FoundSecret {
    id: String,
    delegate: String,
    secret: String,
    name: Option<String>,
}

/// The same as it is shown here.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct MadeSecret {
    secret_id: String,
    delegate_id: String,
    #[serde(rename = "delegateSecret")]
    secret: String,
    name: Option<String>,
    warning: &'static str,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Named {
    name: Option<Words>,
}

pub(super) async fn secrets(asking: Asking, Path(id): Path<String>) -> Result<Response, Problem> {
    let secrets = asking.all(ListSecrets::NAME, only("delegate", id), "secrets").await?;
    Ok(shown(Secrets { secrets }))
}

/// Makes one; it is shown this once.
pub(super) async fn make_secret(asking: Asking, Path(id): Path<String>, body: Body) -> Result<Response, Problem> {
    let Named { name } = asking.body(body).await?;
    let args = json!({"delegate": id, "name": given(name)});
    let FoundSecret { id, delegate, secret, name } = asking.ask(CreateSecret::NAME, args).await?;
    let warning = "Keep this secret now: it is not shown again.";
    Ok(created(MadeSecret { secret_id: id, delegate_id: delegate, secret, name, warning }))
}

pub(super) async fn revoke_secret(
    asking: Asking,
    Path((id, secret)): Path<(String, String)>,
) -> Result<Json<Done>, Problem> {
    asking.call(RevokeSecret::NAME, json!({"delegate": id, "id": secret})).await?;
    Ok(success())
}

/// A share with a delegate.
#[derive(Debug, Deserialize)]
struct Given {
    id: String,
    on: Resource,
    permission: Permission,
    created_at: Moment,
}

/// A grant as it is shown here.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Grant {
    do_id: String,
    permission: Permission,
    granted_at: Moment,
    expires_at: Option<Moment>,
    instance_id: String,
}

/// Grants.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Grants {
    grants: Vec<Grant>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewGrant {
    instance_id: Word,
    permission: Level,
}

/// How much; the highest has two names.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(extend("enum" = ["read", "write", "admin", "system"]))]
enum Level {
    Read,
    Write,
    #[serde(alias = "system")]
    Admin,
}

async fn given_to(asking: &Asking, delegate: &str) -> Result<Vec<Given>, Problem> {
    asking.all(grants::List::NAME, only("delegate", delegate), "shares").await
}

/// The instances that were given to it; a project that was shows in its shares.
pub(super) async fn grants(asking: Asking, Path(id): Path<String>) -> Result<Response, Problem> {
    let found = given_to(&asking, &id).await?.into_iter();
    let grants = found.filter_map(|Given { on, permission, created_at, .. }| match on {
        Resource::Instance(id) => {
            Some(Grant { do_id: id.clone(), permission, granted_at: created_at, expires_at: None, instance_id: id })
        }
        Resource::Project(_) => None,
    });
    Ok(shown(Grants { grants: grants.collect() }))
}

pub(super) async fn grant(asking: Asking, Path(id): Path<String>, body: Body) -> Result<Response, Problem> {
    let NewGrant { instance_id, permission } = asking.body(body).await?;
    // Whose the delegate is comes first.
    given_to(&asking, &id).await?;
    let permission = match permission {
        Level::Read => Permission::Read,
        Level::Write => Permission::Write,
        Level::Admin => Permission::Admin,
    };
    let with = Party::Delegate(id).to_string();
    let args = json!({"instance": instance_id.as_str(), "with": with, "permission": permission});
    asking.call(shares::Create::NAME, args).await?;
    Ok(created(success().0))
}

pub(super) async fn take_back(
    asking: Asking,
    Path((id, instance)): Path<(String, String)>,
) -> Result<Json<Done>, Problem> {
    let on = Resource::Instance(instance.clone());
    let found = given_to(&asking, &id).await?.into_iter().find(|given| given.on == on);
    let share = found.ok_or_else(|| OpError::NotFound {
        what: format!("grant of instance \"{instance}\""),
        remedy: "The grants of the delegate show those that exist".into(),
    })?;
    asking.call(shares::Remove::NAME, json!({"id": share.id})).await?;
    Ok(success())
}
