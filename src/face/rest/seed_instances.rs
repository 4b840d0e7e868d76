//! `/api/instances`, and the instances of a project.

use axum::{Json, body::Body, extract::Path, response::Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    problem::Problem,
    seed::{Asking, Done, Moment, Words, created, given, number, only, shown, success, zero_or_one},
};
use crate::ops::{
    instances::{
        self, DEFAULT_PROJECT,
        arguments::NewName,
        catalog::{List, Read, Rename},
        copies::Duplicate,
        state::Delete,
    },
    operation::Operation as _,
    procedure::Arguments as _,
};

/// An instance as it is shown.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
pub(super) struct Instance {
    id: String,
    #[serde(default = "default_project", rename(serialize = "project_id"), skip_serializing_if = "Option::is_none")]
    project: Option<String>,
    name: String,
    #[serde(rename(serialize = "is_readonly"), serialize_with = "number")]
    #[schemars(schema_with = "zero_or_one")]
    read_only: bool,
    created_at: Moment,
    updated_at: Moment,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<String>,
}

/// What is left out where it is this one.
#[expect(clippy::unnecessary_wraps, reason = "serde asks for the type of the member")]
fn default_project() -> Option<String> {
    Some(DEFAULT_PROJECT.to_owned())
}

/// Instances.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Instances {
    instances: Vec<Instance>,
}

/// An instance that was made.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
pub(super) struct Made {
    pub(super) id: String,
    name: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct New {
    name: NewName,
    clone_from: Option<Words>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Name {
    name: NewName,
}

async fn newest_first(asking: &Asking, args: Map<String, Value>) -> Result<Vec<Instance>, Problem> {
    let mut instances: Vec<Instance> = asking.all(List::NAME, args, "instances").await?;
    instances.sort_by(|one, other| (other.created_at, &one.id).cmp(&(one.created_at, &other.id)));
    Ok(instances)
}

/// All that the caller may know of.
pub(super) async fn list(asking: Asking) -> Result<Response, Problem> {
    Ok(shown(Instances { instances: newest_first(&asking, Map::new()).await? }))
}

/// Those of a project.
pub(super) async fn inside(asking: Asking, Path(project): Path<String>) -> Result<Response, Problem> {
    let mut instances = newest_first(&asking, only("project", project)).await?;
    for instance in &mut instances {
        (instance.project, instance.role) = (None, None);
    }
    Ok(shown(Instances { instances }))
}

/// Makes one in a project: an empty one, or a copy of another with all that is in it.
pub(super) async fn create(asking: Asking, Path(project): Path<String>, body: Body) -> Result<Response, Problem> {
    let New { name, clone_from } = asking.body(body).await?;
    let made: Made = match given(clone_from) {
        None => asking.ask(instances::Create::NAME, json!({"name": name.as_str(), "project": project})).await?,
        Some(from) => {
            asking.ask(Duplicate::NAME, json!({"name": name.as_str(), "project": project, "instance": from})).await?
        }
    };
    Ok(created(made))
}

pub(super) async fn read(asking: Asking, Path(id): Path<String>) -> Result<Response, Problem> {
    let instance: Instance = asking.ask(Read::NAME, json!({"instance": id})).await?;
    Ok(shown(instance))
}

pub(super) async fn rename(asking: Asking, Path(id): Path<String>, body: Body) -> Result<Response, Problem> {
    let Name { name } = asking.body(body).await?;
    asking.call(Rename::NAME, json!({"instance": id, "name": name.as_str()})).await?;
    let renamed: Instance = asking.ask(Read::NAME, json!({"instance": id})).await?;
    Ok(shown(Instance { role: None, ..renamed }))
}

pub(super) async fn remove(asking: Asking, Path(id): Path<String>) -> Result<Json<Done>, Problem> {
    asking.call(Delete::NAME, json!({"instance": id})).await?;
    Ok(success())
}
