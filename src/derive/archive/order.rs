//! In which order instances stand in an archive: what was copied comes after what it was copied from.

use std::collections::{BTreeMap, HashMap};

use super::Origin;
use crate::model::{
    instance::{Instance, InstanceId},
    limits,
};

/// Instances in the order of the archive: of each its id, what it is called there by its id, and what it is.
pub fn listed(found: &[(InstanceId, Instance)], names: &BTreeMap<String, String>) -> Vec<(String, String, Origin)> {
    let listed = found.iter().map(|(id, instance)| {
        let origin = Origin {
            parent: instance.parent.as_ref().map(InstanceId::to_string),
            note: instance.note.clone(),
            read_only: instance.read_only,
            snapshot: instance.snapshot,
        };
        (id.to_string(), names.get(id.as_str()).cloned().unwrap_or_default(), origin)
    });
    in_order(listed.collect())
}

/// Parents first, their ids replaced by their names; one that is not among them is no parent any more. Of each its id, its
/// name and what it is.
fn in_order(found: Vec<(String, String, Origin)>) -> Vec<(String, String, Origin)> {
    let names: HashMap<String, String> = found.iter().map(|(id, name, _)| (id.clone(), name.clone())).collect();
    let parents: HashMap<String, String> = found
        .iter()
        .filter_map(|(id, _, origin)| Some((id.clone(), origin.parent.clone().filter(|id| names.contains_key(id))?)))
        .collect();
    let depth =
        |id: &String| std::iter::successors(parents.get(id), |id| parents.get(*id)).take(limits::INSTANCES).count();
    let mut ordered: Vec<_> = found.into_iter().map(|(id, name, origin)| (depth(&id), id, name, origin)).collect();
    ordered.sort_by_key(|(depth, ..)| *depth);
    let of_parent = |origin: Origin| Origin { parent: origin.parent.and_then(|id| names.get(&id).cloned()), ..origin };
    ordered.into_iter().map(|(_, id, name, origin)| (id, name, of_parent(origin))).collect()
}
