//! Projects shown: those that the caller may know of, and one of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ProjectView, implied, meant, not_found};
use crate::{
    model::{access::Project, error::OpError, limits, permission::Permission},
    ops::{
        access::{
            Cursor, PageSize, Word, counted, meta,
            reach::{Reach, batch},
            standing,
        },
        instances::DEFAULT_PROJECT,
        operation::{Cx, EffectClass, OpMeta, Operation, Report, Step},
        tx::Tx,
    },
};

/// The projects that the caller may know of: their own, and those shared with them. next_cursor, when not null,
/// continues.
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

/// Projects by id.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Projects {
    /// A page of them.
    pub projects: Vec<ProjectView>,
    /// Pass it as `cursor` for the next page; null on the last.
    pub next_cursor: Option<String>,
}

impl Report for Projects {
    fn outcome(&self) -> String {
        counted(self.projects.len(), "project").into()
    }
}

impl Operation for List {
    const NAME: &'static str = "project_list";
    const META: OpMeta = meta("List projects", EffectClass::Read);
    type Out = Projects;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Projects>, OpError> {
        let who = standing::known(tx, cx)?;
        let limit = self.limit.map_or(limits::PAGE as usize, PageSize::size);
        let mut reach = Reach::of(tx, &who.standing)?;
        let mut projects = Vec::new();
        let mut after = self.cursor.as_ref().map(|cursor| cursor.as_str().to_owned());
        // Of those that are shown: of the others the caller may not know. Before the first it is empty.
        let mut last = after.clone().unwrap_or_default();
        if after.is_none() && tx.get::<Project>(DEFAULT_PROJECT)?.is_none() {
            let permission = reach.on_project(tx, DEFAULT_PROJECT)?;
            projects.extend(
                permission.map(|it| ProjectView::new(DEFAULT_PROJECT, implied(), role(&reach, &implied(), it), None)),
            );
        }
        let ids = reach.projects(tx)?;
        loop {
            let (found, is_last) = batch::<Project>(tx, ids.as_ref(), after.as_deref(), limit + 1)?;
            for held in found {
                let permission = reach.on_project(tx, &held.record.id)?;
                if permission.is_some() && projects.len() >= limit {
                    return Ok(Step::Done(Projects { projects, next_cursor: Some(last) }));
                }
                after = Some(held.record.id.clone());
                if let Some(permission) = permission {
                    let role = role(&reach, &held.content, permission);
                    last.clone_from(&held.record.id);
                    projects.push(ProjectView::of(held, role));
                }
            }
            if is_last {
                return Ok(Step::Done(Projects { projects, next_cursor: None }));
            }
        }
    }
}

/// What somebody is to a project.
pub fn role(reach: &Reach, project: &Project, permission: Permission) -> &'static str {
    if reach.owns(project) && permission == Permission::Admin { "owner" } else { permission.name() }
}

/// One project that the caller may know of.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// Name or id
    pub project: Word,
}

impl Operation for Read {
    const NAME: &'static str = "project_read";
    const META: OpMeta = meta("Show a project", EffectClass::Read);
    type Out = ProjectView;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<ProjectView>, OpError> {
        let who = standing::known(tx, cx)?;
        let id = meant(tx, &who, self.project.as_str(), Permission::Read)?;
        let mut reach = Reach::of(tx, &who.standing)?;
        let permission = reach.on_project(tx, &id)?.ok_or_else(|| not_found(self.project.as_str()))?;
        Ok(Step::Done(match tx.get::<Project>(&id)? {
            Some(held) => {
                let role = role(&reach, &held.content, permission);
                ProjectView::of(held, role)
            }
            None => ProjectView::new(&id, implied(), role(&reach, &implied(), permission), None),
        }))
    }
}
