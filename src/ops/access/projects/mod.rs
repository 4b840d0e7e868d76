//! Projects: containers of instances, each with an owner.

mod begin;
mod delete;
mod list;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{
    access::{OnJoin, Project},
    error::OpError,
    instance::{Instance, InstanceId, InstanceRef},
    kind::{self, Kind as _},
    limits,
    permission::{Permission, party::LOCAL},
    time,
    view::IdRange,
};

use super::{
    Word, account, check_room, meta, name, quota,
    reach::Reach,
    secrets,
    standing::{self, Known},
};
use crate::ops::{
    instances::{self, DEFAULT_PROJECT},
    operation::{Cx, EffectClass, OpMeta, Operation, Report, Step},
    tx::{Held, Tx},
};

pub use begin::{Begin, Begun};
pub(super) use delete::hand_over_left;
pub use delete::{Delete, Leave, inside, names_in};
pub use list::{List, Projects, Read, role};

/// A project as replies show it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProjectView {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What who enters it gets: shared, or own_from:ID.
    pub on_join: String,
    /// The id of the user whose it is; `local` for the user of this machine.
    pub owner: String,
    /// owner, admin, write or read: what the caller is to it.
    pub role: String,
    /// Since when it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// When it was last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<String>,
}

impl ProjectView {
    fn new(id: &str, project: Project, role: &str, times: Option<(i64, i64)>) -> Self {
        let Project { name, owner, description, on_join } = project;
        let on_join = on_join.text();
        let (created_at, updated_at) = (times.map(|it| time::rfc3339(it.0)), times.map(|it| time::rfc3339(it.1)));
        Self { id: id.to_owned(), name, description, on_join, owner, role: role.to_owned(), created_at, updated_at }
    }

    fn of(held: Held<Project>, role: &str) -> Self {
        Self::new(&held.record.id, held.content, role, Some((held.record.created_at, held.record.updated_at)))
    }
}

impl Report for ProjectView {
    fn outcome(&self) -> String {
        format!("Project \"{}\" has the id {}.", self.name, self.id)
    }
}

/// The refusal of an unknown project.
pub fn not_found(named: &str) -> OpError {
    super::absent("project", named, "project_list")
}

/// The project of a machine with one user, which nobody has written down.
fn implied() -> Project {
    Project { name: DEFAULT_PROJECT.into(), owner: LOCAL.into(), description: None, on_join: OnJoin::Shared }
}

/// The ids of the projects of an owner.
pub fn owned(tx: &Tx<'_>, owner: &str) -> Result<Vec<String>, OpError> {
    let (low, high) = (kind::pair_key(owner, ""), [owner.as_bytes(), b"\x01"].concat());
    let found = tx.view().index_range(kind::PROJECT_NAME, &low, &high, limits::ACCESS_RECORDS)?;
    Ok(found.into_iter().filter(|found| found.kind == Project::KIND).map(|found| found.id).collect())
}

fn by_name(tx: &Tx<'_>, owner: &str, name: &str) -> Result<Option<Held<Project>>, OpError> {
    let key = kind::pair_key(owner, name);
    Ok(tx.scan_index::<Project>(kind::PROJECT_NAME, &key, &IdRange::all(), 1)?.pop())
}

/// The id of the project that a text means, and the most that may be done with it: an id, or the name of one of the
/// caller's own. Errors: `not_found` when it is not there or hidden, `permission_denied`.
pub fn meant(tx: &mut Tx<'_>, who: &Known, text: &str, wanted: Permission) -> Result<String, OpError> {
    let text = text.strip_prefix("project:").unwrap_or(text);
    let id = match by_name(tx, &who.standing.user, text)? {
        Some(held) => held.record.id,
        None if text == DEFAULT_PROJECT && who.project == DEFAULT_PROJECT => DEFAULT_PROJECT.to_owned(),
        None => tx.get::<Project>(text)?.ok_or_else(|| not_found(text))?.record.id,
    };
    standing::on_project(tx, who, &id, wanted, text)?;
    Ok(id)
}

/// The id of the project that a text would mean, whether it is there or not: for who looks for what they may see in it.
pub fn would_mean(tx: &Tx<'_>, who: &Known, text: &str) -> Result<String, OpError> {
    let id = text.strip_prefix("project:").unwrap_or(text);
    Ok(by_name(tx, &who.standing.user, id)?.map_or_else(|| id.to_owned(), |held| held.record.id))
}

/// Puts a new project. Errors: `already_exists` when its owner has one of that name.
pub(super) fn enter(
    tx: &mut Tx<'_>,
    id: &str,
    owner: &str,
    name: &str,
    description: Option<String>,
) -> Result<Project, OpError> {
    check_room::<Project>(tx)?;
    if by_name(tx, owner, name)?.is_some() {
        return Err(taken(name));
    }
    let project = Project { name: name.to_owned(), owner: owner.to_owned(), description, on_join: OnJoin::Shared };
    tx.put(id, &project, None)?;
    Ok(project)
}

fn taken(name: &str) -> OpError {
    OpError::AlreadyExists { what: format!("project \"{name}\""), remedy: "Use it, or choose another name".into() }
}

/// Gives a project to another owner, who may have one of its name already.
pub(super) fn hand_over(tx: &mut Tx<'_>, id: &str, to: &str, of: &str) -> Result<(), OpError> {
    let Some(held) = tx.get::<Project>(id)? else { return Ok(()) };
    let mut name = format!("{} of {of}", held.content.name);
    if by_name(tx, to, &name)?.is_some() {
        name = format!("{name} {id}");
    }
    tx.put(id, &Project { owner: to.to_owned(), name, ..held.content }, None)?;
    Ok(())
}

/// Make a project. It belongs to the caller's user. Fails with already_exists when they have one of that name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Create {
    /// Its name
    pub name: Word,
    /// What it is for
    #[serde(default)]
    pub description: Option<Word>,
}

/// Whether a name is that of the project which the user of the machine has without a record.
fn is_implied(owner: &str, name: &str) -> bool {
    owner == LOCAL && name == DEFAULT_PROJECT
}

impl Create {
    /// The owner and the name of the project. Errors: the caller has no account; the name is taken.
    pub fn check(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<(String, String), OpError> {
        let who = standing::known(tx, cx)?;
        account(&who.standing, "making a project")?;
        let (called, owner) = (name("name", &self.name)?, who.standing.user);
        if is_implied(&owner, &called) || by_name(tx, &owner, &called)?.is_some() {
            return Err(taken(&called));
        }
        quota::project(tx, &owner)?;
        Ok((owner, called))
    }
}

impl Operation for Create {
    const NAME: &'static str = "project_create";
    const META: OpMeta = OpMeta { events: &["project.created"], ..meta("Make a project", EffectClass::Create) };
    type Out = ProjectView;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<ProjectView>, OpError> {
        let (owner, called) = self.check(tx, cx)?;
        let id = secrets::id(cx, 0)?;
        let description = self.description.as_ref().map(|text| text.as_str().to_owned());
        let project = enter(tx, &id, &owner, &called, description)?;
        Ok(Step::Done(ProjectView::new(&id, project, "owner", Some((cx.now_ms, cx.now_ms)))))
    }
}

/// Give a project another name or description, or say what people get who enter it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Update {
    /// Name or id
    pub project: Word,
    /// The new name
    #[serde(default)]
    pub name: Option<Word>,
    /// What it is for
    #[serde(default)]
    pub description: Option<Word>,
    /// What who enters it gets: shared, or own_from:INSTANCE for an own instance made from that one
    #[serde(default)]
    pub on_join: Option<Word>,
}

impl Update {
    /// What who enters gets from now on. The template is in the project, and the caller's to give away.
    fn on_join(&self, tx: &mut Tx<'_>, who: &Known, project: &str) -> Result<Option<OnJoin>, OpError> {
        let Some(text) = self.on_join.as_ref().map(Word::as_str) else { return Ok(None) };
        if text == "shared" {
            return Ok(Some(OnJoin::Shared));
        }
        let rule = "it is shared, or own_from:INSTANCE with an instance of the project";
        let refused = || OpError::invalid("on_join", rule, text);
        let named = text.strip_prefix("own_from:").ok_or_else(refused)?;
        let held = match InstanceRef::parse(named)? {
            InstanceRef::Id(id) => tx.get::<Instance>(id.as_str())?,
            InstanceRef::Name(name) => instances::find(tx, project, &name)?,
        };
        let held = held.filter(|held| held.content.project == project && held.content.deleted_at.is_none());
        let held = held.ok_or_else(|| instances::not_found(named))?;
        standing::on_instance(tx, &who.standing, &held, Permission::Admin, named)?;
        Ok(Some(OnJoin::OwnFrom(InstanceId::parse(&held.record.id).ok_or_else(refused)?)))
    }
}

impl Operation for Update {
    const NAME: &'static str = "project_update";
    const META: OpMeta =
        OpMeta { events: &["project.updated"], idempotent: true, ..meta("Change a project", EffectClass::Update) };
    type Out = ProjectView;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<ProjectView>, OpError> {
        let who = standing::known(tx, cx)?;
        let id = meant(tx, &who, self.project.as_str(), Permission::Admin)?;
        let before = tx.get::<Project>(&id)?.map_or_else(implied, |held| held.content);
        let mut project = before.clone();
        if let Some(given) = &self.name {
            project.name = name("name", given)?;
            let is_own = project.name == before.name || id == DEFAULT_PROJECT;
            let is_there = by_name(tx, &project.owner, &project.name)?.is_some_and(|other| other.record.id != id);
            if is_there || (!is_own && is_implied(&project.owner, &project.name)) {
                return Err(taken(&project.name));
            }
        }
        if let Some(description) = &self.description {
            project.description = Some(description.as_str().to_owned());
        }
        if let Some(on_join) = self.on_join(tx, &who, &id)? {
            project.on_join = on_join;
        }
        if project != before {
            tx.put(&id, &project, None)?;
        }
        let reach = Reach::of(tx, &who.standing)?;
        let role = role(&reach, &project, Permission::Admin);
        Ok(Step::Done(match tx.get::<Project>(&id)? {
            Some(held) => ProjectView::of(held, role),
            None => ProjectView::new(&id, project, role, None),
        }))
    }
}
