//! One kind of call to one server with so many of them in flight, flown in rounds.

use std::time::Duration;

use serde_json::json;

use crate::cli::bench::Plan;
use crate::cli::bench::client::{Call, Connection, HttpServer, Server};
use crate::cli::bench::echo::TOOL;
use crate::cli::bench::figures::{grouped, median, median_known, median_ratio, percentile};
use crate::cli::bench::flight::{Flight, Limit, fly, fly_http};
use crate::cli::bench::workload::{read, read_own, value, write, write_own};

pub(super) const IN_FLIGHT: [usize; 2] = [1, 64];

/// A running server as its clients reach it.
pub(super) enum Target {
    Pipes(Server),
    /// As many connections as calls are ever in flight.
    Http(HttpServer, Vec<Connection>),
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Echo,
    PipeEcho,
    Read,
    Write,
    /// By the key's own tool.
    ReadOwn,
    WriteOwn,
}

/// One kind of call to one server with so many in flight, over all rounds.
pub(super) struct Lane {
    kind: Kind,
    /// Which server of the run.
    server: usize,
    keys: u64,
    in_flight: usize,
    flights: Vec<Flight>,
}

/// What the comparisons below a table are made of.
#[derive(Clone, Copy)]
pub(super) enum Measure {
    Cpu,
    Rate,
}

impl Target {
    /// Over HTTP, with a connection for each call.
    pub(super) fn http(server: HttpServer) -> anyhow::Result<Self> {
        let most = IN_FLIGHT.into_iter().max().unwrap_or_default();
        let connections = (0..most).map(|_| server.connect()).collect::<anyhow::Result<_>>()?;
        Ok(Self::Http(server, connections))
    }

    pub(super) fn close(self) -> anyhow::Result<()> {
        match self {
            Self::Pipes(server) => server.close().map(drop),
            Self::Http(..) => Ok(()),
        }
    }
}

/// All lanes of each kind, on the server of its position; a kind comes with the keys in its store.
pub(super) fn lanes(kinds: &[(Kind, usize, u64)]) -> Vec<Lane> {
    let of = |in_flight| {
        kinds.iter().map(move |(kind, server, keys)| Lane {
            kind: *kind,
            server: *server,
            keys: *keys,
            in_flight,
            flights: Vec::new(),
        })
    };
    IN_FLIGHT.into_iter().flat_map(of).collect()
}

/// How many rounds are flown.
pub(super) fn rounds(plan: &Plan) -> u64 {
    if plan.quick { 1 } else { 5 }
}

/// Flies the lanes in turn, round by round. Round 0 warms up and is forgotten.
pub(super) fn fly_all(lanes: &mut [Lane], targets: &mut [Target], plan: &Plan) -> anyhow::Result<()> {
    for round in 0..=rounds(plan) {
        for lane in &mut *lanes {
            if let Some(target) = targets.get_mut(lane.server) {
                lane.fly(target, round, plan)?;
            }
        }
    }
    Ok(())
}

impl Lane {
    fn fly(&mut self, target: &mut Target, round: u64, plan: &Plan) -> anyhow::Result<()> {
        let (warm_up, calls) = match (plan.quick, self.in_flight) {
            (true, _) => (4, 40),
            (false, 1) => (64, 1_000),
            (false, _) => (64, 4_000),
        };
        let span = Duration::from_secs(2);
        let limit = Limit { calls: if round == 0 { warm_up } else { calls }, span };
        let (kind, keys) = (self.kind, self.keys);
        let make = |turn| kind.call(round * calls + turn, keys);
        let flight = match target {
            Target::Pipes(server) => fly(server, self.in_flight, limit, &make)?,
            Target::Http(server, connections) => {
                let connections = connections.get_mut(..self.in_flight).unwrap_or_default();
                fly_http(server, connections, limit, &|connection: &mut Connection, turn| connection.call(&make(turn)))?
            }
        };
        if round > 0 {
            self.flights.push(flight);
        }
        Ok(())
    }

    fn each(&self, measure: Measure) -> Vec<Option<f64>> {
        let of = |flight: &Flight| match measure {
            Measure::Cpu => flight.cpu_per_call(),
            Measure::Rate => flight.per_second(),
        };
        self.flights.iter().map(of).collect()
    }

    /// Its name and figures: calls/s, p50, p99, CPU, and CPU over that of each floor.
    pub(super) fn row(&self, lanes: &[Self], floors: &[Kind]) -> (String, Vec<Option<f64>>) {
        let on = match self.kind {
            Kind::Echo => "echo".to_owned(),
            Kind::PipeEcho => "pipe echo".to_owned(),
            Kind::Read => format!("read, {} keys", grouped(self.keys)),
            Kind::Write => format!("write, {} keys", grouped(self.keys)),
            Kind::ReadOwn => format!("read_<key>, {} keys", grouped(self.keys)),
            Kind::WriteOwn => format!("write_<key>, {} keys", grouped(self.keys)),
        };
        let trips: Vec<f64> = self.flights.iter().flat_map(|flight| flight.round_trips.iter().copied()).collect();
        let cpu = self.each(Measure::Cpu);
        let mut figures = vec![
            median_known(self.each(Measure::Rate)),
            median(&trips),
            percentile(&trips, 99),
            median_known(cpu.iter().copied()),
        ];
        figures.extend(
            floors.iter().map(|floor| median_ratio(&cpu, &each(lanes, Measure::Cpu, (*floor, 0), self.in_flight))),
        );
        (format!("{on}, {} in flight", self.in_flight), figures)
    }
}

impl Kind {
    fn call(self, turn: u64, keys: u64) -> Call {
        match self {
            Self::Echo | Self::PipeEcho => Call { name: TOOL.into(), arguments: json!({"text": value(turn)}) },
            Self::Read => read(turn, keys),
            Self::Write => write(turn, keys),
            Self::ReadOwn => read_own(turn, keys),
            Self::WriteOwn => write_own(turn, keys),
        }
    }
}

/// What a lane measured, a figure for each round; nothing if there is no such lane.
pub(super) fn each(lanes: &[Lane], measure: Measure, of: (Kind, u64), in_flight: usize) -> Vec<Option<f64>> {
    let mut found = lanes.iter().filter(|lane| (lane.kind, lane.keys) == of && lane.in_flight == in_flight);
    found.next().map(|lane| lane.each(measure)).unwrap_or_default()
}

/// The median of one lane's figures over another's, of pairs from the same round.
pub(super) fn compared(
    lanes: &[Lane],
    measure: Measure,
    part: (Kind, u64),
    base: (Kind, u64),
    in_flight: usize,
) -> Option<f64> {
    median_ratio(&each(lanes, measure, part, in_flight), &each(lanes, measure, base, in_flight))
}
