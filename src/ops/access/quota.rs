//! How much of the whole one user may take: what a server has room for is everybody's.

use crate::model::{
    access::{ApiKey, Delegate, Group, Share, User},
    error::OpError,
    kind::{self, Kind},
    limits,
    permission::{
        Principal,
        party::{LOCAL, Party, Resource},
    },
};

use super::{projects, standing};
use crate::ops::tx::Tx;

/// What there is only so much of: how many, what they are, and what to do when there are no more.
struct Quota {
    most: usize,
    what: &'static str,
    remedy: &'static str,
}

const PROJECTS: Quota = Quota {
    most: limits::PROJECTS_OF_USER,
    what: "projects of one user",
    remedy: "remove one with project_delete first",
};
const INSTANCES: Quota = Quota {
    most: limits::INSTANCES_OF_USER,
    what: "instances in all projects of one user, snapshots and own instances of others included",
    remedy: "delete one with instance_delete first; a deleted one counts until its 7 days are over",
};
const KEYS: Quota =
    Quota { most: limits::KEYS_OF_USER, what: "API keys of one user", remedy: "revoke one with api_key_revoke first" };
const DELEGATES: Quota = Quota {
    most: limits::DELEGATES_OF_USER,
    what: "delegates of one user",
    remedy: "remove one with delegate_delete first",
};
const GROUPS: Quota =
    Quota { most: limits::GROUPS_OF_USER, what: "groups of one user", remedy: "remove one with group_delete first" };
const SHARES_OF_ONE: Quota = Quota {
    most: limits::SHARES_OF_ONE,
    what: "shares of one project or instance",
    remedy: "share it with a group, or take one back with share_remove first",
};
const SHARES_WITH_ONE: Quota = Quota {
    most: limits::SHARES_WITH_ONE,
    what: "shares with one party",
    remedy: "they give some back with share_remove; share_list without arguments shows theirs",
};

impl Quota {
    fn check(&self, path: &str, count: usize) -> Result<(), OpError> {
        if count < self.most {
            return Ok(());
        }
        let rule = format!("there are at most {} {}: {}", self.most, self.what, self.remedy);
        Err(OpError::invalid(path, rule, ""))
    }
}

/// Whether somebody has no limits but those of the whole: the user of the machine, and whose the server is.
fn is_free(tx: &mut Tx<'_>, user: &str) -> Result<bool, OpError> {
    Ok(user == LOCAL || tx.get::<User>(user)?.is_some_and(|held| held.content.is_owner))
}

/// The id of the user of whose part of the whole somebody takes; nothing for who has no limits but those of the whole.
pub fn whose(tx: &mut Tx<'_>, principal: &Principal) -> Result<Option<String>, OpError> {
    let user = match Party::parse(&principal.id) {
        Some(Party::User(id)) => Some(id),
        Some(Party::Key(id)) => tx.get::<ApiKey>(&id)?.map(|held| held.content.user),
        Some(Party::Delegate(id)) => tx.get::<Delegate>(&id)?.map(|held| held.content.owner),
        _ => None,
    };
    match user {
        Some(user) if !is_free(tx, &user)? => Ok(Some(user)),
        _ => Ok(None),
    }
}

/// How many records of a kind are under a key of an index, counted up to a limit.
fn under<K: Kind>(tx: &Tx<'_>, index: &'static str, key: &[u8], limit: usize) -> Result<usize, OpError> {
    let found = tx.view().index_range(index, key, key, limit)?;
    Ok(found.iter().filter(|found| found.kind == K::KIND).count())
}

/// How many things of a kind belong to a user.
fn belonging<K: Kind>(tx: &Tx<'_>, user: &str, most: usize) -> Result<usize, OpError> {
    // Keys, delegates and groups of a user stand under one key of the index.
    under::<K>(tx, kind::BELONGS_TO, user.as_bytes(), most + limits::KEYS_OF_USER * 3)
}

/// Whether a user may have one more project.
pub(super) fn project(tx: &mut Tx<'_>, owner: &str) -> Result<(), OpError> {
    if is_free(tx, owner)? {
        return Ok(());
    }
    PROJECTS.check("name", projects::owned(tx, owner)?.len())
}

/// Whether there may be one more instance in a project: it counts as one of its owner's.
pub fn instance(tx: &mut Tx<'_>, project: &str) -> Result<(), OpError> {
    let owner = standing::owner_of(tx, project)?;
    if is_free(tx, &owner)? {
        return Ok(());
    }
    let mut count = 0;
    for project in projects::owned(tx, &owner)? {
        let (low, high) = projects::names_in(&project);
        for index in [kind::INSTANCE_NAME, kind::DELETED_NAME] {
            count += tx.view().index_range(index, &low, &high, limits::INSTANCES_OF_USER)?.len();
        }
        INSTANCES.check("name", count)?;
    }
    Ok(())
}

/// Whether a user may have one more API key.
pub(super) fn key(tx: &mut Tx<'_>, user: &str) -> Result<(), OpError> {
    if is_free(tx, user)? { Ok(()) } else { KEYS.check("name", belonging::<ApiKey>(tx, user, KEYS.most)?) }
}

/// Whether a user may have one more delegate.
pub(super) fn delegate(tx: &mut Tx<'_>, user: &str) -> Result<(), OpError> {
    if is_free(tx, user)? {
        return Ok(());
    }
    DELEGATES.check("name", belonging::<Delegate>(tx, user, DELEGATES.most)?)
}

/// Whether a user may have one more group.
pub(super) fn group(tx: &mut Tx<'_>, user: &str) -> Result<(), OpError> {
    if is_free(tx, user)? { Ok(()) } else { GROUPS.check("name", belonging::<Group>(tx, user, GROUPS.most)?) }
}

/// Whether something may be given to one more, and one more thing to somebody.
pub(super) fn share(tx: &Tx<'_>, on: &Resource, with: &Party) -> Result<(), OpError> {
    let (on, is_public, with) = (on.to_string(), *with == Party::Public, with.to_string());
    SHARES_OF_ONE.check("with", under::<Share>(tx, kind::SHARE_ON, on.as_bytes(), SHARES_OF_ONE.most)?)?;
    if is_public {
        // Nobody could make room for the others.
        return Ok(());
    }
    SHARES_WITH_ONE.check("with", under::<Share>(tx, kind::SHARE_WITH, with.as_bytes(), SHARES_WITH_ONE.most)?)
}

/// Whether somebody who is in these groups may be put into one more of this owner: nobody fills up another's memberships
/// alone.
pub(super) fn membership(tx: &mut Tx<'_>, owner: &str, groups: &[String]) -> Result<(), OpError> {
    let mut of_owner = 0;
    for id in groups {
        of_owner += usize::from(tx.get::<Group>(id)?.is_some_and(|held| held.content.owner == owner));
        if of_owner >= limits::MEMBERSHIPS_BY_OWNER {
            let rule =
                format!("one owner's groups have the same member {of_owner} times at most: share with fewer groups");
            return Err(OpError::invalid("member", rule, ""));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_so_much_of_each_and_is_told_what_to_do() {
        for (quota, most, remedy) in [
            (PROJECTS, limits::PROJECTS_OF_USER, "project_delete"),
            (INSTANCES, limits::INSTANCES_OF_USER, "instance_delete"),
            (KEYS, limits::KEYS_OF_USER, "api_key_revoke"),
            (DELEGATES, limits::DELEGATES_OF_USER, "delegate_delete"),
            (GROUPS, limits::GROUPS_OF_USER, "group_delete"),
            (SHARES_OF_ONE, limits::SHARES_OF_ONE, "share_remove"),
            (SHARES_WITH_ONE, limits::SHARES_WITH_ONE, "share_remove"),
        ] {
            assert!(quota.check("name", most - 1).is_ok());
            let error = quota.check("name", most).unwrap_err();
            assert_eq!(error.code(), "invalid_argument");
            let text = error.to_string();
            assert!(text.contains(&most.to_string()) && text.contains(remedy), "{text}");
        }
    }
}
