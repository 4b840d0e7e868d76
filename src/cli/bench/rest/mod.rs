//! `bench rest`: reads, durable writes and lists over `/v1`, beside a bare handler on the same web server, and beside
//! themselves when there are ten thousand API keys and instances.

pub(super) mod bare;
mod crowd;

use std::time::Duration;

use serde_json::{Value, json};

use crate::ops::{keys::list::List, operation::Operation as _};

use super::Plan;
use super::client::{Ask, HttpServer, Plain};
use super::figures::{grouped, median, median_known, median_ratio, percentile};
use super::flight::{Flight, Limit, fly_http};
use super::report::{Column, Ratio, Report};
use super::scratch::Scratch;
use super::workload::{filled, key, scattered, value};

const COLUMNS: &[Column] = &[
    Column { key: "requests_per_s", heading: "requests/s", decimals: 0 },
    Column { key: "p50_us", heading: "p50 us", decimals: 0 },
    Column { key: "p99_us", heading: "p99 us", decimals: 0 },
    Column { key: "cpu_us_per_request", heading: "CPU us/request", decimals: 1 },
    Column { key: "cpu_over_bare", heading: "CPU/bare", decimals: 2 },
];
/// Connections, each with a request under way.
const CONNECTIONS: [usize; 2] = [1, 16];
/// Keys of a list page.
const LIST: usize = 100;
const INSTANCE: &str = "default";
const TEXT: &str = "text/plain";
const JSON: &str = "application/json";

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Read,
    Write,
    List,
}

const KINDS: [Kind; 3] = [Kind::Read, Kind::Write, Kind::List];

/// One kind of request to one server, over all rounds.
struct Lane {
    kind: Kind,
    /// Which server.
    server: usize,
    connections: usize,
    flights: Vec<Flight>,
}

/// Who answers.
const WHO: [&str; 3] = ["bare handler", "mindcache", "mindcache, by an API key"];
const BARE: usize = 0;
const OURS: usize = 1;
const BY_KEY: usize = 2;

/// Beside the bare handler, and with many keys and instances beside few.
pub(super) fn run(plan: &Plan) -> anyhow::Result<Vec<Report>> {
    Ok(vec![beside_bare(plan)?, crowd::run(plan)?])
}

fn beside_bare(plan: &Plan) -> anyhow::Result<Report> {
    let keys = plan.keys(1_000);
    let (store, aside) = (filled(&plan.dir, keys)?, Scratch::new(&plan.dir)?);
    let secret = crowd::key_of(&store)?;
    let bare = HttpServer::start(&aside, &["bench", "bare-server", "--folder", path(&aside)?.as_str()])?;
    let ours = HttpServer::mindcache(&store)?;
    let most = CONNECTIONS.into_iter().max().unwrap_or_default();
    let connected = |server: &HttpServer, key: Option<&str>| {
        (0..most).map(|_| server.connect_plain(key)).collect::<anyhow::Result<Vec<Plain>>>()
    };
    let mut open = [connected(&bare, None)?, connected(&ours, None)?, connected(&ours, Some(&secret))?];
    let mut lanes = Vec::new();
    for connections in CONNECTIONS {
        for kind in KINDS {
            lanes.extend((0..WHO.len()).map(|server| Lane { kind, server, connections, flights: Vec::new() }));
        }
    }
    let rounds = if plan.quick { 1 } else { 5 };
    for round in first(plan)..=rounds {
        for lane in &mut lanes {
            let server = if lane.server == BARE { &bare } else { &ours };
            let connections = open.get_mut(lane.server).and_then(|open| open.get_mut(..lane.connections));
            let (kind, limit) = (lane.kind, limit(plan, round, lane.connections));
            let ask = |connection: &mut Plain, turn| connection.ask(&kind.ask(round * 10_000 + turn, keys, INSTANCE));
            let flight = fly_http(server, connections.unwrap_or_default(), limit, &ask)?;
            // The first round warms up.
            if round > 0 {
                lane.flights.push(flight);
            }
        }
    }
    let about = format!(
        "over /v1, values of 200 bytes on {} keys, lists of {LIST}, a connection kept open for each request under way, \
         interleaved rounds: {rounds}, beside a handler on axum that reads memory and flushes a file",
        grouped(keys)
    );
    let rows = lanes.iter().map(|lane| lane.row(&lanes)).collect();
    Ok(Report { name: "rest", about, columns: COLUMNS, rows, ratios: ratios(&lanes) })
}

fn path(scratch: &Scratch) -> anyhow::Result<String> {
    scratch.store().into_os_string().into_string().map_err(|_| anyhow::anyhow!("the folder has a name that is no text"))
}

/// How long one flight is.
fn limit(plan: &Plan, round: u64, connections: usize) -> Limit {
    let calls = match (round, plan.quick, connections) {
        (0, _, _) => 20,
        (_, true, _) => 40,
        (_, false, 1) => 500,
        (_, false, _) => 2_000,
    };
    Limit { calls, span: span(plan) }
}

/// The round that warms up, but in a run that only shows that it runs.
fn first(plan: &Plan) -> u64 {
    u64::from(plan.quick)
}

/// How long a flight is at most: on a slow disk it is not the number of calls that ends it.
fn span(plan: &Plan) -> Duration {
    Duration::from_millis(if plan.quick { 200 } else { 2_000 })
}

#[rustfmt::skip]
const RATIOS: &[(&str, &str, Kind, usize, Beside)] = &[
    ("read_rate", "requests/s read/bare, 1 connection", Kind::Read, 1, Beside::Bare),
    ("read16_rate", "requests/s read/bare, 16 connections", Kind::Read, 16, Beside::Bare),
    ("write_rate", "requests/s write/bare, 1 connection", Kind::Write, 1, Beside::Bare),
    ("write16_rate", "requests/s write/bare, 16 connections", Kind::Write, 16, Beside::Bare),
    ("list_rate", "requests/s list/bare, 1 connection", Kind::List, 1, Beside::Bare),
    ("list16_rate", "requests/s list/bare, 16 connections", Kind::List, 16, Beside::Bare),
    ("read_by_key", "CPU read by an API key/by the token, 1 connection", Kind::Read, 1, Beside::Token),
    ("write_by_key", "CPU write by an API key/by the token, 1 connection", Kind::Write, 1, Beside::Token),
    ("list_by_key", "CPU list by an API key/by the token, 1 connection", Kind::List, 1, Beside::Token),
];

/// What a ratio compares: our rate with the bare handler's, or the CPU of a request by a key with one by the token.
#[derive(Clone, Copy)]
enum Beside {
    Bare,
    Token,
}

fn ratios(lanes: &[Lane]) -> Vec<Ratio> {
    let of = |(key, label, kind, connections, beside): &(&'static str, &str, Kind, usize, Beside)| {
        let each = |server, figure: fn(&Flight) -> Option<f64>| each(lanes, *kind, server, *connections, figure);
        let value = match beside {
            Beside::Bare => median_ratio(&each(OURS, Flight::per_second), &each(BARE, Flight::per_second)),
            Beside::Token => median_ratio(&each(BY_KEY, Flight::cpu_per_call), &each(OURS, Flight::cpu_per_call)),
        };
        Ratio { key, label: (*label).to_owned(), value, aim: "" }
    };
    RATIOS.iter().map(of).collect()
}

/// What a lane measured, a figure for each round.
fn each(
    lanes: &[Lane],
    kind: Kind,
    server: usize,
    connections: usize,
    figure: fn(&Flight) -> Option<f64>,
) -> Vec<Option<f64>> {
    let is_meant = |lane: &&Lane| (lane.kind, lane.server, lane.connections) == (kind, server, connections);
    lanes.iter().find(is_meant).map(|lane| lane.flights.iter().map(figure).collect()).unwrap_or_default()
}

impl Lane {
    /// Its name and figures.
    fn row(&self, lanes: &[Self]) -> (String, Vec<Option<f64>>) {
        let trips: Vec<f64> = self.flights.iter().flat_map(|flight| flight.round_trips.iter().copied()).collect();
        let cpu: Vec<_> = self.flights.iter().map(Flight::cpu_per_call).collect();
        let bare = each(lanes, self.kind, BARE, self.connections, Flight::cpu_per_call);
        let figures = vec![
            median_known(self.flights.iter().map(Flight::per_second)),
            median(&trips),
            percentile(&trips, 99),
            median_known(cpu.iter().copied()),
            median_ratio(&cpu, &bare),
        ];
        let who = WHO.get(self.server).copied().unwrap_or_default();
        let many = if self.connections == 1 { "" } else { "s" };
        (format!("{}, {who}, {} connection{many}", self.kind.name(), self.connections), figures)
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::List => "list",
        }
    }

    /// The request of a turn.
    fn ask(self, turn: u64, keys: u64, instance: &str) -> Ask {
        let value_path = || format!("/v1/i/{instance}/keys/{}", key(scattered(turn, keys)));
        match self {
            Self::Read => Ask { method: "GET", path: value_path(), body: None },
            Self::Write => Ask { method: "PUT", path: value_path(), body: Some((TEXT, value(turn))) },
            Self::List => operation(instance, List::NAME, &json!({"limit": LIST})),
        }
    }
}

/// The call of an operation.
fn operation(instance: &str, name: &str, args: &Value) -> Ask {
    Ask { method: "POST", path: format!("/v1/i/{instance}/ops/{name}"), body: Some((JSON, args.to_string())) }
}
