//! `bench calls`: what a call costs over stdio and over HTTP, beside an echo tool on the same MCP
//! library.
//!
//! CPU time per call is the figure that does not depend on how busy the machine is. Over stdio the
//! echo stands here twice: over the library's plain `stdio()`, which hands each read and write to
//! a thread pool, and over its pipe transport, which does not and costs a fraction. A server is
//! fairly held to the one whose transport it uses. Over HTTP the echo has the same web server and
//! runtime as `serve` and none of its checks.

mod lane;

use super::Plan;
use super::client::{HttpServer, Server};
use super::figures::{median_known, median_ratio};
use super::report::{Column, Ratio, Report};
use super::scratch::Scratch;
use super::workload::filled;

use self::lane::{Kind, Lane, Measure, Target, compared, each, fly_all, lanes, rounds};

const CALLS: Column = Column { key: "calls_per_s", heading: "calls/s", decimals: 0 };
const P50: Column = Column { key: "p50_us", heading: "p50 us", decimals: 0 };
const P99: Column = Column { key: "p99_us", heading: "p99 us", decimals: 0 };
const CPU: Column = Column { key: "cpu_us_per_call", heading: "CPU us/call", decimals: 1 };
const OVER_ECHO: Column = Column { key: "cpu_over_echo", heading: "CPU/echo", decimals: 2 };
const OVER_PIPE_ECHO: Column = Column { key: "cpu_over_pipe_echo", heading: "CPU/pipe echo", decimals: 2 };

const READ_AIM: &str = "at most 1.5";
const WRITE_AIM: &str = "at most 3";
const RATE_AIM: &str = "at least 0.7";
/// For ten times the keys.
const GROWTH_AIM: &str = "at most 1.3";
/// What the TypeScript SDK's echo does with 1 and with 64 connections.
const HTTP_AIM: &str = "well above 500-900";

/// Rounds over echo, read and write, with 1 and 64 in flight.
pub(super) fn run(plan: &Plan) -> anyhow::Result<Vec<Report>> {
    Ok(vec![over_stdio(plan)?, over_http(plan)?])
}

/// On a small and a large store.
fn over_stdio(plan: &Plan) -> anyhow::Result<Report> {
    let (few, many) = (plan.keys(1_000), plan.keys(10_000));
    let (small, large) = (filled(&plan.dir, few)?, filled(&plan.dir, many)?);
    let aside = Scratch::new(&plan.dir)?;
    let mut targets = Vec::new();
    for mut server in [
        Server::start(&aside, &["bench", "echo-server"], &[])?,
        Server::start(&aside, &["bench", "echo-server", "--pipes"], &[])?,
        Server::mindcache(&small, &[])?,
        Server::mindcache(&large, &[])?,
    ] {
        server.initialize()?;
        targets.push(Target::Pipes(server));
    }
    let mut lanes = lanes(&[
        (Kind::Echo, 0, 0),
        (Kind::PipeEcho, 1, 0),
        (Kind::Read, 2, few),
        (Kind::Read, 3, many),
        (Kind::ReadOwn, 2, few),
        (Kind::ReadOwn, 3, many),
        (Kind::Write, 2, few),
        (Kind::Write, 3, many),
        (Kind::WriteOwn, 2, few),
        (Kind::WriteOwn, 3, many),
    ]);
    fly_all(&mut lanes, &mut targets, plan)?;
    for target in targets {
        target.close()?;
    }
    Ok(Report {
        name: "calls",
        about: about(plan, "over stdio"),
        columns: &[CALLS, P50, P99, CPU, OVER_ECHO, OVER_PIPE_ECHO],
        rows: lanes.iter().map(|lane| lane.row(&lanes, &[Kind::Echo, Kind::PipeEcho])).collect(),
        ratios: stdio_ratios(&lanes, few, many),
    })
}

fn over_http(plan: &Plan) -> anyhow::Result<Report> {
    let keys = plan.keys(1_000);
    let store = filled(&plan.dir, keys)?;
    let aside = Scratch::new(&plan.dir)?;
    let echo = HttpServer::start(&aside, &["bench", "echo-server", "--http"])?;
    let mut targets = vec![Target::http(echo)?, Target::http(HttpServer::mindcache(&store)?)?];
    let mut lanes = lanes(&[
        (Kind::Echo, 0, 0),
        (Kind::Read, 1, keys),
        (Kind::ReadOwn, 1, keys),
        (Kind::Write, 1, keys),
        (Kind::WriteOwn, 1, keys),
    ]);
    fly_all(&mut lanes, &mut targets, plan)?;
    Ok(Report {
        name: "calls_http",
        about: about(plan, "over HTTP, a connection kept open for each in flight"),
        columns: &[CALLS, P50, P99, CPU, OVER_ECHO],
        rows: lanes.iter().map(|lane| lane.row(&lanes, &[Kind::Echo])).collect(),
        ratios: http_ratios(&lanes, keys),
    })
}

fn about(plan: &Plan, how: &str) -> String {
    format!("{how}, values of 200 bytes, interleaved rounds: {}, beside an echo tool on rmcp", rounds(plan))
}

fn stdio_ratios(lanes: &[Lane], few: u64, many: u64) -> Vec<Ratio> {
    let cpu = |kind, keys, in_flight| each(lanes, Measure::Cpu, (kind, keys), in_flight);
    let echo = |kind, in_flight| compared(lanes, Measure::Cpu, (kind, few), (Kind::Echo, 0), in_flight);
    let rate = |kind, floor, in_flight| compared(lanes, Measure::Rate, (kind, few), (floor, 0), in_flight);
    let growth = |kind, in_flight| median_ratio(&cpu(kind, many, in_flight), &cpu(kind, few, in_flight));
    [
        ("read_over_echo", "CPU read/echo, 1 in flight", echo(Kind::Read, 1), READ_AIM),
        ("read64_over_echo64", "CPU read/echo, 64 in flight", echo(Kind::Read, 64), READ_AIM),
        ("write_over_echo", "CPU write/echo, 1 in flight", echo(Kind::Write, 1), ""),
        ("write64_over_echo64", "CPU write/echo, 64 in flight", echo(Kind::Write, 64), WRITE_AIM),
        ("read_growth", "CPU read, growth, 1 in flight", growth(Kind::Read, 1), GROWTH_AIM),
        ("read64_growth", "CPU read, growth, 64 in flight", growth(Kind::Read, 64), GROWTH_AIM),
        ("read_own_growth", "CPU read_<key>, growth, 1 in flight", growth(Kind::ReadOwn, 1), GROWTH_AIM),
        ("write_growth", "CPU write, growth, 1 in flight", growth(Kind::Write, 1), GROWTH_AIM),
        ("write64_growth", "CPU write, growth, 64 in flight", growth(Kind::Write, 64), GROWTH_AIM),
        ("write_own_growth", "CPU write_<key>, growth, 1 in flight", growth(Kind::WriteOwn, 1), GROWTH_AIM),
        ("read_rate", "calls/s read/echo, 1 in flight", rate(Kind::Read, Kind::Echo, 1), RATE_AIM),
        ("read64_rate", "calls/s read/echo, 64 in flight", rate(Kind::Read, Kind::Echo, 64), RATE_AIM),
        ("read_pipe_rate", "calls/s read/pipe echo, 1 in flight", rate(Kind::Read, Kind::PipeEcho, 1), ""),
        ("read64_pipe_rate", "calls/s read/pipe echo, 64 in flight", rate(Kind::Read, Kind::PipeEcho, 64), ""),
        ("read_own_rate", "calls/s read_<key>/echo, 1 in flight", rate(Kind::ReadOwn, Kind::Echo, 1), RATE_AIM),
        ("read_own64_rate", "calls/s read_<key>/echo, 64 in flight", rate(Kind::ReadOwn, Kind::Echo, 64), RATE_AIM),
    ]
    .map(ratio)
    .into()
}

fn http_ratios(lanes: &[Lane], keys: u64) -> Vec<Ratio> {
    let rate = |kind, in_flight| compared(lanes, Measure::Rate, (kind, keys), (Kind::Echo, 0), in_flight);
    let calls = |in_flight| median_known(each(lanes, Measure::Rate, (Kind::Read, keys), in_flight));
    [
        ("read_rate", "calls/s read/echo, 1 in flight", rate(Kind::Read, 1), RATE_AIM),
        ("read64_rate", "calls/s read/echo, 64 in flight", rate(Kind::Read, 64), RATE_AIM),
        ("read_own_rate", "calls/s read_<key>/echo, 1 in flight", rate(Kind::ReadOwn, 1), RATE_AIM),
        ("read_own64_rate", "calls/s read_<key>/echo, 64 in flight", rate(Kind::ReadOwn, 64), RATE_AIM),
        ("read_calls_per_s", "calls/s read, 1 in flight", calls(1), HTTP_AIM),
        ("read64_calls_per_s", "calls/s read, 64 in flight", calls(64), HTTP_AIM),
    ]
    .map(ratio)
    .into()
}

fn ratio((key, label, value, aim): (&'static str, &str, Option<f64>, &'static str)) -> Ratio {
    Ratio { key, label: label.to_owned(), value, aim }
}
