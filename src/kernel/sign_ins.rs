//! Sign-ins in the catalog: kept in a turn of it, read from it at each request, so that a revoked one ends at once in
//! every process.

use std::sync::Arc;

use crate::{
    model::{error::OpError, instance::InstanceId, kind::Kind as _, sign_in::SignIn},
    ops::sign_in::{KEEP, Keep},
};

use super::{Caller, Kernel, order::Order};

impl Kernel {
    /// Keeps a new sign-in, durable when this returns.
    pub async fn keep_sign_in(&self, caller: &Caller, id: &str, sign_in: SignIn) -> Result<(), OpError> {
        let keep = Keep { id: id.to_owned(), sign_in };
        let catalog = self.handle(&InstanceId::catalog())?;
        catalog.write(Order::new(KEEP, Arc::new(keep), caller.clone())).await.map(drop)
    }

    /// The sign-in of an id, while it lasts.
    pub fn sign_in(&self, id: &str) -> Result<Option<SignIn>, OpError> {
        let catalog = self.handle(&InstanceId::catalog())?;
        let record = catalog.peek(|view, _| view.record(SignIn::KIND, id))??;
        let now_ms = self.now_ms();
        let alive = record.filter(|record| record.expires_at.is_none_or(|at| now_ms < at));
        Ok(alive.and_then(|record| serde_json::from_str(&record.body).ok()))
    }

    /// Another number after each change of the catalog, where that can be told: whether it is worth asking again.
    pub fn catalog_hint(&self) -> Option<u64> {
        self.store.hint(&InstanceId::catalog())
    }
}
