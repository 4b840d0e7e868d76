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

use clap::ValueEnum as _;

use super::Plan;
use super::report::Report;

/// One of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Part {
    /// Sets to their acknowledgement
    Sets,
    /// Pings while another instance is flooded
    Pings,
    /// One writer and many who hear it
    Fanout,
    /// Memory and files of idle sockets
    Idle,
    /// A reader that stops reading
    Stalled,
}

/// One part, or all of them.
pub(super) fn run(plan: &Plan, part: Option<Part>) -> anyhow::Result<Vec<Report>> {
    let all = Part::value_variants().iter().filter(|each| part.is_none_or(|part| part == **each));
    let measure = |part: &Part| match part {
        Part::Sets => durable::run(plan),
        Part::Pings => ping::run(plan),
        Part::Fanout => fanout::run(plan),
        Part::Idle => idle::run(plan),
        Part::Stalled => stalled::run(plan),
    };
    all.map(measure).collect()
}
