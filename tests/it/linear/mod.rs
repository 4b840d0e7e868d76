//! `if_version` is linearizable: eight writers in four processes, and a checker that knows nothing of the store.

mod checker;

use std::{
    sync::{
        Barrier,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use serde_json::{Value, json};

use crate::harness::{
    Env,
    chance::{Chance, rounds},
    http::Server,
    http_client::HttpClient,
    say,
};
use checker::{Did, Event, is_linearizable};

/// Two, so that the writers get in each other's way.
const KEYS: [&str; 2] = ["one", "two"];
/// Calls of each writer.
const CALLS: usize = 25;
/// Writers of each process.
const EACH: usize = 2;

/// One writer: a client of its own, and what it last knew of each key.
struct Writer<'s> {
    client: HttpClient<'s>,
    clock: &'s AtomicU64,
    chance: Chance,
    name: String,
    known: [u64; KEYS.len()],
}

impl Writer<'_> {
    /// Makes calls by chance and returns them with their answers, by key.
    fn play(mut self) -> Vec<(usize, Event)> {
        (0..CALLS)
            .map(|number| {
                let key = self.chance.below(KEYS.len());
                let known = self.known[key];
                // Mostly the version that it knows, sometimes none, now and then one that cannot be.
                let if_version = match self.chance.below(10) {
                    0..7 => Some(known),
                    7..9 => None,
                    _ => Some(known + 1_000_000),
                };
                let invoked = self.tick();
                let did = match self.chance.below(10) {
                    0..4 => self.read(key),
                    4..9 => self.write(key, if_version, number),
                    _ => self.delete(key, if_version),
                };
                let answered = self.tick();
                self.known[key] = match did {
                    Did::Read { version, .. } | Did::Write { version, .. } => version,
                    Did::Delete { .. } => 0,
                    Did::Refused { current, .. } => current,
                };
                (key, Event { invoked, answered, did })
            })
            .collect()
    }

    /// One counter for all threads: a call that was answered before another was invoked has the smaller stamps.
    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    fn read(&mut self, key: usize) -> Did {
        let reply = self.client.call("read_key", &json!({"key": KEYS[key]}));
        if reply.is_error {
            reply.error("not_found");
            return Did::Read { version: 0, value: String::new() };
        }
        let found = reply.ok();
        Did::Read { version: number(&found["version"]), value: found["value"].as_str().unwrap().to_owned() }
    }

    fn write(&mut self, key: usize, if_version: Option<u64>, number_of: usize) -> Did {
        let value = format!("{} {number_of}", self.name);
        match self.change("write_key", json!({"key": KEYS[key], "value": value}), if_version) {
            Ok(version) => Did::Write { value, if_version, version },
            Err(refused) => refused,
        }
    }

    fn delete(&mut self, key: usize, if_version: Option<u64>) -> Did {
        match self.change("delete_key", json!({"key": KEYS[key]}), if_version) {
            Ok(version) => Did::Delete { if_version, version },
            Err(refused) => refused,
        }
    }

    fn change(&mut self, tool: &str, mut args: Value, if_version: Option<u64>) -> Result<u64, Did> {
        if let Some(version) = if_version {
            args["if_version"] = version.into();
        }
        let reply = self.client.call(tool, &args);
        if reply.is_error {
            let current = number(&reply.error("version_mismatch")["current"]);
            return Err(Did::Refused { if_version: if_version.expect("only a version can be refused"), current });
        }
        Ok(number(&reply.ok()["version"]))
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("not a number: {value}"))
}

/// The calls of eight writers on a fresh store, by key.
fn record(chance: &mut Chance) -> [Vec<Event>; KEYS.len()] {
    let env = Env::new();
    let servers: Vec<Server> = (0..4).map(|_| env.serve(&[])).collect();
    let (clock, start) = (AtomicU64::new(0), Barrier::new(servers.len() * EACH));
    let mut histories = [const { Vec::new() }; KEYS.len()];
    thread::scope(|scope| {
        let mut writers = Vec::new();
        for (at, server) in servers.iter().flat_map(|server| [server; EACH]).enumerate() {
            let (chance, clock, start) = (chance.fork(), &clock, &start);
            writers.push(scope.spawn(move || {
                let client = server.mcp();
                start.wait();
                Writer { client, clock, chance, name: format!("writer {at}"), known: Default::default() }.play()
            }));
        }
        for (key, event) in writers.into_iter().flat_map(|writer| writer.join().expect("a writer does not fail")) {
            histories[key].push(event);
        }
    });
    histories
}

#[test]
fn if_version_is_linearizable_over_eight_writers_in_four_processes() {
    let mut chance = Chance::of("linear");
    let (mut checked, mut won, mut refused) = (0, 0, 0);
    for round in 0..rounds(3) {
        for (key, history) in KEYS.iter().zip(record(&mut chance)) {
            assert!(is_linearizable(&history), "round {round}, key {key}: {history:#?}");
            let count = |is: fn(&Did) -> bool| history.iter().filter(|event| is(&event.did)).count();
            won += count(|did| matches!(did, Did::Write { if_version: Some(_), .. }));
            refused += count(|did| matches!(did, Did::Refused { .. }));
            checked += 1;
        }
    }
    say(&format!("{checked} histories are linearizable; {won} conditional writes won, {refused} were refused"));
    assert!(won > 0 && refused > 0, "the writers met: {won} won, {refused} were refused");
}

#[test]
fn a_recorded_history_with_one_answer_forged_is_rejected() {
    let mut chance = Chance::seeded(11);
    let [history, _] = record(&mut chance);
    assert!(is_linearizable(&history));
    let mut forged = 0;
    for at in 0..history.len() {
        let mut history = history.clone();
        match &mut history[at].did {
            Did::Read { value, .. } => value.push('!'),
            Did::Refused { current, .. } => *current += 1_000_000,
            // One that nobody saw may have had any later version.
            Did::Write { .. } | Did::Delete { .. } => continue,
        }
        assert!(!is_linearizable(&history), "{:?}", history[at]);
        forged += 1;
    }
    assert!(forged > 0, "somebody read or was refused");
}
