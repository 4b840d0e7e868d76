//! Calls with a fixed number of them in flight, and what they took.
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};

use super::client::{Call, HttpServer, Server, Trip};
use super::figures::{median, micros, number, per_second, percentile, ratio};
use super::usage::CpuTime;

/// When a flight ends: after so many calls or so long, whichever comes first.
#[derive(Clone, Copy)]
pub(super) struct Limit {
    pub(super) calls: u64,
    pub(super) span: Duration,
}

/// What the calls of one flight, or of several alike, took.
#[derive(Default)]
pub(super) struct Flight {
    /// Round trips in microseconds, in the order of the replies.
    pub(super) round_trips: Vec<f64>,
    pub(super) calls: u64,
    elapsed: Duration,
    cpu: Option<Duration>,
}

impl Flight {
    pub(super) fn per_second(&self) -> Option<f64> {
        per_second(self.calls, self.elapsed)
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Microseconds of the server's CPU time for one call.
    pub(super) fn cpu_per_call(&self) -> Option<f64> {
        ratio(self.cpu.map(micros), Some(number(self.calls)))
    }

    pub(super) fn p50(&self) -> Option<f64> {
        median(&self.round_trips)
    }

    pub(super) fn p99(&self) -> Option<f64> {
        percentile(&self.round_trips, 99)
    }
}

/// Keeps `in_flight` calls open at once, at most 64: what is in flight must fit into the pipe to
/// the server (64 KiB), since the one who writes here is the one who reads. Each request is
/// written by itself, as so many callers would.
pub(super) fn fly(
    server: &mut Server,
    in_flight: usize,
    limit: Limit,
    make: &dyn Fn(u64) -> Call,
) -> anyhow::Result<Flight> {
    let pid = server.pid();
    let before = CpuTime::when_quiet(pid);
    let (requests, replies) = server.ends()?;
    let mut sent: Vec<Instant> = Vec::new();
    let mut first_id = None;
    let mut flight = Flight::default();
    let begun = Instant::now();
    loop {
        while sent.len() - flight.round_trips.len() < in_flight
            && number_of(&sent) < limit.calls
            && begun.elapsed() < limit.span
        {
            let id = requests.put("tools/call", &make(number_of(&sent)))?;
            first_id.get_or_insert(id);
            sent.push(Instant::now());
            requests.flush()?;
        }
        if sent.len() == flight.round_trips.len() {
            break;
        }
        let reply = replies.next()?;
        let nth = first_id.and_then(|first| reply.id.checked_sub(first)).map(usize::try_from);
        let asked = sent.get(nth.context("a reply to nothing asked")??);
        let asked = asked.with_context(|| format!("a reply to {}, not asked yet", reply.id))?;
        flight.round_trips.push(micros(reply.arrived.duration_since(*asked)));
        flight.elapsed = reply.arrived.duration_since(begun);
    }
    flight.calls = number_of(&sent);
    let after = CpuTime::when_quiet(pid);
    flight.cpu = before.zip(after).map(|(before, after)| after.since(&before));
    Ok(flight)
}

/// The same over HTTP: a connection for each call in flight, and a thread for each connection, as
/// so many clients would be.
pub(super) fn fly_http<C: Send>(
    server: &HttpServer,
    connections: &mut [C],
    limit: Limit,
    ask: &(dyn Fn(&mut C, u64) -> anyhow::Result<Trip> + Sync),
) -> anyhow::Result<Flight> {
    let before = CpuTime::when_quiet(server.pid());
    let turn = AtomicU64::new(0);
    let begun = Instant::now();
    let flown = thread::scope(|scope| {
        let mut threads = Vec::new();
        for connection in connections {
            threads.push(scope.spawn(|| by_turns(connection, limit, begun, &turn, ask)));
        }
        let joined = threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("a client's thread died"))?);
        joined.collect::<anyhow::Result<Vec<Flight>>>()
    })?;
    let mut flight = Flight::default();
    for part in flown {
        flight.round_trips.extend(part.round_trips);
        flight.calls += part.calls;
        flight.elapsed = flight.elapsed.max(part.elapsed);
    }
    let after = CpuTime::when_quiet(server.pid());
    flight.cpu = before.zip(after).map(|(before, after)| after.since(&before));
    Ok(flight)
}

/// Takes the next turn again and again.
fn by_turns<C>(
    connection: &mut C,
    limit: Limit,
    begun: Instant,
    turn: &AtomicU64,
    ask: &(dyn Fn(&mut C, u64) -> anyhow::Result<Trip> + Sync),
) -> anyhow::Result<Flight> {
    let mut flight = Flight::default();
    while begun.elapsed() < limit.span {
        let turn = turn.fetch_add(1, Ordering::Relaxed);
        if turn >= limit.calls {
            break;
        }
        let trip = ask(connection, turn)?;
        flight.round_trips.push(micros(trip.took()));
        flight.elapsed = trip.arrived.duration_since(begun);
        flight.calls += 1;
    }
    Ok(flight)
}

fn number_of(sent: &[Instant]) -> u64 {
    u64::try_from(sent.len()).unwrap_or(u64::MAX)
}
