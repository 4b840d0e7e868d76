//! Entering a project: everybody gets the same instance, or each an own one, made from a template.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::{
    access::{OnJoin, Project, User},
    error::OpError,
    instance::{Instance, InstanceId},
    kind, limits,
    permission::{Action, Permission},
    view::IdRange,
};

use super::{
    Word, meta, projects, quota,
    standing::{self, Known},
};
use crate::ops::{
    instances::{self, InstanceView, catalog::check_room},
    operation::{Call, Cx, EffectClass, OpMeta, Reply, Step},
    procedure,
    tx::{Held, Tx},
};

/// Enter a project: answers with the instance that the caller uses there, the same on every entry. Where the project
/// gives each their own, it is made from the template on the first.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// Name or id
    pub project: Word,
}

impl procedure::Arguments for Join {
    const NAME: &'static str = "project_enter";
    const META: OpMeta = OpMeta {
        action: Action::Create,
        events: &["instance.created"],
        idempotent: true,
        ..meta("Enter a project", EffectClass::Create)
    };
    type Out = InstanceView;
}

/// What entering comes to.
#[derive(Debug)]
pub enum Entry {
    /// The instance is there.
    There(Box<Held<Instance>>),
    /// One is to be made from this.
    Make(InstanceId),
}

/// What a caller gets who enters. Errors: `not_found` for who may not know of the project.
pub fn look(tx: &mut Tx<'_>, cx: &Cx, join: &Join) -> Result<Entry, OpError> {
    let who = standing::known(tx, cx)?;
    entry(tx, &who, join).map(|(entry, _)| entry)
}

fn entry(tx: &mut Tx<'_>, who: &Known, join: &Join) -> Result<(Entry, String), OpError> {
    let text = join.project.as_str();
    let project = projects::meant(tx, who, text, Permission::Read)?;
    let on_join = tx.get::<Project>(&project)?.map(|held| held.content.on_join).unwrap_or_default();
    let found = match &on_join {
        OnJoin::Shared => {
            Some(instances::find(tx, &project, "default")?.ok_or_else(|| instances::not_found("default"))?)
        }
        OnJoin::OwnFrom(_) => {
            let key = kind::pair_key(&project, &who.standing.user);
            tx.scan_index::<Instance>(kind::OWN, &key, &IdRange::all(), 1)?.pop()
        }
    };
    let may_make = who.standing.lent.is_none() && who.standing.most >= Permission::Write;
    match (found, on_join) {
        (Some(held), _) => {
            standing::on_instance(tx, &who.standing, &held, Permission::Read, &held.content.name)?;
            Ok((Entry::There(Box::new(held)), project))
        }
        (None, OnJoin::OwnFrom(template)) if may_make => {
            let held = tx.get::<Instance>(template.as_str())?.ok_or_else(|| instances::not_found(template.as_str()))?;
            match held.content.deleted_at {
                Some(_) => Err(instances::deleted(template.as_str())),
                None => Ok((Entry::Make(template), project)),
            }
        }
        (None, _) => Err(OpError::PermissionDenied {
            what: format!("entering project \"{text}\" for the first time, which makes an instance"),
            remedy: "Its user does that, or a key of theirs that may write; what they then share with a delegate it \
                     may use"
                .into(),
        }),
    }
}

/// Enters somebody's own instance, under the fresh id of the turn. Its folder is ready: this is the commit point.
/// Errors: `already_exists` when they have one by now.
#[derive(Debug)]
pub struct EnterOwn(pub Join);

impl Call for EnterOwn {
    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Reply>, OpError> {
        check_room(tx.count::<Instance>()?)?;
        let who = standing::known(tx, cx)?;
        let (template, project) = match entry(tx, &who, &self.0)? {
            (Entry::Make(template), project) => (template, project),
            (Entry::There(held), _) => return Err(instances::taken(&held.content.name, "It is there: enter again")),
        };
        quota::instance(tx, &project)?;
        let Some(id) = &cx.fresh_id else {
            return Err(OpError::invalid("project", "it is entered by itself, not inside another operation", ""));
        };
        let user = who.standing.user;
        let label = tx.get::<User>(&user)?.and_then(|held| held.content.email).unwrap_or_else(|| user.clone());
        let of = tx.get::<Instance>(template.as_str())?.map_or_else(String::new, |held| held.content.name);
        let instance = Instance {
            name: own_name(tx, &project, &of, &label)?,
            project,
            own_of: Some(user),
            left_by: None,
            parent: Some(template),
            note: None,
            read_only: false,
            snapshot: false,
            deleted_at: None,
        };
        tx.put(id.as_str(), &instance, None)?;
        Reply::of(&InstanceView::new(id.as_str(), &instance)).map(Step::Done)
    }
}

/// `notes of ann@example.com`, and with a number behind it when that is taken.
fn own_name(tx: &Tx<'_>, project: &str, of: &str, label: &str) -> Result<String, OpError> {
    /// Of the words between and a number.
    const BEHIND: usize = 16;
    let half = (limits::INSTANCE_NAME_CHARACTERS - BEHIND) / 2;
    let short =
        |text: &str| text.chars().take(half).map(|c| if c == '/' || c == '\\' { '-' } else { c }).collect::<String>();
    let name = format!("{} of {}", short(of), short(label));
    let (mut numbered, mut number) = (name.clone(), 1);
    while instances::find(tx, project, &numbered)?.is_some() {
        number += 1;
        numbered = format!("{name} {number}");
    }
    Ok(numbered)
}
