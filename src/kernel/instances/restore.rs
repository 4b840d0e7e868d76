//! The keys of an instance become those of another.

use std::sync::Arc;

use crate::{
    model::error::{OpError, Reason},
    ops::{
        instances::{
            InstanceView,
            restore::{Become, Keys, Restore},
        },
        operation::{Reply, Wait},
        procedure::Arguments as _,
    },
};

use super::{
    super::{Caller, Kernel, order::Order},
    making::blocking,
};

/// How often large values are put there.
const TRIES: usize = 3;

impl Kernel {
    /// Reads the other's keys at one moment, puts their large values beside the instance, then changes it in one turn.
    /// The source is only read. A crash before the turn leaves large values that no record names, which are swept away.
    pub(super) async fn restore_instance(&self, caller: &Caller, restore: Restore) -> Result<Reply, OpError> {
        let (id, instance) = self.named(caller, &restore.instance)?;
        let (source, other) = self.named(caller, &restore.snapshot)?;
        if id == source {
            let rule = "it must be another instance, such as a snapshot of this one";
            return Err(OpError::invalid("snapshot", rule, restore.snapshot.as_str()));
        }
        let (to, from) = (self.handle(&id)?, self.handle(&source)?);
        let (reader, source) = (caller.clone(), Arc::clone(&from));
        let keys = blocking(move || source.read(&reader, Wait::default(), |tx, _| Keys::read(tx))).await?;
        let (bytes, large) = (keys.bytes(), Arc::new(keys.blobs()));
        let order = Order { bytes, ..Order::new(Restore::NAME, Arc::new(Become(keys)), caller.clone()) };
        let mut tries = 0;
        let done = loop {
            let (from, target, large) = (Arc::clone(&from), id.clone(), Arc::clone(&large));
            blocking(move || from.store.share_blobs(&from.id, &target, &large)).await?;
            tries += 1;
            match self.write(&to, order.clone()).await {
                // Upkeep took them away again before the turn.
                Err(OpError::Unavailable { reason: Reason::Damaged, .. }) if tries < TRIES => {}
                done => break done?,
            }
        };
        let outcome = format!("Instance \"{}\" has the keys of \"{}\". {}", instance.name, other.name, done.outcome);
        InstanceView::new(id.as_str(), &instance).told(outcome)
    }
}
