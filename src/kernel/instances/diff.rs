//! Two instances compared.

use std::sync::Arc;

use crate::{
    model::{error::OpError, key::Key, view::IdRange},
    ops::{
        instances::diff::{Diff, Walk, compare},
        operation::{Reply, Wait},
        tx::Held,
    },
};

use super::{
    super::{Caller, Kernel, handle::Handle},
    making::blocking,
};

/// Keys of each that are in memory at once.
const PAGE: usize = 500;

impl Kernel {
    /// Reads both in pages: however large they are, no state is held on to.
    pub(super) async fn diff_instances(&self, caller: &Caller, diff: Diff) -> Result<Reply, OpError> {
        let handle = |which| self.handle(&self.named(caller, which)?.0);
        let (from, to) = (handle(&diff.from)?, handle(&diff.to)?);
        let caller = caller.clone();
        blocking(move || {
            let walk = |handle: Arc<Handle>| {
                let caller = &caller;
                Walk::new(move |after: Option<&str>| page(&handle, caller, after))
            };
            Reply::of(&compare(walk(from), walk(to))?)
        })
        .await
    }
}

fn page(handle: &Handle, caller: &Caller, after: Option<&str>) -> Result<Vec<Held<Key>>, OpError> {
    handle.read(caller, Wait::default(), |tx, _| tx.scan(&IdRange::page("", after), PAGE))
}
