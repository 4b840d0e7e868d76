//! `/api/shares`, and the shares of projects and instances.

use axum::{Json, body::Body, extract::Path, response::Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    problem::Problem,
    seed::{Asking, Done, Moment, Words, created, given, only, shown, success},
};
use crate::{
    model::{
        error::OpError,
        permission::{Permission, party::Party},
    },
    ops::{
        access::shares::{Create, List, Remove},
        operation::Operation as _,
    },
};

/// What kind of somebody it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Target {
    User,
    Group,
    ApiKey,
    Delegate,
    Public,
}

/// Somebody, by what kind they are and an id or an address.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Somebody {
    #[serde(rename = "target_type")]
    pub(super) kind: Target,
    #[serde(rename = "target_id")]
    pub(super) id: Option<String>,
}

impl Somebody {
    /// Of the text of a party.
    pub(super) fn of(text: &str) -> Self {
        let (kind, id) = match Party::parse(text) {
            Some(Party::User(id)) => (Target::User, Some(id)),
            Some(Party::Group(id)) => (Target::Group, Some(id)),
            Some(Party::Key(id)) => (Target::ApiKey, Some(id)),
            Some(Party::Delegate(id)) => (Target::Delegate, Some(id)),
            Some(Party::Email(_)) | None => (Target::User, None),
            Some(Party::Public) => (Target::Public, None),
        };
        Self { kind, id }
    }

    /// The text of the party.
    pub(super) fn party(self, email: Option<String>) -> Result<String, OpError> {
        let party = match (self.kind, self.id, email) {
            (Target::Public, ..) => Party::Public,
            (Target::User, None, Some(email)) => Party::Email(email),
            (Target::User, Some(id), _) => Party::User(id),
            (Target::Group, Some(id), _) => Party::Group(id),
            (Target::ApiKey, Some(id), _) => Party::Key(id),
            (Target::Delegate, Some(id), _) => Party::Delegate(id),
            _ => return Err(OpError::invalid("targetId", "say who it is: targetId, or targetEmail of a user", "")),
        };
        Ok(party.to_string())
    }
}

/// A share as operations show it.
#[derive(Debug, Deserialize)]
struct Found {
    id: String,
    with: String,
    email: Option<String>,
    name: Option<String>,
    permission: Permission,
    created_at: Moment,
}

/// A share as it is shown here.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Share {
    id: String,
    #[serde(flatten)]
    with: Somebody,
    permission: Permission,
    created_at: Moment,
    target_email: Option<String>,
    target_name: Option<String>,
}

impl From<Found> for Share {
    fn from(found: Found) -> Self {
        let Found { id, with, email, name, permission, created_at } = found;
        Self { id, with: Somebody::of(&with), permission, created_at, target_email: email, target_name: name }
    }
}

/// Shares.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Shares {
    shares: Vec<Share>,
}

/// A share that was made: its id, and what was sent.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Made {
    id: String,
    target_type: Target,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_id: Option<String>,
    permission: Permission,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct New {
    target_type: Target,
    target_email: Option<Words>,
    target_id: Option<Words>,
    permission: Permission,
}

async fn of(asking: Asking, on: Map<String, Value>) -> Result<Response, Problem> {
    let found: Vec<Found> = asking.all(List::NAME, on, "shares").await?;
    Ok(shown(Shares { shares: found.into_iter().map(Share::from).collect() }))
}

async fn give(asking: Asking, on: Map<String, Value>, body: Body) -> Result<Response, Problem> {
    let New { target_type, target_email, target_id, permission } = asking.body(body).await?;
    let (target_email, target_id) = (given(target_email), given(target_id));
    let with = Somebody { kind: target_type, id: target_id.clone() }.party(target_email.clone())?;
    let mut args = on;
    args.extend([("with".to_owned(), json!(with)), ("permission".to_owned(), json!(permission))]);
    let Found { id, .. } = asking.ask(Create::NAME, Value::Object(args)).await?;
    Ok(created(Made { id, target_type, target_email, target_id, permission }))
}

pub(super) async fn of_project(asking: Asking, Path(id): Path<String>) -> Result<Response, Problem> {
    of(asking, only("project", id)).await
}

pub(super) async fn of_instance(asking: Asking, Path(id): Path<String>) -> Result<Response, Problem> {
    of(asking, only("instance", id)).await
}

pub(super) async fn project(asking: Asking, Path(id): Path<String>, body: Body) -> Result<Response, Problem> {
    give(asking, only("project", id), body).await
}

pub(super) async fn instance(asking: Asking, Path(id): Path<String>, body: Body) -> Result<Response, Problem> {
    give(asking, only("instance", id), body).await
}

pub(super) async fn remove(asking: Asking, Path(id): Path<String>) -> Result<Json<Done>, Problem> {
    asking.call(Remove::NAME, json!({"id": id})).await?;
    Ok(success())
}
