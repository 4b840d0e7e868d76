//! `/api/projects`.

use axum::{Json, body::Body, extract::Path, response::Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

use super::{
    problem::Problem,
    seed::{Asking, Done, Moment, Words, created, given, shown, success},
};
use crate::ops::{
    access::{
        Word,
        projects::{Begin, Create, Delete, List, Read, Update},
    },
    operation::{Operation as _, parse},
    procedure::Arguments as _,
};

/// The instance that a new project begins with.
const FIRST: &str = "main";

/// A project as it is shown.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
pub(super) struct Project {
    id: String,
    name: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    created_at: Option<Moment>,
    #[serde(default)]
    updated_at: Option<Moment>,
    role: String,
}

/// Projects.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Projects {
    projects: Vec<Project>,
}

/// A project that was made.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Made {
    id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    default_instance_id: String,
    #[serde(rename = "created_at")]
    created_at: Option<Moment>,
    #[serde(rename = "updated_at")]
    updated_at: Option<Moment>,
}

/// A project and the instance that it begins with.
#[derive(Debug, Deserialize)]
struct Begun {
    project: Project,
    instance: Named,
}

#[derive(Debug, Deserialize)]
struct Named {
    id: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct New {
    name: Word,
    description: Option<Words>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Change {
    name: Option<Words>,
    description: Option<Words>,
}

/// Those that the caller may know of, last changed first.
pub(super) async fn list(asking: Asking) -> Result<Response, Problem> {
    let mut projects: Vec<Project> = asking.all(List::NAME, Map::new(), "projects").await?;
    projects.sort_by(|one, other| (other.updated_at, &one.id).cmp(&(one.updated_at, &other.id)));
    Ok(shown(Projects { projects }))
}

/// Makes one, with an instance in it.
pub(super) async fn create(asking: Asking, body: Body) -> Result<Response, Problem> {
    let New { name, description } = asking.body(body).await?;
    let project: Create = parse(json!({"name": name.as_str(), "description": given(description)}))?;
    let begin = Begin { project, instance: parse(FIRST.into())? };
    let reply = asking.seed.kernel.create_project(&asking.caller, begin).await?;
    let Begun { project, instance } = parse(reply.result)?;
    let Project { id, name, description, created_at, updated_at, .. } = project;
    let default_instance_id = instance.id;
    Ok(created(Made { id, name, description, default_instance_id, created_at, updated_at }))
}

pub(super) async fn read(asking: Asking, Path(id): Path<String>) -> Result<Response, Problem> {
    let project: Project = asking.ask(Read::NAME, json!({"project": id})).await?;
    Ok(shown(project))
}

/// Gives it another name or description; what is empty stays.
pub(super) async fn change(asking: Asking, Path(id): Path<String>, body: Body) -> Result<Json<Done>, Problem> {
    let Change { name, description } = asking.body(body).await?;
    let args = json!({"project": id, "name": given(name), "description": given(description)});
    asking.call(Update::NAME, args).await?;
    Ok(success())
}

/// Removes it with its instances.
pub(super) async fn remove(asking: Asking, Path(id): Path<String>) -> Result<Json<Done>, Problem> {
    asking.call(Delete::NAME, json!({"project": id, "with_instances": true})).await?;
    Ok(success())
}
