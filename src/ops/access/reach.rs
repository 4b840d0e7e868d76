//! Everything that was given to somebody, read once: for lists, which ask about many instances.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use crate::model::{
    access::{Project, Share},
    error::OpError,
    instance::Instance,
    kind::{self, Kind},
    limits,
    permission::{
        self, Grant, Permission, Place, Standing,
        party::{LOCAL, Resource, Scope},
    },
    view::IdRange,
};

use super::{
    projects,
    standing::{owner_of, owner_of_instance},
};
use crate::ops::tx::{Held, Tx};

/// The next records after an id: of those with these ids, or of all. The second is whether there are no more.
pub fn batch<K: Kind>(
    tx: &mut Tx<'_>,
    ids: Option<&BTreeSet<String>>,
    after: Option<&str>,
    limit: usize,
) -> Result<(Vec<Held<K>>, bool), OpError> {
    let Some(ids) = ids else {
        let found = tx.scan::<K>(&IdRange::page("", after), limit)?;
        let is_last = found.len() < limit;
        return Ok((found, is_last));
    };
    let lower = after.map_or(Bound::Unbounded, Bound::Excluded);
    let next: Vec<&String> = ids.range::<str, _>((lower, Bound::Unbounded)).take(limit).collect();
    let mut found = Vec::new();
    for id in &next {
        found.extend(tx.get::<K>(id)?);
    }
    Ok((found, next.len() < limit))
}

/// What somebody can reach.
pub struct Reach {
    who: Standing,
    given: BTreeMap<Resource, Vec<Grant>>,
    owners: BTreeMap<String, String>,
}

impl Reach {
    /// Reads what was given to them.
    pub fn of(tx: &Tx<'_>, who: &Standing) -> Result<Self, OpError> {
        let mut given: BTreeMap<Resource, Vec<Grant>> = BTreeMap::new();
        for party in who.all_parties() {
            let key = party.to_string();
            for held in
                tx.scan_index::<Share>(kind::SHARE_WITH, key.as_bytes(), &IdRange::all(), limits::ACCESS_RECORDS)?
            {
                let Share { on, with, permission } = held.content;
                given.entry(on).or_default().push(Grant { to: with, permission });
            }
        }
        Ok(Self { who: who.clone(), given, owners: BTreeMap::new() })
    }

    /// The ids of the projects that they may know of, and perhaps of others; nothing where that could be any.
    pub fn projects(&self, tx: &Tx<'_>) -> Result<Option<BTreeSet<String>>, OpError> {
        let mut ids = BTreeSet::new();
        for scope in &self.who.scopes {
            match scope {
                Scope::Account if self.who.user == LOCAL => return Ok(None),
                Scope::Account => {
                    ids.extend(projects::owned(tx, &self.who.user)?);
                    let given = self.given.keys().filter(|on| matches!(on, Resource::Project(_)));
                    ids.extend(given.map(|on| on.id().to_owned()));
                }
                Scope::On(Resource::Project(id)) => drop(ids.insert(id.clone())),
                Scope::On(Resource::Instance(_)) => {}
            }
        }
        Ok(Some(ids))
    }

    /// The same for instances, but for those that are deleted. However many others there are, they cost nothing.
    pub fn instances(&self, tx: &Tx<'_>) -> Result<Option<BTreeSet<String>>, OpError> {
        let Some(projects) = self.projects(tx)? else { return Ok(None) };
        let mut ids = BTreeSet::new();
        for project in projects {
            ids.extend(projects::inside(tx, &project, limits::INSTANCES)?);
        }
        let has_account = self.who.scopes.contains(&Scope::Account);
        let given = self.given.keys().filter(|on| has_account && matches!(on, Resource::Instance(_)));
        ids.extend(given.map(|on| on.id().to_owned()));
        let scopes = self.who.scopes.iter();
        ids.extend(scopes.filter_map(|scope| match scope {
            Scope::On(Resource::Instance(id)) => Some(id.clone()),
            _ => None,
        }));
        Ok(Some(ids))
    }

    /// How much they may do with an instance; nothing when they may not know of it.
    pub fn on_instance(&mut self, tx: &mut Tx<'_>, held: &Held<Instance>) -> Result<Option<Permission>, OpError> {
        let place = Place { project: held.content.project.clone(), instance: Some(held.record.id.clone()) };
        let owner = self.owner_of(tx, held)?;
        Ok(self.at(&owner, &place, held.content.own_of.as_deref()))
    }

    /// The same for a project.
    pub fn on_project(&mut self, tx: &mut Tx<'_>, id: &str) -> Result<Option<Permission>, OpError> {
        let owner = self.owner(tx, id)?;
        Ok(self.at(&owner, &Place { project: id.to_owned(), instance: None }, None))
    }

    fn at(&self, owner: &str, place: &Place, own_of: Option<&str>) -> Option<Permission> {
        let of = |resource: Resource| self.given.get(&resource).cloned().unwrap_or_default();
        let of_project = of(Resource::Project(place.project.clone()));
        let of_instance = place.instance.clone().map(Resource::Instance).map(of).unwrap_or_default();
        let grants = permission::together(owner, own_of, of_project, of_instance);
        permission::permission(&self.who, &grants, place)
    }

    fn owner(&mut self, tx: &mut Tx<'_>, project: &str) -> Result<String, OpError> {
        if let Some(owner) = self.owners.get(project) {
            return Ok(owner.clone());
        }
        let owner = owner_of(tx, project)?;
        self.owners.insert(project.to_owned(), owner.clone());
        Ok(owner)
    }

    fn owner_of(&mut self, tx: &mut Tx<'_>, held: &Held<Instance>) -> Result<String, OpError> {
        match &held.content.left_by {
            Some(_) => owner_of_instance(tx, &held.content),
            None => self.owner(tx, &held.content.project),
        }
    }

    /// Whether they are the owner of the project of an instance.
    pub fn owns_instance(&mut self, tx: &mut Tx<'_>, held: &Held<Instance>) -> Result<bool, OpError> {
        let owner = self.owner_of(tx, held)?;
        Ok(self.who.user == owner || self.who.user == LOCAL)
    }

    /// Whether they are the owner of a project.
    pub fn owns(&self, project: &Project) -> bool {
        self.who.user == project.owner || self.who.user == LOCAL
    }
}
