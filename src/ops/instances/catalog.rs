//! What happens in the catalog: instances are entered, listed and renamed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{
    error::OpError,
    instance::{Instance, InstanceId},
    limits,
    permission::Permission,
    time,
};

use super::{
    InstanceView,
    arguments::{NewName, Which},
    existing, find, meta, not_found, taken,
};
use crate::ops::{
    access::{
        Word, projects, quota,
        reach::{Reach, batch},
        standing,
    },
    bounds::{Text, Whole},
    operation::{Call, Cx, EffectClass, OpMeta, Operation, Reply, Report, Step},
    tx::Tx,
};

/// Enters a new instance, under the fresh id of the turn. Its folder is ready: this is the commit point.
#[derive(Debug)]
pub struct Enter {
    /// What it is to be called.
    pub name: Naming,
    /// In which project.
    pub project: Where,
    /// The instance that it is a copy of.
    pub parent: Option<InstanceId>,
    /// What a snapshot was taken for.
    pub note: Option<String>,
    /// It is a snapshot: nothing may be written to it.
    pub snapshot: bool,
}

/// In which project a new instance is made.
#[derive(Debug)]
pub enum Where {
    /// The one that this means to the caller, or the caller's.
    Meant(Option<Word>),
    /// The one with this id, which another instance is in.
    Beside(String),
}

impl Where {
    /// The id of the project. Errors: the caller may not administer it.
    pub fn find(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<String, OpError> {
        let who = standing::known(tx, cx)?;
        match self {
            Self::Meant(Some(text)) => projects::meant(tx, &who, text.as_str(), Permission::Admin),
            Self::Meant(None) => {
                standing::on_project(tx, &who, &who.project, Permission::Admin, &who.project)?;
                Ok(who.project)
            }
            Self::Beside(id) => {
                standing::on_project(tx, &who, id, Permission::Admin, id)?;
                Ok(id.clone())
            }
        }
    }
}

/// What a new instance is to be called.
#[derive(Debug)]
pub enum Naming {
    /// This, if nobody has the name.
    Exactly(NewName),
    /// After the instance of this name and the time.
    SnapshotOf(String),
}

impl Call for Enter {
    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Reply>, OpError> {
        check_room(tx.count::<Instance>()?)?;
        let project = self.project.find(tx, cx)?;
        quota::instance(tx, &project)?;
        let name = match &self.name {
            Naming::Exactly(name) => free(tx, &project, name.as_str())?,
            Naming::SnapshotOf(name) => snapshot_name(tx, &project, name, cx.now_ms)?,
        };
        let Some(id) = &cx.fresh_id else {
            return Err(OpError::invalid("name", "an instance is made by itself, not inside another operation", &name));
        };
        let instance = Instance {
            name,
            project,
            own_of: None,
            left_by: None,
            parent: self.parent.clone(),
            note: self.note.clone(),
            read_only: self.snapshot,
            snapshot: self.snapshot,
            deleted_at: None,
        };
        tx.put(id.as_str(), &instance, None)?;
        Reply::of(&InstanceView::new(id.as_str(), &instance)).map(Step::Done)
    }
}

/// Whether one more instance may be made.
pub fn check_room(count: u64) -> Result<(), OpError> {
    if count < limits::INSTANCES as u64 {
        return Ok(());
    }
    let rule = format!(
        "there are {} instances, snapshots included, which is the limit: delete some first. A deleted one counts until \
         its 7 days are over",
        limits::INSTANCES
    );
    Err(OpError::invalid("arguments", rule, &count.to_string()))
}

/// The name, if nobody has it. Errors: `already_exists`.
pub fn free(tx: &Tx<'_>, project: &str, name: &str) -> Result<String, OpError> {
    match find(tx, project, name)? {
        Some(_) => Err(taken(name, "Use it, or choose another name")),
        None => Ok(name.to_owned()),
    }
}

/// `notes@2026-11-21T09:30:00.000Z`, and with a number behind it when two were taken at once.
fn snapshot_name(tx: &Tx<'_>, project: &str, of: &str, now_ms: i64) -> Result<String, OpError> {
    /// Of the time and a number.
    const BEHIND: usize = 32;
    let begin: String = of.chars().take(limits::INSTANCE_NAME_CHARACTERS - BEHIND).collect();
    let name = format!("{begin}@{}", time::rfc3339(now_ms));
    let mut numbered = name.clone();
    let mut number = 1;
    while find(tx, project, &numbered)?.is_some() {
        number += 1;
        numbered = format!("{name} {number}");
    }
    Ok(numbered)
}

/// The instances that the caller may know of, with their ids, and what each is: a clone's parent, a snapshot's note,
/// whether it is read-only. Deleted ones are shown when asked for. next_cursor, when not null, continues.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Only those in this project, by name or id
    #[serde(default)]
    pub project: Option<Word>,
    /// Also show those that were deleted in the last 7 days
    #[serde(default)]
    pub deleted: Option<bool>,
    /// Page size, default 1000
    #[serde(default)]
    pub limit: Option<Whole<1, { limits::PAGE as u64 }>>,
    /// next_cursor of the page before
    #[serde(default)]
    pub cursor: Option<Text<0, 64>>,
}

/// The instances by id.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Instances {
    /// A page of them.
    pub instances: Vec<InstanceView>,
    /// Pass it as `cursor` for the next page; null on the last.
    pub next_cursor: Option<String>,
}

impl Report for Instances {
    fn outcome(&self) -> String {
        let names: Vec<_> = self.instances.iter().map(|instance| instance.name.as_str()).collect();
        let more = if self.next_cursor.is_some() { " There are more: pass next_cursor as cursor." } else { "" };
        match names.as_slice() {
            [] => format!("No instances.{more}"),
            [name] => format!("1 instance: {name}.{more}"),
            names => format!("{} instances: {}.{more}", names.len(), names.join(", ")),
        }
    }
}

impl Operation for List {
    const NAME: &'static str = "instance_list";
    const META: OpMeta = meta("List instances", EffectClass::Read);
    type Out = Instances;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Instances>, OpError> {
        let limit = self.limit.map_or(limits::PAGE as usize, Whole::size);
        let shows_deleted = self.deleted == Some(true);
        let who = standing::known(tx, cx)?;
        let mut reach = Reach::of(tx, &who.standing)?;
        let only = self.project.as_ref().map(|text| projects::would_mean(tx, &who, text.as_str())).transpose()?;
        let mut after = self.cursor.as_ref().map(|cursor| cursor.as_str().to_owned());
        let mut instances: Vec<InstanceView> = Vec::new();
        let ids = match &only {
            // Deleted ones stand in no index of the project.
            _ if shows_deleted => None,
            Some(only) => Some(projects::inside(tx, only, limits::INSTANCES)?.into_iter().collect()),
            None => reach.instances(tx)?,
        };
        loop {
            // One more than wanted tells whether there is another page.
            let (found, is_last) = batch::<Instance>(tx, ids.as_ref(), after.as_deref(), limit + 1)?;
            for held in found {
                let is_kept = match held.content.deleted_at {
                    None => true,
                    Some(_) => shows_deleted && !held.content.is_expired(cx.now_ms),
                };
                let is_there = only.as_ref().is_none_or(|only| *only == held.content.project);
                let shown = if is_kept && is_there { InstanceView::seen(tx, &mut reach, &held)? } else { None };
                if shown.is_some() && instances.len() == limit {
                    // The id of one that is shown: of the others the caller may not know.
                    let next_cursor = instances.last().map(|last| last.id.clone());
                    return Ok(Step::Done(Instances { instances, next_cursor }));
                }
                instances.extend(shown);
                after = Some(held.record.id);
            }
            if is_last {
                // Where nothing is to be seen a project that is not there and a hidden one are alike.
                if let (true, None, Some(project)) = (instances.is_empty(), &self.cursor, &self.project) {
                    projects::meant(tx, &who, project.as_str(), Permission::Read)?;
                }
                return Ok(Step::Done(Instances { instances, next_cursor: None }));
            }
        }
    }
}

/// One instance that the caller may know of.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// Its name or id
    pub instance: Which,
}

impl Operation for Read {
    const NAME: &'static str = "instance_read";
    const META: OpMeta = meta("Show an instance", EffectClass::Read);
    type Out = InstanceView;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<InstanceView>, OpError> {
        let held = existing(tx, cx, &self.instance, Permission::Read)?;
        let who = standing::known(tx, cx)?;
        let mut reach = Reach::of(tx, &who.standing)?;
        let shown = InstanceView::seen(tx, &mut reach, &held)?;
        shown.ok_or_else(|| not_found(self.instance.as_str())).map(Step::Done)
    }
}

/// Give an instance another name; its id stays. It takes admin on its project too, where names are unique. Fails with
/// already_exists when the name is taken.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rename {
    /// Its name or id
    pub instance: Which,
    /// The new name, without / and \
    pub name: NewName,
}

impl Operation for Rename {
    const NAME: &'static str = "instance_rename";
    const META: OpMeta =
        OpMeta { events: &["instance.updated"], idempotent: true, ..meta("Rename an instance", EffectClass::Update) };
    type Out = InstanceView;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<InstanceView>, OpError> {
        let held = existing(tx, cx, &self.instance, Permission::Admin)?;
        let mut instance = held.content;
        if instance.name != self.name.as_str() {
            // Whether a name is free tells what others are called: of those only who administers the project may know.
            let who = standing::known(tx, cx)?;
            match standing::on_project(tx, &who, &instance.project, Permission::Admin, &instance.project) {
                Err(OpError::NotFound { .. } | OpError::PermissionDenied { .. }) => {
                    return Err(OpError::PermissionDenied {
                        what: "renaming an instance takes admin on its project, where names are unique".into(),
                        remedy: "Ask whoever administers the project".into(),
                    });
                }
                other => drop(other?),
            }
            instance.name = free(tx, &instance.project, self.name.as_str())?;
            tx.put(&held.record.id, &instance, None)?;
        }
        Ok(Step::Done(InstanceView::new(&held.record.id, &instance)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_ten_thousand_instances() {
        let most = limits::INSTANCES as u64;
        assert!(check_room(most - 1).is_ok());
        let error = check_room(most).unwrap_err();
        assert_eq!(error.code(), "invalid_argument");
        assert!(error.to_string().contains("delete some first"), "{error}");
    }
}
