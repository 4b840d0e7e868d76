//! Who somebody is, looked up: what the decision in `model/permission` is made of. Read in one state of the catalog.

use std::collections::HashSet;

use crate::model::{
    access::{ApiKey, Delegate, DelegateSecret, Group, KeyPermission, Project, Share, User},
    error::OpError,
    instance::Instance,
    kind::{self, Kind as _},
    limits,
    permission::{
        Decision, Grant, Permission, Place, Principal, Standing, decide,
        party::{LOCAL, Party, Resource, Scope},
        together,
    },
    view::IdRange,
};

use crate::ops::{
    instances::{self, DEFAULT_PROJECT},
    operation::Cx,
    tx::{Held, Tx},
};

/// Somebody as the catalog knows them, and where their names of instances are looked up.
#[derive(Debug, Clone)]
pub struct Known {
    /// What the decision needs.
    pub standing: Standing,
    /// The id of the project in which names are looked up.
    pub project: String,
    /// It may do what costs money.
    pub may_spend: bool,
}

fn unknown(what: &str) -> OpError {
    OpError::Unauthenticated { what: what.to_owned(), remedy: "Ask whoever gave it to you for a new one".into() }
}

/// Who the caller is now. Errors: `unauthenticated` when their key was revoked, has expired, or never was.
pub fn known(tx: &mut Tx<'_>, cx: &Cx) -> Result<Known, OpError> {
    known_as(tx, cx, &cx.principal)
}

fn known_as(tx: &mut Tx<'_>, cx: &Cx, principal: &Principal) -> Result<Known, OpError> {
    if principal.is_local() {
        return Ok(Known { standing: Standing::local(), project: DEFAULT_PROJECT.into(), may_spend: true });
    }
    if principal.until_ms.is_some_and(|until| until <= cx.now_ms) {
        return Err(unknown("the token has expired"));
    }
    match Party::parse(&principal.id) {
        Some(Party::User(id)) => user(tx, &id),
        Some(Party::Key(id)) => key(tx, &id),
        Some(Party::Delegate(id)) => delegate(tx, &id, principal.secret.as_deref()),
        _ => Err(unknown("nobody is known by that name")),
    }
}

/// A user with everything that is theirs.
fn user(tx: &mut Tx<'_>, id: &str) -> Result<Known, OpError> {
    if id == LOCAL {
        return Ok(Known { standing: Standing::local(), project: DEFAULT_PROJECT.into(), may_spend: true });
    }
    let user = tx.get::<User>(id)?.ok_or_else(|| unknown("the user is no more"))?.content;
    let mut parties = vec![Party::User(id.to_owned()), Party::Public];
    parties.extend(user.email.map(Party::Email));
    with_groups(tx, &mut parties)?;
    let standing = Standing {
        user: id.to_owned(),
        parties,
        lent: None,
        most: Permission::Admin,
        scopes: vec![Scope::Account],
        has_account: true,
    };
    Ok(Known { standing, project: user.project, may_spend: true })
}

/// A key: its user, narrowed, with what was given to the key itself.
fn key(tx: &mut Tx<'_>, id: &str) -> Result<Known, OpError> {
    let gone = || unknown("the API key is unknown, was revoked, or has expired");
    let key = tx.get::<ApiKey>(id)?.ok_or_else(gone)?.content;
    let Known { mut standing, project, .. } = user(tx, &key.user)?;
    let mut own = vec![Party::Key(id.to_owned())];
    with_groups(tx, &mut own)?;
    standing.parties.extend(own);
    let level = key.permissions.iter().filter_map(|permission| permission.level()).max();
    standing.most = level.unwrap_or(Permission::Read);
    standing.scopes = if level.is_some() { key.scopes } else { Vec::new() };
    standing.has_account = level == Some(Permission::Admin) && standing.scopes.contains(&Scope::Account);
    let project = match standing.scopes.first() {
        Some(Scope::On(Resource::Project(id))) => id.clone(),
        Some(Scope::On(Resource::Instance(id))) => tx.get::<Instance>(id)?.map_or(project, |held| held.content.project),
        _ => project,
    };
    Ok(Known { standing, project, may_spend: key.permissions.contains(&KeyPermission::Spend) })
}

/// A delegate: what was given to it as far as its owner may, and what was given to its groups.
fn delegate(tx: &mut Tx<'_>, id: &str, secret: Option<&str>) -> Result<Known, OpError> {
    let gone = || unknown("the delegate or its secret is unknown, was revoked, or has expired");
    let delegate = tx.get::<Delegate>(id)?.ok_or_else(gone)?.content;
    let held = tx.get::<DelegateSecret>(secret.unwrap_or_default())?.ok_or_else(gone)?;
    if held.content.delegate != id {
        return Err(gone());
    }
    let Known { standing: owner, project, may_spend } = user(tx, &delegate.owner)?;
    let mut own = vec![Party::Delegate(id.to_owned())];
    with_groups(tx, &mut own)?;
    let itself = own.remove(0);
    own.push(Party::Public);
    let standing = Standing {
        user: delegate.owner,
        parties: own,
        lent: Some((itself, owner.parties)),
        most: delegate.most,
        scopes: vec![Scope::Account],
        has_account: false,
    };
    Ok(Known { standing, project, may_spend })
}

/// The ids of the groups that have a member. The groups themselves are not read: each has up to a thousand members, and
/// anybody may add anybody to theirs.
pub fn groups_of(tx: &Tx<'_>, member: &Party) -> Result<Vec<String>, OpError> {
    let key = member.to_string();
    let found = tx.view().index_range(kind::GROUP_MEMBER, key.as_bytes(), key.as_bytes(), limits::GROUPS_OF_MEMBER)?;
    Ok(found.into_iter().filter(|found| found.kind == Group::KIND).map(|found| found.id).collect())
}

/// Adds the groups that have any of the parties as a member.
fn with_groups(tx: &Tx<'_>, parties: &mut Vec<Party>) -> Result<(), OpError> {
    let mut groups = Vec::new();
    for party in parties.iter().filter(|party| **party != Party::Public) {
        groups.extend(groups_of(tx, party)?.into_iter().map(Party::Group));
    }
    parties.extend(groups);
    Ok(())
}

/// The id of the user whose a project is.
pub fn owner_of(tx: &mut Tx<'_>, project: &str) -> Result<String, OpError> {
    Ok(tx.get::<Project>(project)?.map_or_else(|| LOCAL.to_owned(), |held| held.content.owner))
}

/// The id of the user whose an instance is by its project, or by the project that it was deleted with.
pub fn owner_of_instance(tx: &mut Tx<'_>, instance: &Instance) -> Result<String, OpError> {
    match &instance.left_by {
        Some(owner) if tx.get::<Project>(&instance.project)?.is_none() => Ok(owner.clone()),
        _ => owner_of(tx, &instance.project),
    }
}

/// What was given at a place to somebody, ownership among it.
fn grants(tx: &mut Tx<'_>, who: &Standing, place: &Place, instance: Option<&Instance>) -> Result<Vec<Grant>, OpError> {
    let owner = match instance {
        Some(instance) => owner_of_instance(tx, instance)?,
        None => owner_of(tx, &place.project)?,
    };
    let own_of = instance.and_then(|instance| instance.own_of.as_deref());
    let of_project = shares(tx, who, &Resource::Project(place.project.clone()))?;
    let of_instance = match &place.instance {
        Some(id) => shares(tx, who, &Resource::Instance(id.clone()))?,
        None => Vec::new(),
    };
    Ok(together(&owner, own_of, of_project, of_instance))
}

/// As many parties as are asked for one by one without a thought.
const FEW_PARTIES: usize = 8;

/// What was given to somebody on one thing.
fn shares(tx: &Tx<'_>, who: &Standing, resource: &Resource) -> Result<Vec<Grant>, OpError> {
    let (on, mut grants) = (resource.to_string(), Vec::new());
    // Whoever is in many groups, which others may put them into, is found among the few to whom the thing was given.
    let parties: HashSet<&Party> = who.all_parties().collect();
    if parties.len() > FEW_PARTIES {
        let given = tx.scan_index::<Share>(kind::SHARE_ON, on.as_bytes(), &IdRange::all(), parties.len() + 1)?;
        if given.len() <= parties.len() {
            let shares = given.into_iter().map(|held| held.content).filter(|share| parties.contains(&share.with));
            return Ok(shares.map(|share| Grant { to: share.with, permission: share.permission }).collect());
        }
    }
    for party in who.all_parties() {
        let key = kind::pair_key(&on, &party.to_string());
        let shares = tx.scan_index::<Share>(kind::SHARE, &key, &IdRange::all(), 1)?;
        grants.extend(shares.into_iter().map(|held| Grant { to: party.clone(), permission: held.content.permission }));
    }
    Ok(grants)
}

fn decided(
    tx: &mut Tx<'_>,
    who: &Standing,
    place: &Place,
    instance: Option<&Instance>,
    wanted: Permission,
) -> Result<Decision, OpError> {
    if who.is_boundless() {
        return Ok(Decision::Allowed(Permission::Admin));
    }
    let grants = grants(tx, who, place, instance)?;
    Ok(decide(who, &grants, place, wanted))
}

fn denied(what: &str, wanted: Permission, has: Permission) -> OpError {
    OpError::PermissionDenied {
        what: format!("this takes {} on {what}, and you may {}", wanted.name(), has.name()),
        remedy: "Whoever may admin it can give it to you with share_create".into(),
    }
}

/// How much somebody may do with an instance, if it is as much as they want. Errors: `not_found`, as for one that is
/// not there, when they may not know of it; `permission_denied` when they may do less.
pub fn on_instance(
    tx: &mut Tx<'_>,
    who: &Standing,
    held: &Held<Instance>,
    wanted: Permission,
    named: &str,
) -> Result<Permission, OpError> {
    let place = Place { project: held.content.project.clone(), instance: Some(held.record.id.clone()) };
    match decided(tx, who, &place, Some(&held.content), wanted)? {
        Decision::Allowed(permission) => Ok(permission),
        Decision::Denied(has) => Err(denied(&format!("instance \"{named}\""), wanted, has)),
        Decision::Hidden => Err(instances::not_found(named)),
    }
}

/// The same for a project.
pub fn on_project(
    tx: &mut Tx<'_>,
    who: &Known,
    project: &str,
    wanted: Permission,
    named: &str,
) -> Result<Permission, OpError> {
    let place = Place { project: project.to_owned(), instance: None };
    match decided(tx, &who.standing, &place, None, wanted)? {
        Decision::Allowed(permission) => Ok(permission),
        Decision::Denied(has) => Err(denied(&format!("project \"{named}\""), wanted, has)),
        // They know of it: it is where their names are looked up.
        Decision::Hidden if project == who.project => Err(OpError::PermissionDenied {
            what: format!("this takes {} on the project that the instance is in", wanted.name()),
            remedy: "A key for single instances, and who was given single instances, reach no further".into(),
        }),
        Decision::Hidden => Err(super::projects::not_found(named)),
    }
}

/// The instance that somebody means by a name. A key for one instance means that one by `default`, which is what
/// clients ask for that ask for none.
pub fn named(tx: &mut Tx<'_>, who: &Known, name: &str) -> Result<Option<Held<Instance>>, OpError> {
    if let ("default", [Scope::On(Resource::Instance(only))]) = (name, who.standing.scopes.as_slice()) {
        return tx.get::<Instance>(only);
    }
    instances::find(tx, &who.project, name)
}
