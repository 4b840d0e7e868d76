//! Purging a key in its instance, and in what was copied from it.
//!
//! Each instance is a turn of its own. A crash in between leaves some purged and others not: what the next purge says
//! of who still holds values is found by looking, not remembered.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    model::{
        error::OpError,
        instance::{Instance, InstanceId, InstanceRef},
        kind::Kind as _,
        permission,
        view::IdRange,
    },
    ops::{
        keys::purge::{self, Purge, PurgeHere, Purged},
        operation::Reply,
        procedure::Arguments as _,
    },
};

use super::super::{Caller, Kernel, order::Order};

/// Records of the catalog that one look takes.
const PAGE: usize = 500;

impl Kernel {
    pub(super) async fn purge_key(
        &self,
        caller: &Caller,
        instance: &InstanceRef,
        purge: Purge,
    ) -> Result<Reply, OpError> {
        let id = self.resolve(instance)?;
        if id.is_catalog() {
            return Err(permission::refuse_operation(caller.mode, Purge::META.action, Purge::NAME));
        }
        let call = PurgeHere { key: purge.key.clone(), with_current: false };
        let order = Order::new(Purge::NAME, Arc::new(call), caller.clone());
        let handle = self.handle(&id)?;
        let here = handle.write(order).await?.result;
        self.scrub_erased(&handle).await;
        let mut held_by = Vec::new();
        for (copy, record) in self.copies_of(&id)? {
            let handle = self.handle(&copy)?;
            if purge.everywhere {
                let call = PurgeHere { key: purge.key.clone(), with_current: record.read_only };
                let order = Order::new(Purge::NAME, Arc::new(call), caller.clone());
                match handle.write(Order { is_about_access: true, ..order }).await {
                    Ok(_) | Err(OpError::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
                self.scrub_erased(&handle).await;
            }
            if handle.view(|view, _| purge::holds(view, purge.key.as_str()))?? {
                held_by.push(record.name);
            }
        }
        held_by.sort_unstable();
        let purged = here.get("purged").and_then(Value::as_u64).unwrap_or_default();
        let pending = here.get("pending").and_then(Value::as_bool).unwrap_or_default();
        Reply::of(&Purged { purged, pending, held_by })
    }

    /// The clones and snapshots of an instance, and theirs; deleted ones too while they are kept.
    fn copies_of(&self, id: &InstanceId) -> Result<Vec<(InstanceId, Instance)>, OpError> {
        let all = self.all_instances()?;
        let mut found: Vec<(InstanceId, Instance)> = Vec::new();
        let mut parents = vec![id.clone()];
        while let Some(parent) = parents.pop() {
            for (copy, record) in all.iter().filter(|(_, record)| record.parent.as_ref() == Some(&parent)) {
                parents.push(copy.clone());
                found.push((copy.clone(), record.clone()));
            }
        }
        Ok(found)
    }

    /// Everything that the catalog lists, deleted ones too.
    fn all_instances(&self) -> Result<Vec<(InstanceId, Instance)>, OpError> {
        let catalog = self.handle(&InstanceId::catalog())?;
        let mut all = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let range = IdRange::page("", after.as_deref());
            let page = catalog.view(|view, _| view.records(Instance::KIND, &range, PAGE))??;
            let is_last = page.len() < PAGE;
            for record in page {
                after = Some(record.id.clone());
                let instance = serde_json::from_str::<Instance>(&record.body).ok();
                if let (Ok(InstanceRef::Id(id)), Some(instance)) = (InstanceRef::parse(&record.id), instance) {
                    all.push((id, instance));
                }
            }
            if is_last {
                return Ok(all);
            }
        }
    }
}
