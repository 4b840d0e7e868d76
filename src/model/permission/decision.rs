//! What somebody may do with a project or an instance. Whoever asks gathers the facts; the decision is here alone.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Mode, PrincipalKind,
    party::{LOCAL, Party, Resource, Scope},
};

/// How much somebody may do. The higher includes the lower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// Read what models may read.
    Read,
    /// Write: a model works with the keys that models may write, an app and a person with all.
    Write,
    /// Everything, with the instance itself and its shares.
    Admin,
}

impl Permission {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    /// The most that a connection of somebody of this kind may do with it.
    pub fn mode(self, kind: PrincipalKind) -> Mode {
        match self {
            Self::Read => Mode::Read,
            Self::Write if kind == PrincipalKind::Agent => Mode::Use,
            Self::Write => Mode::Write,
            Self::Admin => Mode::Edit,
        }
    }
}

/// Something that was given to somebody on a project or an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// To whom.
    pub to: Party,
    /// What.
    pub permission: Permission,
}

/// A project, or an instance in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The id of the project.
    pub project: String,
    /// The id of the instance; nothing when the project itself is meant.
    pub instance: Option<String>,
}

/// Who asks, as the catalog knows them at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The user on whose behalf: what it makes belongs to them.
    pub user: String,
    /// What is given to any of these is given to it.
    pub parties: Vec<Party>,
    /// A delegate: what is given to it counts only as far as its owner, who is these parties, may do it.
    pub lent: Option<(Party, Vec<Party>)>,
    /// The most that it may do anywhere.
    pub most: Permission,
    /// Where it may do anything at all.
    pub scopes: Vec<Scope>,
    /// Whether it may act on the account: make projects, keys, delegates and groups.
    pub has_account: bool,
}

impl Standing {
    /// The user of this machine.
    pub fn local() -> Self {
        Self {
            user: LOCAL.into(),
            parties: vec![Party::User(LOCAL.into())],
            lent: None,
            most: Permission::Admin,
            scopes: vec![Scope::Account],
            has_account: true,
        }
    }

    /// Whether it may do everything everywhere: no fact of the catalog can change that.
    pub fn is_boundless(&self) -> bool {
        let is_local = self.parties.iter().any(|party| *party == Party::User(LOCAL.into()));
        is_local && self.most == Permission::Admin && self.scopes.contains(&Scope::Account)
    }

    /// Every party whose grants matter to it.
    pub fn all_parties(&self) -> impl Iterator<Item = &Party> {
        self.parties.iter().chain(self.lent.iter().flat_map(|(to, owner)| std::iter::once(to).chain(owner)))
    }
}

/// All that was given at a place to somebody: to the owner of its project everything, then what its project was shared
/// for, and the instance itself. An instance that is somebody's own in the project is theirs for as long as the project
/// is shared with them; of the others only who may administer the whole project may know of it by that.
pub fn together(owner: &str, own_of: Option<&str>, of_project: Vec<Grant>, of_instance: Vec<Grant>) -> Vec<Grant> {
    let everything = |user: &str| Grant { to: Party::User(user.to_owned()), permission: Permission::Admin };
    let mut grants = vec![everything(owner)];
    grants.extend(own_of.filter(|_| !of_project.is_empty()).map(everything));
    grants.extend(of_project.into_iter().filter(|grant| own_of.is_none() || grant.permission == Permission::Admin));
    grants.extend(of_instance);
    grants
}

/// Whether a scope reaches a place.
pub fn reaches(scope: &Scope, place: &Place) -> bool {
    match scope {
        Scope::Account => true,
        Scope::On(Resource::Project(project)) => *project == place.project,
        Scope::On(Resource::Instance(instance)) => place.instance.as_ref() == Some(instance),
    }
}

/// How much they may do at a place, where `grants` are all that were given there and on its project, ownership
/// among them; nothing when they may not even know of it.
///
/// The highest grant that applies wins; the scope and the permissions of a key always narrow.
pub fn permission(who: &Standing, grants: &[Grant], place: &Place) -> Option<Permission> {
    if !who.scopes.iter().any(|scope| reaches(scope, place)) {
        return None;
    }
    let given = |parties: &[Party]| {
        let is_local = parties.iter().any(|party| *party == Party::User(LOCAL.into()));
        let highest = grants.iter().filter(|grant| parties.contains(&grant.to)).map(|grant| grant.permission).max();
        if is_local { Some(Permission::Admin) } else { highest }
    };
    let lent = who.lent.as_ref().and_then(|(to, owner)| Some(given(std::slice::from_ref(to))?.min(given(owner)?)));
    Some(given(&who.parties).max(lent)?.min(who.most))
}

/// The answer to somebody who wants something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// They may, and this is the most that they may do there.
    Allowed(Permission),
    /// They may do only this.
    Denied(Permission),
    /// They may not know that it is there.
    Hidden,
}

/// Decides.
pub fn decide(who: &Standing, grants: &[Grant], place: &Place, wanted: Permission) -> Decision {
    match permission(who, grants, place) {
        Some(permission) if permission >= wanted => Decision::Allowed(permission),
        Some(permission) => Decision::Denied(permission),
        None => Decision::Hidden,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LEVELS: [Permission; 3] = [Permission::Read, Permission::Write, Permission::Admin];

    fn party() -> impl Strategy<Value = Party> {
        prop::sample::select(vec![
            Party::User("u".into()),
            Party::User("v".into()),
            Party::User(LOCAL.into()),
            Party::Email("u@x".into()),
            Party::Group("g".into()),
            Party::Key("k".into()),
            Party::Delegate("d".into()),
            Party::Public,
        ])
    }

    fn scope() -> impl Strategy<Value = Scope> {
        let texts = ["account", "project:p", "project:q", "instance:i", "instance:j"];
        prop::sample::select(texts.to_vec()).prop_map(|text| Scope::parse(text).unwrap())
    }

    prop_compose! {
        fn standing()(
            parties in prop::collection::vec(party(), 0..4),
            lent in prop::option::of((party(), prop::collection::vec(party(), 0..3))),
            most in prop::sample::select(LEVELS.to_vec()),
            scopes in prop::collection::vec(scope(), 0..3),
        ) -> Standing {
            Standing { user: "u".into(), parties, lent, most, scopes, has_account: false }
        }
    }

    /// The same said slowly: is there a way to be allowed this much?
    fn oracle(who: &Standing, grants: &[Grant], place: &Place, wanted: Permission) -> bool {
        let mut in_scope = false;
        for scope in &who.scopes {
            let text = scope.to_string();
            in_scope |= text == "account" || text == format!("project:{}", place.project);
            in_scope |= place.instance.as_ref().is_some_and(|instance| text == format!("instance:{instance}"));
        }
        let has = |parties: &[Party]| {
            let mut found = false;
            for party in parties {
                found |= party.to_string() == "user:local";
                for grant in grants {
                    found |= grant.to == *party && grant.permission >= wanted;
                }
            }
            found
        };
        let lent = match &who.lent {
            Some((delegate, owner)) => has(std::slice::from_ref(delegate)) && has(owner),
            None => false,
        };
        in_scope && who.most >= wanted && (has(&who.parties) || lent)
    }

    #[test]
    fn an_own_instance_is_its_users_while_they_are_members_and_of_others_who_administer_all() {
        let at = |who: &str, own_of: &str, project: Option<Permission>| {
            let who = Standing { user: who.into(), parties: vec![Party::User(who.into())], ..Standing::local() };
            let to = Party::User(who.user.clone());
            let of_project = project.map(|permission| Grant { to, permission }).into_iter().collect();
            let place = Place { project: "p".into(), instance: Some("i".into()) };
            permission(&who, &together("owner", Some(own_of), of_project, Vec::new()), &place)
        };
        assert_eq!(at("ann", "ann", Some(Permission::Read)), Some(Permission::Admin));
        assert_eq!(at("ann", "ann", None), None);
        assert_eq!(at("bob", "ann", Some(Permission::Write)), None);
        assert_eq!(at("bob", "ann", Some(Permission::Admin)), Some(Permission::Admin));
        assert_eq!(at("owner", "ann", None), Some(Permission::Admin));
        assert_eq!(at("owner", "owner", None), Some(Permission::Admin));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn the_decision_is_that_of_the_oracle(
            who in standing(),
            grants in prop::collection::vec((party(), prop::sample::select(LEVELS.to_vec())), 0..5),
            instance in prop::sample::select(vec![None, Some("i"), Some("j")]),
            wanted in prop::sample::select(LEVELS.to_vec()),
        ) {
            let grants: Vec<Grant> = grants.into_iter().map(|(to, permission)| Grant { to, permission }).collect();
            let place = Place { project: "p".into(), instance: instance.map(str::to_owned) };
            let decided = decide(&who, &grants, &place, wanted);
            prop_assert_eq!(matches!(decided, Decision::Allowed(_)), oracle(&who, &grants, &place, wanted));
            let is_known = oracle(&who, &grants, &place, Permission::Read);
            prop_assert_eq!(decided == Decision::Hidden, !is_known);
        }

        /// More scopes and more grants never take anything away; a lower ceiling never adds anything.
        #[test]
        fn what_is_given_adds_and_what_narrows_takes_away(
            who in standing(),
            more in scope(),
            lower in prop::sample::select(LEVELS.to_vec()),
            grants in prop::collection::vec((party(), prop::sample::select(LEVELS.to_vec())), 1..5),
        ) {
            let grants: Vec<Grant> = grants.into_iter().map(|(to, permission)| Grant { to, permission }).collect();
            let place = Place { project: "p".into(), instance: Some("i".into()) };
            let now = permission(&who, &grants, &place);
            let mut wider = who.clone();
            wider.scopes.push(more);
            prop_assert!(permission(&wider, &grants, &place) >= now);
            prop_assert!(permission(&who, &grants[1..], &place) <= now);
            let narrower = Standing { most: lower.min(who.most), ..who };
            prop_assert!(permission(&narrower, &grants, &place) <= now);
        }
    }
}
