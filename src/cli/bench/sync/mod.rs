//! `bench sync`: durable sets, pings, fan-out and idle sockets over `/sync`, beside the disk's own flush and a bare
//! broadcast on the same WebSocket library.

pub(super) mod broadcast;
mod crowd;
mod durable;
mod fanout;
mod fleet;
mod idle;
mod ping;
mod socket;
mod stalled;
mod stand;

use super::Plan;
use super::report::Report;

/// A table each.
pub(super) fn run(plan: &Plan) -> anyhow::Result<Vec<Report>> {
    Ok(vec![durable::run(plan)?, ping::run(plan)?, fanout::run(plan)?, idle::run(plan)?, stalled::run(plan)?])
}
