//! Plays a random run on the engine and on the model, and compares what they answer.

use std::{cell::RefCell, collections::BTreeMap, sync::atomic::Ordering, time::Duration};

use serde_json::{Value, json};

use super::{
    super::{EPOCH_MS, World as Engine},
    acts::{Act, Ask},
    compare,
    engine::plain,
    open_kernel,
    state::{Hand, Mode, Refusal, Row},
    world::{Call, Listed, Who, World},
};
use crate::model::instance::InstanceRef;

/// Upkeep looks at least as often as this.
const UPKEEP: Duration = Duration::from_secs(61);
/// After the time of all files: to upkeep, what nothing names is old.
const LATER_MS: i64 = 4_102_444_800_000;
/// No more instances than this are made.
const INSTANCES: usize = 8;

pub(super) struct Play {
    pub(super) engine: Engine,
    pub(super) model: World,
    /// Looks at each instance behind the kernel's back.
    databases: BTreeMap<String, rusqlite::Connection>,
    /// Instances that this kernel has in use, so that upkeep looks after them.
    in_use: Vec<String>,
    again: Option<Call>,
    canaries: u64,
    pub(super) calls: RefCell<Calls>,
}

/// How often each operation was answered how.
pub(super) type Calls = BTreeMap<String, u64>;

/// The time is virtual: it goes on as soon as nothing else is to be done, so this is how to wait for that.
#[expect(clippy::disallowed_methods, reason = "the time is virtual")]
async fn let_pass(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Plays a run from the beginning to the end: the calls that it made.
pub(super) async fn play(acts: &[Act]) -> Calls {
    let engine = Engine::new().await;
    let mut play = Play {
        model: World { wall: EPOCH_MS, ..World::default() },
        databases: BTreeMap::new(),
        in_use: Vec::new(),
        again: None,
        canaries: 0,
        calls: RefCell::default(),
        engine,
    };
    let InstanceRef::Id(id) = play.engine.instance.clone() else { panic!() };
    let create = play.call(&Ask::create("default"));
    play.model.execute(&create, &json!({ "id": id.as_str() })).unwrap();
    play.pass(LATER_MS - EPOCH_MS);
    for act in acts {
        play.act(act).await;
        play.settle().await;
    }
    compare::check_all(&play);
    play.upkeep().await;
    play.reopen().await;
    compare::check_all(&play);
    play.calls.into_inner()
}

impl Ask {
    fn create(name: &str) -> Self {
        let args = json!({ "name": name });
        Self { who: 0, mode: Mode::Edit, on: 0, by_name: false, operation: "instance_create", args, once: None }
    }
}

impl Play {
    async fn act(&mut self, act: &Act) {
        match act {
            Act::Call(ask) => {
                let call = self.call(ask);
                if call.once.is_some() {
                    self.again = Some(call.clone());
                }
                self.compare(&call).await;
            }
            Act::Again => {
                if let Some(call) = self.again.clone() {
                    self.compare(&call).await;
                }
            }
            Act::Meanwhile(wait, other) => self.meanwhile(wait, other).await,
            Act::Pass(ms) => self.pass(*ms),
            Act::Back(ms) => self.pass(-ms),
            Act::Tick(ms) => self.tick(*ms).await,
            Act::Check => compare::check_all(self),
            Act::Reopen => self.reopen().await,
            Act::Upkeep => self.upkeep().await,
        }
    }

    fn pass(&mut self, ms: i64) {
        self.model.wall += ms;
        self.engine.clock.0.store(self.model.wall, Ordering::SeqCst);
    }

    /// Time goes on for upkeep too: nothing that is dead stays where something may be written.
    async fn tick(&mut self, ms: i64) {
        self.pass(ms);
        let_pass(UPKEEP).await;
        self.settle().await;
        for listed in self.model.instances.iter().filter(|listed| listed.is_open()) {
            let dead = listed.state.dead(listed.state.now(self.model.wall));
            assert!(dead.is_empty(), "upkeep has left {dead:?} in {}", listed.name);
        }
    }

    /// Lets upkeep do what it has begun, in instances that are new to this kernel too.
    async fn settle(&mut self) {
        let_pass(Duration::from_millis(1)).await;
        self.note_upkeep(&[]);
        let fresh = self.model.instances.iter().filter(|listed| !self.in_use.contains(&listed.id) && listed.is_open());
        let fresh: Vec<String> = fresh.map(|listed| listed.id.clone()).collect();
        for id in fresh {
            let look = Call { target: id.clone(), ..self.call(&Ask::list()) };
            self.ask_engine(&look).await.unwrap();
            self.in_use.push(id);
            let_pass(Duration::from_millis(1)).await;
            self.note_upkeep(&[]);
        }
    }

    /// Upkeep may come at any time, also before a call that is under way: all that is dead goes then, in one turn.
    fn note_upkeep(&mut self, under_way: &[&str]) {
        for at in 0..self.model.instances.len() {
            let listed = &self.model.instances[at];
            let (state, id) = (&listed.state, listed.id.clone());
            if !listed.is_open() || state.dead(state.now(self.model.wall)).is_empty() {
                continue;
            }
            let known = state.head();
            let next = "SELECT operation FROM log WHERE seq = ?1";
            let next: Option<String> = self.database(&id).query_row(next, [known + 1], |row| row.get(0)).ok();
            match next.as_deref() {
                Some("expire_due") => self.model.sweep(at),
                Some(other) => assert!(under_way.contains(&other), "{other} in {id}, which nobody asked for"),
                None => {}
            }
        }
    }

    pub(super) fn folder(&self, id: &str) -> std::path::PathBuf {
        self.engine.folder.path().join("instances").join(&id[..2]).join(id)
    }

    fn database(&mut self, id: &str) -> &rusqlite::Connection {
        let path = self.folder(id).join("instance.db");
        self.databases.entry(id.to_owned()).or_insert_with(|| rusqlite::Connection::open(path).unwrap())
    }

    /// Upkeep does a round, of all instances and thoroughly; then the files hold nothing that should be gone.
    async fn upkeep(&mut self) {
        self.engine.kernel.round(&mut None).await.unwrap();
        self.model.forget();
        self.databases.retain(|id, _| self.model.instances.iter().any(|listed| listed.id == *id));
        compare::check_files(self);
    }

    /// Closes the store and opens it again.
    async fn reopen(&mut self) {
        self.databases.clear();
        let fresh = open_kernel(&self.engine);
        drop(std::mem::replace(&mut self.engine.kernel, fresh));
        let_pass(UPKEEP).await;
        self.in_use.clear();
        self.settle().await;
    }

    /// Does a call on both.
    async fn compare(&mut self, call: &Call) {
        if self.model.instances.len() >= INSTANCES && is_making(&call.operation) {
            return;
        }
        match call.operation.as_str() {
            "wait_for_change" => {
                let since = self.since(call);
                let before = self.model.waited(call, since);
                let answered = self.ask_engine(call).await;
                self.settle().await;
                // Upkeep may have come while it waited.
                let after = self.model.waited(call, since);
                assert!(answered == before || answered == after, "{call:?}\n{answered:#?}\n{before:#?}\n{after:#?}");
            }
            "get_system_prompt" => {
                let answered = self.ask_engine(call).await;
                match self.model.prompt(call) {
                    Ok(None) => assert!(answered.is_ok()),
                    Ok(Some(expected)) => same(call, &answered, &Ok(expected)),
                    Err(refusal) => same(call, &answered, &Err(refusal)),
                }
            }
            _ => {
                let answered = self.ask_engine(call).await;
                self.check(call, answered);
            }
        }
    }

    /// Does on the model what the engine has done.
    fn check(&mut self, call: &Call, answered: Result<Value, Refusal>) {
        let hint = answered.clone().unwrap_or_default();
        let answered = answered.map(plain);
        let before = self.model.clone();
        self.note_upkeep(&[&call.operation]);
        let mut expected = self.model.execute(call, &hint).map(plain);
        if answered != expected {
            // Upkeep came after the call, which left nothing in the log.
            self.model = before;
            expected = self.model.execute(call, &hint).map(plain);
        }
        same(call, &answered, &expected);
    }

    fn since(&self, call: &Call) -> u64 {
        let head = self.model.find(&call.target).map_or(0, |at| self.model.instances[at].state.head());
        call.args["after_version"].as_u64().unwrap_or(head)
    }

    /// Something happens while somebody waits.
    async fn meanwhile(&mut self, wait: &Ask, other: &Ask) {
        let (wait, other) = (self.call(wait), self.call(other));
        let since = self.since(&wait);
        let before = self.model.waited(&wait, since);
        let (waited, answered) = tokio::join!(self.ask_engine(&wait), self.ask_engine(&other));
        self.check(&other, answered);
        if wait.args["wait_ms"] == 0 || before.as_ref().map_or(true, |before| before["timed_out"] == false) {
            return same(&wait, &waited, &before);
        }
        let after = self.model.waited(&wait, since);
        self.settle().await;
        let later = self.model.waited(&wait, since);
        assert!(waited == after || waited == later, "{wait:?}\n{waited:#?}\n{after:#?}\n{later:#?}");
    }

    /// The call that was meant, its words replaced by what they stand for now.
    fn call(&mut self, ask: &Ask) -> Call {
        // All of them may be gone.
        let nobody = Listed { id: "nobody".into(), name: "nobody".into(), ..Listed::default() };
        let listed = self.model.instances.get(ask.on).or(self.model.instances.first()).cloned().unwrap_or(nobody);
        let target = if ask.by_name { listed.name } else { listed.id };
        let mut args = ask.args.clone();
        self.replace(&mut args, &listed.state.log);
        let mut call =
            Call { who: who(ask), target, operation: ask.operation.into(), args, once: ask.once.map(str::to_owned) };
        if let (Some(key), "append_key") = (ask.once, ask.operation) {
            call.args["idempotency_key"] = key.into();
        }
        if is_unfit_for_once(ask.operation) {
            call.once = None;
        }
        call
    }

    fn replace(&mut self, args: &mut Value, log: &[Row]) {
        match args {
            Value::Array(items) => items.iter_mut().for_each(|item| self.replace(item, log)),
            Value::Object(members) => {
                let key = members.get("key").and_then(Value::as_str).unwrap_or_default().to_owned();
                let is_json = members.get("type").is_some_and(|name| name == "json");
                let rows = log.iter().enumerate().rev().filter(|(_, row)| row.is_of("key", &key));
                let rows: Vec<u64> = rows.map(|(index, _)| index as u64 + 1).collect();
                for (name, value) in members.iter_mut() {
                    match (name.as_str(), value.as_str()) {
                        ("if_version", Some(_)) => *value = rows.first().copied().unwrap_or(0).into(),
                        ("version", Some(nth)) => {
                            let nth: usize = nth.trim_start_matches("nth:").parse().unwrap();
                            *value = rows.get(nth).copied().unwrap_or(1000).into();
                        }
                        ("value", Some("canary")) => {
                            self.canaries += 1;
                            let canary = compare::canary(self.canaries);
                            *value = if is_json { format!("\"{canary}\"").into() } else { canary.into() };
                        }
                        ("value" | "text", Some("large")) => {
                            self.canaries += 1;
                            *value = large(rows.len(), self.canaries).into();
                        }
                        ("query", Some(part)) => {
                            let part: u64 = part.trim_start_matches("mark:").parse().unwrap();
                            *value = compare::canary(self.canaries * part / 100).into();
                        }
                        ("instance" | "snapshot" | "from" | "to", Some(slot)) if slot.starts_with("slot:") => {
                            let slot: usize = slot.trim_start_matches("slot:").parse().unwrap();
                            let all = &self.model.instances;
                            *value = all.get(slot % all.len().max(1)).map_or("nobody", |listed| &listed.id).into();
                        }
                        _ => self.replace(value, log),
                    }
                }
            }
            _ => {}
        }
    }
}

fn is_making(operation: &str) -> bool {
    ["instance_create", "instance_clone", "instance_snapshot"].contains(&operation)
}

/// Procedures are not done once; what only looks may be done again.
fn is_unfit_for_once(operation: &str) -> bool {
    operation == "purge_key" || operation.starts_with("instance_") || super::turns::is_read(operation)
}

fn who(ask: &Ask) -> Who {
    let agent = Hand { principal: "local", kind: "agent", client: "program", run: "1" };
    let hand = match ask.who {
        0 => agent,
        1 => Hand { run: "2", ..agent },
        // Each command is a run of its own.
        _ => Hand { kind: "human", client: "cli", run: if ask.on == 0 { "3" } else { "4" }, ..agent },
    };
    Who { hand, mode: ask.mode }
}

/// A value that is kept in a file, some of them no ASCII. Half of them are alike, the others hold a canary.
fn large(number: usize, canary: u64) -> String {
    let pieces = [" large", " lärge"];
    let begin = if number % 4 < 2 { String::new() } else { format!(" {}", compare::canary(canary)) };
    begin + &pieces[number % 2].repeat(12_000)
}

fn same(call: &Call, answered: &Result<Value, Refusal>, expected: &Result<Value, Refusal>) {
    assert_eq!(answered, expected, "the engine's answer is on the left\n{call:?}");
}
