//! Processes killed at random moments under load: what was acknowledged is there, and nothing is half done.
//!
//! Three processes share a store, two over stdio and one over HTTP. `MINDCACHE_TEST_ROUNDS=200` plays 200 rounds.

mod deed;

use std::{
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use crate::harness::{
    Env,
    audit::audit,
    chance::{Chance, rounds},
    http::Server,
    kill,
    mcp::{Client, ToolReply, reply_of},
    say,
};
use deed::{Deed, Figures, compare};

/// Rounds on one store; then a fresh one, whose making is killed too.
const ROUNDS_A_STORE: usize = 8;
/// Calls under way at once over stdio: the commits have several to take.
const AT_ONCE: usize = 6;
/// Longest wait for the kill, in microseconds.
const LONGEST: usize = 120_000;

/// The processes of a store; those that were killed are missing.
#[derive(Default)]
struct Processes {
    stdio: [Option<Client>; 2],
    http: Option<Server>,
}

impl Processes {
    fn start(&mut self, env: &Env) {
        for each in &mut self.stdio {
            // Without a handshake, so that nothing is waited for: the kill may fall into the start.
            each.get_or_insert_with(|| env.mcp_modern(&["--mode", "edit"]));
        }
        self.http.get_or_insert_with(|| env.serve(&[]));
    }

    fn pids(&self) -> Vec<u32> {
        self.stdio.iter().flatten().map(Client::pid).chain(self.http.as_ref().map(Server::pid)).collect()
    }

    /// Forgets those that were killed; dropping a handle waits for the end.
    fn bury(&mut self, killed: &[u32]) {
        for each in &mut self.stdio {
            *each = each.take().filter(|client| !killed.contains(&client.pid()));
        }
        self.http = self.http.take().filter(|server| !killed.contains(&server.pid()));
    }
}

/// What a writer needs to know.
struct Writer<'s> {
    chance: Chance,
    name: String,
    stop: &'s AtomicBool,
    answered: mpsc::Sender<()>,
}

impl Writer<'_> {
    fn draw(&mut self, number: usize) -> Deed {
        let mark = format!("{} {number}", self.name);
        Deed::draw(&mut self.chance, mark)
    }

    /// Tells whoever waits for the moment of the kill; it may have come.
    fn tell(&self) {
        self.answered.send(()).unwrap_or_default();
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    /// Keeps several calls under way until it is told to stop or the process is gone. A process that lives answers
    /// each of them.
    fn over_stdio(mut self, client: &mut Client) -> (Vec<Deed>, bool) {
        let (mut deeds, mut first_id, mut open) = (Vec::new(), None, 0);
        loop {
            while open < AT_ONCE && self.goes_on() {
                let deed = self.draw(deeds.len());
                let id = client.send_call(deed.tool, deed.args.clone());
                first_id.get_or_insert(id);
                deeds.push(deed);
                open += 1;
            }
            if open == 0 {
                return (deeds, true);
            }
            let Some(message) = client.receive() else { return (deeds, false) };
            let at = message["id"].as_u64().zip(first_id).map(|(id, first)| id - first).expect("a reply has an id");
            let reply = ToolReply::of(reply_of(message).expect("the call is taken"));
            deeds[usize::try_from(at).expect("an index")].answered(reply);
            open -= 1;
            self.tell();
        }
    }

    /// One call after the other until it is told to stop or the process is gone.
    fn over_http(mut self, server: &Server) -> (Vec<Deed>, bool) {
        let mut deeds: Vec<Deed> = Vec::new();
        let Ok(mut client) = server.try_mcp_at("/i/default/mcp/edit") else { return (deeds, false) };
        while self.goes_on() {
            let mut deed = self.draw(deeds.len());
            let reply = client.try_call(deed.tool, &deed.args);
            let is_gone = reply.is_err();
            if let Ok(reply) = reply {
                deed.answered(reply);
            }
            deeds.push(deed);
            if is_gone {
                return (deeds, false);
            }
            self.tell();
        }
        (deeds, true)
    }
}

/// Load from all processes until a random moment, then the kill of one or of all. Returns what was asked for.
fn round(processes: &mut Processes, chance: &mut Chance, number: usize, figures: &mut Figures) -> Vec<Deed> {
    let pids = processes.pids();
    let killed = if chance.one_in(3) { pids.clone() } else { vec![*chance.pick(&pids)] };
    let wait = Duration::from_micros(chance.below(LONGEST) as u64);
    let after = chance.below(30);
    let stop = AtomicBool::new(false);
    let (answered, answers) = mpsc::channel();
    let mut writer = |name: &str| Writer {
        chance: chance.fork(),
        name: format!("{number} {name}"),
        stop: &stop,
        answered: answered.clone(),
    };
    let writers = [writer("first"), writer("second"), writer("third"), writer("fourth")];
    let [first, second, third, fourth] = writers;
    drop(answered);
    let Processes { stdio, http } = &mut *processes;
    let [one, two] = stdio.each_mut().map(|client| client.as_mut().expect("it was started"));
    let three = http.as_ref().expect("it was started");
    let (one_pid, two_pid, three_pid) = (one.pid(), two.pid(), three.pid());
    let done = thread::scope(|scope| {
        let running = [
            (one_pid, scope.spawn(|| first.over_stdio(one))),
            (two_pid, scope.spawn(|| second.over_stdio(two))),
            (three_pid, scope.spawn(|| third.over_http(three))),
            (three_pid, scope.spawn(|| fourth.over_http(three))),
        ];
        // Half of the kills fall soon after an answer, the others at any moment. The wait is chance, not a wait for
        // something to happen.
        if chance.one_in(2) {
            for () in answers.iter().take(after) {}
        }
        pause(wait);
        for pid in &killed {
            kill(*pid);
        }
        stop.store(true, Ordering::Relaxed);
        running.map(|(pid, writer)| (pid, writer.join().expect("a writer does not fail")))
    });
    figures.kills += killed.len();
    processes.bury(&killed);
    let mut all = Vec::new();
    for (pid, (deeds, is_answered)) in done {
        assert!(is_answered || killed.contains(&pid), "a process that was not killed left calls unanswered");
        all.extend(deeds);
    }
    all
}

#[expect(clippy::disallowed_methods, reason = "the moment of the kill is to be random")]
fn pause(wait: Duration) {
    thread::sleep(wait);
}

/// A fresh process opens the store and answers what the log says.
fn opens_clean(env: &Env) -> Vec<String> {
    let mut client = env.mcp();
    let keys = client.keys();
    let (catalog, instance) = audit(&env.data(), "default");
    let instance = instance.unwrap_or_default();
    let mut problems = [catalog.problems, instance.problems.clone()].concat();
    let values = instance.values();
    if !keys.iter().eq(values.keys()) {
        problems.push(format!("the process lists {keys:?}, the file has {:?}", values.keys()));
    }
    problems.extend(
        values
            .iter()
            .filter(|(key, value)| client.value(key) != **value)
            .map(|(key, _)| format!("the process reads {key} otherwise than the file has it")),
    );
    if !client.close_stdin_and_wait().status.success() {
        problems.push("a process that opened the store ended badly".to_owned());
    }
    problems
}

#[test]
fn killed_processes_lose_nothing_acknowledged_and_leave_nothing_half_done() {
    let mut chance = Chance::of("kill");
    let mut figures = Figures::default();
    let rounds = rounds(24);
    let (mut env, mut processes, mut deeds) = (Env::new(), Processes::default(), Vec::new());
    for number in 0..rounds {
        if number % ROUNDS_A_STORE == 0 {
            // The processes end before the folder goes.
            processes = Processes::default();
            (env, deeds) = (Env::new(), Vec::new());
        }
        processes.start(&env);
        deeds.extend(round(&mut processes, &mut chance, number, &mut figures));
        let mut problems = opens_clean(&env);
        let instance = audit(&env.data(), "default").1.unwrap_or_default();
        let is_last = number + 1 == rounds || (number + 1) % ROUNDS_A_STORE == 0;
        let mut uncounted = Figures::default();
        problems.extend(compare(&instance, &deeds, if is_last { &mut figures } else { &mut uncounted }));
        assert!(problems.is_empty(), "round {number}: {}", problems.join("\n"));
    }
    say(&format!("{rounds} rounds, no violation: {figures:?}"));
    assert!(figures.acknowledged > rounds, "there was load: {figures:?}");
}
