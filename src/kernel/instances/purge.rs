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
        permission,
    },
    ops::{
        instances::state::copies,
        keys::purge::{self, Purge, PurgeHere, Purged},
        operation::{Reply, Wait},
        procedure::Arguments as _,
    },
};

use super::super::{Caller, Kernel, order::Order};

impl Kernel {
    pub(super) async fn purge_key(
        &self,
        caller: &Caller,
        instance: &InstanceRef,
        purge: Purge,
    ) -> Result<Reply, OpError> {
        let (handle, admitted) = self.admit(caller, instance)?;
        if handle.id.is_catalog() || !permission::mode_allows(admitted.mode, Purge::META.action) {
            return Err(permission::refuse_operation(admitted.mode, Purge::META.action, Purge::NAME));
        }
        let call = PurgeHere { key: purge.key.clone(), with_current: false };
        let order = Order::new(Purge::NAME, Arc::new(call), caller.clone());
        let here = handle.write(order).await?.result;
        self.scrub_erased(&handle).await;
        let mut held_by = Vec::new();
        for (copy, record) in self.copies_of(&handle.id)? {
            // What a copy of somebody else's holds is theirs to purge, and to know.
            if caller.is_confined || !self.administers(caller, &copy) {
                continue;
            }
            let handle = self.handle(&copy)?;
            if purge.everywhere.unwrap_or_default() {
                let call = PurgeHere { key: purge.key.clone(), with_current: record.snapshot };
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
        let catalog = self.handle(&InstanceId::catalog())?;
        let mut found: Vec<(InstanceId, Instance)> = Vec::new();
        let mut parents = vec![id.clone()];
        while let Some(parent) = parents.pop() {
            let copies = catalog.read(&Caller::system(), Wait::default(), |tx, _| copies(tx, &parent))?;
            for copy in copies {
                let Some(id) = InstanceId::parse(&copy.record.id) else { continue };
                parents.push(id.clone());
                found.push((id, copy.content));
            }
        }
        Ok(found)
    }
}
