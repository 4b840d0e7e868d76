//! A server with so many instances.

use std::ffi::OsStr;
use std::thread;

use anyhow::anyhow;
use serde_json::json;

use crate::cli::bench::Plan;
use crate::cli::bench::client::{Call, HttpServer};
use crate::cli::bench::scratch::Scratch;
use crate::ops::{catalog, instances::Create, procedure::Arguments as _};

use super::socket::Door;

/// Instances are made by so many callers at once.
const MAKERS: u64 = 8;

/// The server, and the folder that it works in.
pub(super) struct Stand {
    pub(super) server: HttpServer,
    pub(super) door: Door,
    pub(super) scratch: Scratch,
}

impl Stand {
    /// Starts it with some settings of its own and makes the instances.
    pub(super) fn new(plan: &Plan, instances: u64, env: &[(&str, &OsStr)]) -> anyhow::Result<Self> {
        let scratch = Scratch::new(&plan.dir)?;
        let server = HttpServer::mindcache_with(&scratch, env)?;
        make(&server, instances)?;
        Ok(Self { door: Door::of(&server), server, scratch })
    }

    /// One whose commits take so many milliseconds longer.
    pub(super) fn slowed(plan: &Plan, instances: u64, delay_ms: u64) -> anyhow::Result<Self> {
        let delay = delay_ms.to_string();
        Self::new(plan, instances, &[("MINDCACHE_BENCH_COMMIT_DELAY_MS", delay.as_ref())])
    }
}

/// The name of an instance.
pub(super) fn name(number: u64) -> String {
    format!("i{number:04}")
}

fn make(server: &HttpServer, instances: u64) -> anyhow::Result<()> {
    let part = |first: u64| {
        let mut person = server.connect_to("/mcp/edit")?;
        for number in (first..instances).step_by(usize::try_from(MAKERS)?) {
            let create = json!({"name": Create::NAME, "args": {"name": name(number)}});
            person.call(&Call { name: catalog::CALL.into(), arguments: create })?;
        }
        anyhow::Ok(())
    };
    thread::scope(|scope| {
        let makers: Vec<_> = (0..MAKERS.min(instances)).map(|first| scope.spawn(move || part(first))).collect();
        makers.into_iter().try_for_each(|maker| maker.join().map_err(|_| anyhow!("a client's thread died"))?)
    })
}
