//! Shares: a project or an instance given to somebody.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{
    access::{ApiKey, Delegate, Group, Share, User},
    error::OpError,
    kind,
    permission::{
        Permission,
        party::{Party, Resource},
    },
    time,
    view::IdRange,
};

use super::{
    Cursor, PageSize, Word, absent, account, check_room, counted, groups, keys, meta, own_parties, page, projects,
    quota, secrets,
    standing::{self, Known},
};
use crate::ops::{
    operation::{Cx, EffectClass, OpMeta, Operation, Report, Step},
    tx::{Held, Tx},
};

/// A share as replies show it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ShareView {
    /// Its id.
    pub id: String,
    /// project:ID or instance:ID.
    pub on: String,
    /// user:ID, email:ADDRESS, group:ID, key:ID, delegate:ID or public.
    pub with: String,
    /// The address of that user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// What that user, group, key or delegate is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How much they may do.
    pub permission: Permission,
    /// Since when.
    pub created_at: String,
}

impl ShareView {
    pub(super) fn of(tx: &mut Tx<'_>, held: Held<Share>) -> Result<Self, OpError> {
        let Held { record, content: Share { on, with, permission } } = held;
        let (email, name) = match &with {
            Party::User(id) => match tx.get::<User>(id)? {
                Some(held) => (held.content.email, held.content.name),
                None => (None, None),
            },
            Party::Email(email) => (Some(email.clone()), None),
            Party::Group(id) => (None, tx.get::<Group>(id)?.map(|held| held.content.name)),
            Party::Key(id) => (None, tx.get::<ApiKey>(id)?.map(|held| held.content.name)),
            Party::Delegate(id) => (None, tx.get::<Delegate>(id)?.map(|held| held.content.name)),
            Party::Public => (None, None),
        };
        let (on, with, created_at) = (on.to_string(), with.to_string(), time::rfc3339(record.created_at));
        Ok(Self { id: record.id, on, with, email, name, permission, created_at })
    }
}

impl Report for ShareView {
    fn outcome(&self) -> String {
        format!("{} may {} {}. The share has the id {}.", self.with, self.permission.name(), self.on, self.id)
    }
}

/// What is meant, if the caller may give it to others.
fn resource(
    tx: &mut Tx<'_>,
    who: &Known,
    project: Option<&Word>,
    instance: Option<&Word>,
) -> Result<Resource, OpError> {
    match (project, instance) {
        (Some(project), None) => projects::meant(tx, who, project.as_str(), Permission::Admin).map(Resource::Project),
        (None, Some(instance)) => {
            let held = keys::instance(tx, who, instance.as_str(), Permission::Admin)?;
            Ok(Resource::Instance(held.record.id))
        }
        _ => Err(OpError::invalid("instance", "name a project or an instance, one of the two", "")),
    }
}

/// Give a project with all its instances, or one instance, to somebody: by e-mail address also before they are known.
/// Given again, the new permission counts. It takes admin.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Create {
    /// Name or id of the project
    #[serde(default)]
    pub project: Option<Word>,
    /// Name or id of the instance
    #[serde(default)]
    pub instance: Option<Word>,
    /// E-mail address, user:ID, group:NAME, key:ID, delegate:ID or public
    pub with: Word,
    /// How much they may do
    pub permission: Permission,
}

impl Operation for Create {
    const NAME: &'static str = "share_create";
    const META: OpMeta =
        OpMeta { events: &["share.created", "share.updated"], idempotent: true, ..meta("Share", EffectClass::Create) };
    type Out = ShareView;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<ShareView>, OpError> {
        let who = standing::known(tx, cx)?;
        let on = resource(tx, &who, self.project.as_ref(), self.instance.as_ref())?;
        let with = match groups::somebody(tx, "with", self.with.as_str())? {
            Party::Group(group) => Party::Group(groups::own(tx, &who.standing, &group)?.record.id),
            other => other,
        };
        if with == Party::Public && self.permission == Permission::Admin {
            let rule = "what is public can be read or written by everybody, and administered by nobody";
            return Err(OpError::invalid("permission", rule, self.permission.name()));
        }
        let key = kind::pair_key(&on.to_string(), &with.to_string());
        let id = if let Some(held) = tx.scan_index::<Share>(kind::SHARE, &key, &IdRange::all(), 1)?.pop() {
            held.record.id
        } else {
            check_room::<Share>(tx)?;
            quota::share(tx, &on, &with)?;
            secrets::id(cx, 0)?
        };
        let share = Share { on, with, permission: self.permission };
        if tx.get::<Share>(&id)?.is_none_or(|held| held.content != share) {
            tx.put(&id, &share, None)?;
        }
        let held = tx.get::<Share>(&id)?.ok_or_else(|| absent("share", &id, "share_list"))?;
        ShareView::of(tx, held).map(Step::Done)
    }
}

/// To whom a project or an instance was given, which takes admin; without either, what was given to the caller's user
/// by name or address. next_cursor, when not null, continues.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Name or id of the project
    #[serde(default)]
    pub project: Option<Word>,
    /// Name or id of the instance
    #[serde(default)]
    pub instance: Option<Word>,
    /// Page size, default 1000
    #[serde(default)]
    pub limit: Option<PageSize>,
    /// next_cursor of the page before
    #[serde(default)]
    pub cursor: Option<Cursor>,
}

/// Shares by id.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Shares {
    /// A page of them.
    pub shares: Vec<ShareView>,
    /// Pass it as `cursor` for the next page; null on the last.
    pub next_cursor: Option<String>,
}

impl Report for Shares {
    fn outcome(&self) -> String {
        counted(self.shares.len(), "share").into()
    }
}

impl Operation for List {
    const NAME: &'static str = "share_list";
    const META: OpMeta = meta("List shares", EffectClass::Read);
    type Out = Shares;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Shares>, OpError> {
        let who = standing::known(tx, cx)?;
        let (found, next_cursor) = if self.project.is_none() && self.instance.is_none() {
            account(&who.standing, "listing what was given to you")?;
            own_parties(tx, &who.standing, kind::SHARE_WITH, self.limit, self.cursor.as_ref())?
        } else {
            let on = resource(tx, &who, self.project.as_ref(), self.instance.as_ref())?.to_string();
            page::<Share>(tx, Some((kind::SHARE_ON, on.as_bytes())), self.limit, self.cursor.as_ref())?
        };
        let shares = found.into_iter().map(|held| ShareView::of(tx, held)).collect::<Result<_, _>>()?;
        Ok(Step::Done(Shares { shares, next_cursor }))
    }
}

/// Take back what was given; whoever is connected through it is cut off within a second. It takes admin.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Remove {
    /// Its id
    pub id: Word,
}

impl Operation for Remove {
    const NAME: &'static str = "share_remove";
    const META: OpMeta = OpMeta { events: &["share.deleted"], ..meta("Take back a share", EffectClass::Delete) };
    type Out = ShareView;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<ShareView>, OpError> {
        let who = standing::known(tx, cx)?;
        let id = self.id.as_str();
        let held = tx.get::<Share>(id)?.ok_or_else(|| absent("share", id, "share_list"))?;
        let is_own = who.standing.parties.contains(&held.content.with) && held.content.with != Party::Public;
        let administers = match &held.content.on {
            Resource::Project(project) => standing::on_project(tx, &who, project, Permission::Admin, project).map(drop),
            Resource::Instance(instance) => keys::instance(tx, &who, instance, Permission::Admin).map(drop),
        };
        match administers {
            // What was given to oneself can be given back. To others it is as if it were not there.
            Err(_) if is_own && who.standing.has_account => {}
            Err(OpError::NotFound { .. }) => return Err(absent("share", id, "share_list")),
            other => other?,
        }
        let view = ShareView::of(tx, held)?;
        tx.delete::<Share>(id)?;
        Ok(Step::Done(view))
    }
}
