//! Import: keys from elsewhere become keys of an instance.

use std::sync::Arc;

use crate::{
    model::{
        error::OpError,
        instance::InstanceRef,
        key::{self, Key},
        permission::{self, Action},
        portable::Portable,
        value::Stored,
    },
    ops::{
        instances::restore::{Become, Keys},
        keys::map::Replace,
        operation::Reply,
        port::{IMPORT, Merge},
    },
};

use super::{Caller, Kernel, handle::Handle, order::Order};

impl Kernel {
    /// Makes these keys so, beside those that are there: one change.
    pub async fn merge(&self, caller: &Caller, instance: &InstanceRef, keys: Vec<Portable>) -> Result<Reply, OpError> {
        let handle = self.importing(caller, instance)?;
        let bytes = keys.iter().map(Portable::weight).sum();
        self.write(&handle, Order { bytes, ..Order::new(IMPORT, Arc::new(Merge(keys)), caller.clone()) }).await
    }

    /// The key as it is stored, a large value of it in its file already.
    pub fn place(&self, caller: &Caller, instance: &InstanceRef, key: &Portable) -> Result<Key, OpError> {
        let value = if key.content.is_large() {
            let handle = self.importing(caller, instance)?;
            Stored::Blob(handle.store.save_blob(&handle.id, &key.content)?)
        } else {
            Stored::Inline(key::encode(&key.content))
        };
        Ok(key.key(value))
    }

    /// Makes the keys of an instance exactly these: one change. Errors: `unavailable`, damaged, when upkeep has taken
    /// away a large value that was placed and that nothing named yet; place it again.
    pub async fn replace(&self, caller: &Caller, instance: &InstanceRef, keys: Keys) -> Result<Reply, OpError> {
        let handle = self.importing(caller, instance)?;
        let bytes = keys.bytes();
        self.write(&handle, Order { bytes, ..Order::new(IMPORT, Arc::new(Become(keys)), caller.clone()) }).await
    }

    /// Makes the keys of an instance that the caller may read exactly these: one change.
    pub async fn write_map(&self, caller: &Caller, instance: &InstanceRef, map: Replace) -> Result<Reply, OpError> {
        let (handle, caller) = self.admit(caller, instance)?;
        if handle.id.is_catalog() {
            return Err(permission::refuse_operation(caller.mode, Action::Instances, Replace::NAME));
        }
        let bytes = map.weight();
        self.write(&handle, Order { bytes, ..Order::new(Replace::NAME, Arc::new(map), caller.into_owned()) }).await
    }

    fn importing(&self, caller: &Caller, instance: &InstanceRef) -> Result<Arc<Handle>, OpError> {
        if !permission::mode_allows(caller.mode, Action::Arrange) {
            return Err(permission::refuse_operation(caller.mode, Action::Arrange, IMPORT));
        }
        let (handle, caller) = self.admit(caller, instance)?;
        if handle.id.is_catalog() || !permission::mode_allows(caller.mode, Action::Arrange) {
            return Err(permission::refuse_operation(caller.mode, Action::Instances, IMPORT));
        }
        Ok(handle)
    }
}
