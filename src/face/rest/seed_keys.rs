//! `/api/keys`: API keys.

use axum::{Json, body::Body, extract::Path, response::Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

use super::{
    problem::Problem,
    seed::{Asking, Done, Moment, Words, created, given, shown, success},
};
use crate::{
    model::{
        access::KeyPermission,
        error::OpError,
        permission::party::{Resource, Scope},
    },
    ops::{
        access::{
            Word,
            keys::{Create, List, Revoke},
        },
        operation::Operation as _,
    },
};

/// How far a key reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum ScopeType {
    Account,
    Project,
    Instance,
}

/// A key as operations show it.
#[derive(Debug, Deserialize)]
struct Found {
    id: String,
    name: String,
    #[serde(default)]
    secret: Option<String>,
    prefix: String,
    scopes: Vec<Scope>,
    permissions: Vec<KeyPermission>,
    created_at: Moment,
    last_used_at: Option<Moment>,
    expires_at: Option<Moment>,
}

/// A key as it is shown here. `permissions` is JSON in a string.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Key {
    id: String,
    name: String,
    #[serde(rename = "key_prefix")]
    prefix: String,
    scope_type: ScopeType,
    scope_id: Option<String>,
    permissions: String,
    created_at: Moment,
    last_used_at: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Moment>,
    /// Of a key that reaches to several things: all of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    scopes: Vec<Scope>,
}

/// Keys.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Keys {
    keys: Vec<Key>,
}

/// A key that was made.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Made {
    id: String,
    name: String,
    key: String,
    key_prefix: String,
    scope_type: ScopeType,
    scope_id: Option<String>,
    permissions: Vec<KeyPermission>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct New {
    name: Word,
    scope_type: ScopeType,
    scope_id: Option<Words>,
    permissions: Vec<KeyPermission>,
}

fn first(scopes: &[Scope]) -> (ScopeType, Option<String>) {
    match scopes.first() {
        Some(Scope::On(Resource::Project(id))) => (ScopeType::Project, Some(id.clone())),
        Some(Scope::On(Resource::Instance(id))) => (ScopeType::Instance, Some(id.clone())),
        Some(Scope::Account) | None => (ScopeType::Account, None),
    }
}

impl From<Found> for Key {
    fn from(found: Found) -> Self {
        let (scope_type, scope_id) = first(&found.scopes);
        Self {
            id: found.id,
            name: found.name,
            prefix: found.prefix,
            scope_type,
            scope_id,
            permissions: json!(found.permissions).to_string(),
            created_at: found.created_at,
            last_used_at: found.last_used_at,
            expires_at: found.expires_at,
            scopes: if found.scopes.len() > 1 { found.scopes } else { Vec::new() },
        }
    }
}

/// The caller's, newest first.
pub(super) async fn list(asking: Asking) -> Result<Response, Problem> {
    let mut found: Vec<Found> = asking.all(List::NAME, Map::new(), "keys").await?;
    found.sort_by(|one, other| (other.created_at, &one.id).cmp(&(one.created_at, &other.id)));
    Ok(shown(Keys { keys: found.into_iter().map(Key::from).collect() }))
}

/// Makes one; it is shown this once.
pub(super) async fn create(asking: Asking, body: Body) -> Result<Response, Problem> {
    let New { name, scope_type, scope_id, permissions } = asking.body(body).await?;
    let scope = match (scope_type, given(scope_id)) {
        (ScopeType::Account, _) => Scope::Account,
        (ScopeType::Project, Some(id)) => Scope::On(Resource::Project(id)),
        (ScopeType::Instance, Some(id)) => Scope::On(Resource::Instance(id)),
        (_, None) => return Err(OpError::invalid("scopeId", "say which project or instance", "").into()),
    };
    let args = json!({"name": name.as_str(), "scopes": [scope], "permissions": permissions});
    let made: Found = asking.ask(Create::NAME, args).await?;
    let (scope_type, scope_id) = first(&made.scopes);
    let Found { id, name, secret, prefix, permissions, .. } = made;
    let key = secret.unwrap_or_default();
    Ok(created(Made { id, name, key, key_prefix: prefix, scope_type, scope_id, permissions }))
}

pub(super) async fn revoke(asking: Asking, Path(id): Path<String>) -> Result<Json<Done>, Problem> {
    asking.call(Revoke::NAME, json!({"id": id})).await?;
    Ok(success())
}
