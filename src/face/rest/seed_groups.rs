//! `/api/groups`: groups and their members.

use axum::{Json, body::Body, extract::Path, response::Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

use super::{
    problem::Problem,
    seed::{Asking, Done, Words, created, given, shown, success},
    seed_shares::{Somebody, Target},
};
use crate::{
    model::{error::OpError, permission::party::Party},
    ops::{
        access::{
            Word,
            groups::{Add, Create, Delete, List, Remove},
        },
        operation::Operation as _,
    },
};

/// A group.
#[derive(Debug, Deserialize)]
struct Found {
    id: String,
    name: String,
    members: Vec<String>,
}

/// A member: a user by id, or by address while they are not known; a key; a delegate. `member` names it in addresses.
#[derive(Debug, Serialize, JsonSchema)]
struct Member {
    #[serde(rename = "member")]
    party: String,
    #[serde(rename = "member_type")]
    kind: Target,
    #[serde(rename = "member_id")]
    id: Option<String>,
    #[serde(rename = "member_email")]
    email: Option<String>,
}

impl Member {
    fn of(text: &str) -> Self {
        let Somebody { kind, id } = Somebody::of(text);
        let email = match Party::parse(text) {
            Some(Party::Email(email)) => Some(email),
            _ => None,
        };
        Self { party: text.to_owned(), kind, id, email }
    }
}

/// A group as it is shown here.
#[derive(Debug, Serialize, JsonSchema)]
struct Group {
    id: String,
    name: String,
    members: Vec<Member>,
}

/// Groups.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Groups {
    groups: Vec<Group>,
}

/// The members of a group.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Members {
    members: Vec<Member>,
}

/// A group that was made.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Made {
    id: String,
    name: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct New {
    name: Word,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct NewMember {
    #[serde(rename = "memberType")]
    kind: Target,
    #[serde(rename = "memberEmail")]
    email: Option<Words>,
    #[serde(rename = "memberId")]
    id: Option<Words>,
}

async fn own(asking: &Asking) -> Result<Vec<Found>, Problem> {
    asking.all(List::NAME, Map::new(), "groups").await
}

fn members_of(group: &Found) -> Vec<Member> {
    group.members.iter().map(|text| Member::of(text)).collect()
}

pub(super) async fn list(asking: Asking) -> Result<Response, Problem> {
    let group = |found: Found| Group { members: members_of(&found), id: found.id, name: found.name };
    Ok(shown(Groups { groups: own(&asking).await?.into_iter().map(group).collect() }))
}

pub(super) async fn create(asking: Asking, body: Body) -> Result<Response, Problem> {
    let New { name } = asking.body(body).await?;
    let made: Found = asking.ask(Create::NAME, json!({"name": name.as_str()})).await?;
    Ok(created(Made { id: made.id, name: made.name }))
}

pub(super) async fn remove(asking: Asking, Path(id): Path<String>) -> Result<Json<Done>, Problem> {
    asking.call(Delete::NAME, json!({"group": id})).await?;
    Ok(success())
}

pub(super) async fn members(asking: Asking, Path(id): Path<String>) -> Result<Response, Problem> {
    let found = own(&asking).await?.into_iter().find(|group| group.id == id);
    let group = found.ok_or_else(|| OpError::NotFound {
        what: format!("group \"{id}\""),
        remedy: "The list of groups shows those that exist".into(),
    })?;
    Ok(shown(Members { members: members_of(&group) }))
}

pub(super) async fn add(asking: Asking, Path(id): Path<String>, body: Body) -> Result<Response, Problem> {
    let NewMember { kind, email, id: member } = asking.body(body).await?;
    let member = Somebody { kind, id: given(member) }.party(given(email))?;
    let group: Found = asking.ask(Add::NAME, json!({"group": id, "member": member})).await?;
    Ok(created(Members { members: members_of(&group) }))
}

pub(super) async fn take_out(
    asking: Asking,
    Path((id, member)): Path<(String, String)>,
) -> Result<Json<Done>, Problem> {
    asking.call(Remove::NAME, json!({"group": id, "member": member})).await?;
    Ok(success())
}
