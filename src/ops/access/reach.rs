//! Everything that was given to somebody, read once: for lists, which ask about many instances.

use std::collections::BTreeMap;

use crate::model::{
    access::{Project, Share},
    error::OpError,
    instance::Instance,
    kind, limits,
    permission::{
        self, Grant, Permission, Place, Standing,
        party::{LOCAL, Resource},
    },
    view::IdRange,
};

use super::standing::owner_of;
use crate::ops::tx::{Held, Tx};

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

    /// How much they may do with an instance; nothing when they may not know of it.
    pub fn on_instance(&mut self, tx: &mut Tx<'_>, held: &Held<Instance>) -> Result<Option<Permission>, OpError> {
        let place = Place { project: held.content.project.clone(), instance: Some(held.record.id.clone()) };
        self.at(tx, &place, held.content.own_of.as_deref())
    }

    /// The same for a project.
    pub fn on_project(&mut self, tx: &mut Tx<'_>, id: &str) -> Result<Option<Permission>, OpError> {
        self.at(tx, &Place { project: id.to_owned(), instance: None }, None)
    }

    fn at(&mut self, tx: &mut Tx<'_>, place: &Place, own_of: Option<&str>) -> Result<Option<Permission>, OpError> {
        let owner = self.owner(tx, &place.project)?;
        let of = |resource: Resource| self.given.get(&resource).cloned().unwrap_or_default();
        let of_project = of(Resource::Project(place.project.clone()));
        let of_instance = place.instance.clone().map(Resource::Instance).map(of).unwrap_or_default();
        let grants = permission::together(&owner, own_of, of_project, of_instance);
        Ok(permission::permission(&self.who, &grants, place))
    }

    fn owner(&mut self, tx: &mut Tx<'_>, project: &str) -> Result<String, OpError> {
        if let Some(owner) = self.owners.get(project) {
            return Ok(owner.clone());
        }
        let owner = owner_of(tx, project)?;
        self.owners.insert(project.to_owned(), owner.clone());
        Ok(owner)
    }

    /// Whether they are the owner of the project of an id.
    pub fn owns_id(&mut self, tx: &mut Tx<'_>, project: &str) -> Result<bool, OpError> {
        let owner = self.owner(tx, project)?;
        Ok(self.who.user == owner || self.who.user == LOCAL)
    }

    /// Whether they are the owner of a project.
    pub fn owns(&self, project: &Project) -> bool {
        self.who.user == project.owner || self.who.user == LOCAL
    }
}
