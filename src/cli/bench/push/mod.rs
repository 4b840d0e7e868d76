//! `bench push`: how soon a subscribed client hears of a write, what it hears of many writes to
//! one key, and what a server costs that waits for such news.

mod burst;
mod idle;
mod latency;
mod stand;

use super::Plan;
use super::report::Report;

/// Latency, burst and idle cost, a table each.
pub(super) fn run(plan: &Plan) -> anyhow::Result<Vec<Report>> {
    Ok(vec![latency::run(plan)?, burst::run(plan)?, idle::run(plan)?])
}
