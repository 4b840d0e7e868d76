//! The kernel over a real store, with a clock that the test owns.

mod faults;
mod instances;
mod laws;
mod limits;
mod model;
mod recent;
mod resending;
mod retention;
mod rights;
mod search;
mod traces;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use serde_json::Value;

use super::{Caller, Kernel, clock::Clock};
use crate::{
    model::{
        actor::Actor,
        error::OpError,
        instance::InstanceRef,
        permission::{Mode, Principal, PrincipalKind},
    },
    ops::operation::Reply,
    store::sqlite::{DurabilitySetting, SqliteStore},
};

/// Where the tests' time begins.
const EPOCH_MS: i64 = 1_700_000_000_000;

struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn wall_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A kernel in a folder of its own.
struct World {
    folder: tempfile::TempDir,
    clock: Arc<TestClock>,
    kernel: Arc<Kernel>,
    instance: InstanceRef,
}

fn caller(client: &str, mode: Mode) -> Caller {
    let principal = Principal::local(PrincipalKind::Agent);
    let actor = Actor {
        principal: principal.id.clone(),
        kind: principal.kind,
        client: client.into(),
        run: "1".into(),
        from: None,
    };
    Caller::by(principal, mode, actor)
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(EPOCH_MS)));
        // What these tests show does not depend on the flush.
        let store = SqliteStore::new(folder.path().into(), DurabilitySetting::Normal, 0).unwrap();
        let kernel = Kernel::new(Arc::new(store), Arc::clone(&clock) as Arc<dyn Clock>);
        let name = InstanceRef::Name("default".into());
        let (found, created) = kernel.locate_or_create(&caller("test", Mode::Edit), &name).await.unwrap();
        assert!(created);
        Self { folder, clock, kernel, instance: InstanceRef::Id(found.id) }
    }

    fn now_ms(&self) -> i64 {
        self.clock.0.load(Ordering::SeqCst) - EPOCH_MS
    }

    fn at(&self, ms: i64) {
        self.clock.0.store(EPOCH_MS + ms, Ordering::SeqCst);
    }

    async fn reply(&self, mode: Mode, operation: &str, args: Value) -> Result<Reply, OpError> {
        self.kernel.execute(&caller("test", mode), &self.instance, operation, args).await
    }

    async fn call(&self, mode: Mode, operation: &str, args: Value) -> Result<Value, OpError> {
        self.reply(mode, operation, args).await.map(|reply| reply.result)
    }

    /// The instance's database, looked at behind the kernel's back.
    fn database(&self) -> rusqlite::Connection {
        let InstanceRef::Id(id) = &self.instance else { panic!() };
        let path = self.folder.path().join("instances").join(&id.as_str()[..2]).join(id.as_str()).join("instance.db");
        rusqlite::Connection::open(path).unwrap()
    }
}
