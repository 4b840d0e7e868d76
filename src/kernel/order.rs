//! An order: a change that somebody wants, on its way to the queue of an instance.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{
    model::{error::OpError, instance::InstanceId, view::Access},
    ops::{instances, operation::Call},
};

use super::Caller;

/// What a turn that makes something is given: the same when it is run again.
#[derive(Clone, Default)]
pub(super) struct Fresh {
    /// The id of an instance whose folder is ready.
    pub(super) id: Option<InstanceId>,
    /// Chance, for other ids and for secrets.
    pub(super) chance: Option<[u8; 96]>,
}

/// Chance for one turn: 3 × 244 bits of the system's generator, spread evenly.
fn chance() -> [u8; 96] {
    let mut bytes = [0; 96];
    for chunk in bytes.chunks_exact_mut(32) {
        let drawn = [Uuid::new_v4(), Uuid::new_v4()].map(Uuid::into_bytes).concat();
        chunk.copy_from_slice(&Sha256::digest(drawn));
    }
    bytes
}

impl Fresh {
    /// Chance alone.
    pub(super) fn draw() -> Self {
        Self { id: None, chance: Some(chance()) }
    }
}

/// A change that somebody wants.
#[derive(Clone)]
pub(super) struct Order {
    pub(super) call: Arc<dyn Call>,
    pub(super) caller: Caller,
    pub(super) operation: &'static str,
    pub(super) fresh: Fresh,
    /// Size of the arguments: what it takes to keep the order waiting.
    pub(super) bytes: usize,
    /// It is done although the instance is read-only or deleted: it is what changes that.
    pub(super) is_about_access: bool,
}

impl Order {
    /// What the caller asks an operation to do.
    pub(super) fn new(operation: &'static str, call: Arc<dyn Call>, caller: Caller) -> Self {
        Self { call, caller, operation, fresh: Fresh::default(), bytes: 0, is_about_access: false }
    }

    /// Refuses what an instance that is not open does not take.
    pub(super) fn check_access(&self, access: Access, id: &InstanceId) -> Result<(), OpError> {
        if self.is_about_access { Ok(()) } else { check_access(self.operation, access, id) }
    }
}

/// Refuses an operation in an instance that is not open.
pub(super) fn check_access(operation: &str, access: Access, id: &InstanceId) -> Result<(), OpError> {
    match access {
        Access::Open => Ok(()),
        Access::ReadOnly => Err(OpError::PermissionDenied {
            what: format!("{operation} in instance {id}, which is read-only"),
            remedy: "Work in a clone of it (instance_clone), or make it writable with instance_set_read_only".into(),
        }),
        Access::Deleted => Err(instances::deleted(id.as_str())),
    }
}
