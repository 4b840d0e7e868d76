//! `bench calls`: what a call costs, beside an echo tool on the same MCP library.
//!
//! CPU time per call is the figure that does not depend on how busy the machine is. The echo
//! stands here twice: over the library's plain `stdio()`, which hands each read and write to a
//! thread pool, and over its pipe transport, which does not and costs a fraction. A server is
//! fairly held to the one whose transport it uses.

use std::time::Duration;

use super::Plan;
use super::client::{Call, Server};
use super::figures::{grouped, median, median_known, median_ratio, percentile};
use super::flight::{Flight, Limit, fly};
use super::report::{Column, Ratio, Report};
use super::scratch::Scratch;
use super::workload::{filled, read, value, write};

const COLUMNS: &[Column] = &[
    Column { key: "calls_per_s", heading: "calls/s", decimals: 0 },
    Column { key: "p50_us", heading: "p50 us", decimals: 0 },
    Column { key: "p99_us", heading: "p99 us", decimals: 0 },
    Column { key: "cpu_us_per_call", heading: "CPU us/call", decimals: 1 },
    Column { key: "cpu_over_echo", heading: "CPU/echo", decimals: 2 },
    Column { key: "cpu_over_pipe_echo", heading: "CPU/pipe echo", decimals: 2 },
];
const IN_FLIGHT: [usize; 2] = [1, 64];
const WARM_UP: Limit = Limit { calls: 64, span: Duration::from_secs(5) };

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Echo,
    PipeEcho,
    Read,
    Write,
}

/// One kind of call to one server with so many in flight, over all rounds.
struct Lane {
    kind: Kind,
    /// Which server of the run.
    server: usize,
    keys: u64,
    in_flight: usize,
    flights: Vec<Flight>,
}

/// Rounds over echo, read and write, with 1 and 64 in flight, on a small and a large store.
pub(super) fn run(plan: &Plan) -> anyhow::Result<Report> {
    let rounds = if plan.quick { 1 } else { 5 };
    let (few, many) = (plan.keys(1_000), plan.keys(10_000));
    let (small, large) = (filled(&plan.dir, few)?, filled(&plan.dir, many)?);
    let aside = Scratch::new(&plan.dir)?;
    let mut servers = vec![
        Server::start(&aside, &["bench", "echo-server"], &[])?,
        Server::start(&aside, &["bench", "echo-server", "--pipes"], &[])?,
        Server::mindcache(&small, &[])?,
        Server::mindcache(&large, &[])?,
    ];
    for server in &mut servers {
        server.initialize()?;
    }
    let mut lanes = lanes(few, many);
    for round in 0..=rounds {
        for lane in &mut lanes {
            if let Some(server) = servers.get_mut(lane.server) {
                lane.fly(server, round, plan)?;
            }
        }
    }
    for server in servers {
        server.close()?;
    }
    let about = format!("values of 200 bytes, interleaved rounds: {rounds}, beside an echo tool on rmcp");
    let rows = lanes.iter().map(|lane| lane.row(&lanes)).collect();
    Ok(Report { name: "calls", about, columns: COLUMNS, rows, ratios: ratios(&lanes, few, many) })
}

fn lanes(few: u64, many: u64) -> Vec<Lane> {
    let mut lanes = Vec::new();
    for in_flight in IN_FLIGHT {
        let mut add = |kind, server, keys| {
            lanes.push(Lane { kind, server, keys, in_flight, flights: Vec::new() });
        };
        add(Kind::Echo, 0, 0);
        add(Kind::PipeEcho, 1, 0);
        add(Kind::Read, 2, few);
        add(Kind::Read, 3, many);
        add(Kind::Write, 2, few);
        add(Kind::Write, 3, many);
    }
    lanes
}

impl Lane {
    /// Round 0 warms up and is forgotten.
    fn fly(&mut self, server: &mut Server, round: u64, plan: &Plan) -> anyhow::Result<()> {
        let calls = match (plan.quick, self.in_flight) {
            (true, _) => 200,
            (false, 1) => 1_000,
            (false, _) => 4_000,
        };
        let limit = Limit { calls, span: Duration::from_secs(2) };
        let (kind, keys) = (self.kind, self.keys);
        let mut make = |turn: u64| {
            let turn = round * calls + turn;
            match kind {
                Kind::Echo | Kind::PipeEcho => echo_call(turn),
                Kind::Read => read(turn, keys),
                Kind::Write => write(turn, keys),
            }
        };
        let limit = if round == 0 { WARM_UP } else { limit };
        let flight = fly(server, self.in_flight, limit, &mut make)?;
        if round > 0 {
            self.flights.push(flight);
        }
        Ok(())
    }

    fn cpu(&self) -> Vec<Option<f64>> {
        self.flights.iter().map(Flight::cpu_per_call).collect()
    }

    fn row(&self, lanes: &[Self]) -> (String, Vec<Option<f64>>) {
        let on = match self.kind {
            Kind::Echo => "echo".to_owned(),
            Kind::PipeEcho => "pipe echo".to_owned(),
            Kind::Read => format!("read, {} keys", grouped(self.keys)),
            Kind::Write => format!("write, {} keys", grouped(self.keys)),
        };
        let trips: Vec<f64> = self.flights.iter().flat_map(|flight| flight.round_trips.iter().copied()).collect();
        let over =
            |floor| find(lanes, floor, 0, self.in_flight).and_then(|echo| median_ratio(&self.cpu(), &echo.cpu()));
        let figures = vec![
            median_known(self.flights.iter().map(Flight::per_second)),
            median(&trips),
            percentile(&trips, 99),
            median_known(self.cpu()),
            over(Kind::Echo),
            over(Kind::PipeEcho),
        ];
        (format!("{on}, {} in flight", self.in_flight), figures)
    }
}

fn echo_call(turn: u64) -> Call {
    Call { name: super::echo::TOOL, arguments: serde_json::json!({"text": value(turn)}) }
}

fn find(lanes: &[Lane], kind: Kind, keys: u64, in_flight: usize) -> Option<&Lane> {
    lanes.iter().find(|lane| lane.kind == kind && lane.keys == keys && lane.in_flight == in_flight)
}

/// Ratios of CPU per call, each of pairs from the same round.
fn ratios(lanes: &[Lane], few: u64, many: u64) -> Vec<Ratio> {
    let cpu = |kind, keys, in_flight| find(lanes, kind, keys, in_flight).map(Lane::cpu).unwrap_or_default();
    let echo = |kind, in_flight| median_ratio(&cpu(kind, few, in_flight), &cpu(Kind::Echo, 0, in_flight));
    let growth = |kind, in_flight| median_ratio(&cpu(kind, many, in_flight), &cpu(kind, few, in_flight));
    let compared = [
        ("read_over_echo", "read/echo, 1 in flight", echo(Kind::Read, 1), READ_AIM),
        ("read64_over_echo64", "read/echo, 64 in flight", echo(Kind::Read, 64), READ_AIM),
        ("write_over_echo", "write/echo, 1 in flight", echo(Kind::Write, 1), ""),
        ("write64_over_echo64", "write/echo, 64 in flight", echo(Kind::Write, 64), WRITE_AIM),
        ("read_growth", "read, growth, 1 in flight", growth(Kind::Read, 1), GROWTH_AIM),
        ("read64_growth", "read, growth, 64 in flight", growth(Kind::Read, 64), GROWTH_AIM),
        ("write_growth", "write, growth, 1 in flight", growth(Kind::Write, 1), GROWTH_AIM),
        ("write64_growth", "write, growth, 64 in flight", growth(Kind::Write, 64), GROWTH_AIM),
    ];
    let ratio = |(key, label, value, aim)| Ratio { key, label: format!("CPU {label}"), value, aim };
    compared.map(ratio).into()
}

const READ_AIM: &str = "at most 1.5";
const WRITE_AIM: &str = "at most 3";
/// For ten times the keys.
const GROWTH_AIM: &str = "at most 1.3";
