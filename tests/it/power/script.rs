//! A run of several processes under a tracer: what they were asked, what they did to their files, what they answered.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use super::calls::{self, Act, Call};
use crate::harness::{
    Env,
    audit::{Audit, instance_folder},
    eventually,
    mcp::{Client, Era},
    skip,
};

/// The processes of a run, each with the instance it works on. The last starts when the others have ended, and trims
/// the logs.
const WHO: [&str; 4] = ["default", "default", "other", "default"];
const FIRST: usize = 0;
const SECOND: usize = 1;
const OTHER: usize = 2;
const LATER: usize = 3;

/// How the last process keeps the logs short.
const TRIMMING: [(&str, &str); 2] = [("MINDCACHE_UPKEEP_EVERY_MS", "50"), ("MINDCACHE_HISTORY_ROWS", "4")];

/// A call of one of the processes.
struct Step(usize, &'static str, Value);

/// What is asked: the steps of a burst are sent at once, so that commits take several of them together. An operation
/// that is not here yet is one more line.
fn script() -> Vec<Vec<Step>> {
    let large = |of: &str| of.repeat(70_000);
    let writes = |who: usize, name: &'static str| {
        (0..6).map(move |number| Step(who, "write_key", json!({"key": format!("{name} {number}"), "value": name})))
    };
    let call = |name: &str, args: Value| json!({"name": name, "args": args});
    vec![
        // All three start at once on nothing.
        vec![
            Step(FIRST, "write_key", json!({"key": "a", "value": "one"})),
            Step(SECOND, "write_key", json!({"key": "b", "value": "two"})),
            Step(OTHER, "write_key", json!({"key": "a", "value": "three"})),
        ],
        writes(FIRST, "group").chain(writes(SECOND, "squad")).chain(writes(OTHER, "troop")).collect(),
        // Two processes keep the same bytes at once.
        vec![
            Step(FIRST, "write_key", json!({"key": "large", "value": large("x")})),
            Step(SECOND, "write_key", json!({"key": "as large", "value": large("x")})),
            Step(OTHER, "write_key", json!({"key": "large", "value": large("y")})),
        ],
        vec![
            Step(FIRST, "append_key", json!({"key": "a", "text": " and more"})),
            Step(FIRST, "append_key", json!({"key": "large", "text": " and more"})),
            Step(SECOND, "delete_key", json!({"key": "b"})),
            Step(SECOND, "rename_key", json!({"key": "squad 1", "new_key": "squad one"})),
            Step(OTHER, "op_call", call("instance_create", json!({"name": "third"}))),
        ],
        vec![
            Step(FIRST, "delete_key", json!({"key": "as large"})),
            Step(SECOND, "write_key", json!({"key": "large", "value": "small", "ttl_ms": 100_000_000})),
            Step(SECOND, "set_key_attributes", json!({"key": "a", "tags": ["red", "green"]})),
            Step(OTHER, "clear_keys", json!({})),
        ],
        writes(OTHER, "after").chain(writes(SECOND, "squad")).collect(),
        // Whole copies, while others write, and one of some keys.
        vec![
            Step(FIRST, "op_call", call("instance_snapshot", json!({"instance": "default"}))),
            Step(SECOND, "op_call", call("instance_clone", json!({"instance": "default", "name": "copy"}))),
            Step(
                OTHER,
                "op_call",
                call("instance_clone", json!({"instance": "default", "name": "part", "prefix": "as"})),
            ),
            Step(OTHER, "write_key", json!({"key": "a", "value": "meanwhile"})),
        ],
        vec![
            Step(FIRST, "op_call", call("purge_key", json!({"key": "large", "everywhere": true}))),
            Step(OTHER, "op_call", call("instance_delete", json!({"instance": "third"}))),
            Step(SECOND, "write_key", json!({"key": "a", "value": "meanwhile"})),
        ],
        // What the others wrote has been moved from the log into the file.
        writes(LATER, "later").collect(),
        vec![
            Step(LATER, "write_key", json!({"key": "large", "value": large("z")})),
            Step(LATER, "delete_key", json!({"key": "a"})),
        ],
    ]
}

/// Something a process has answered, and when the answer began to leave.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) at: u64,
    /// The name of the instance on which it worked.
    pub(super) instance: &'static str,
    /// The version of the change; 0 where there was none.
    pub(super) version: u64,
    /// The id of the instance that was made.
    pub(super) made: Option<String>,
    /// Values were taken out of the logs.
    pub(super) is_purge: bool,
}

/// A run that has ended.
#[derive(Debug)]
pub(super) struct Run {
    /// The folder above the data folder, as the trace names it.
    pub(super) root: String,
    pub(super) calls: Vec<Call>,
    pub(super) told: Vec<Told>,
    /// The instances as they were at the end: by id, the catalog under its own name.
    pub(super) ends: BTreeMap<String, Audit>,
}

/// The tracer. Nothing, and a word about it, where there is none or it may not trace.
fn strace() -> Option<PathBuf> {
    let program = ["/usr/bin/strace", "/bin/strace", "/usr/local/bin/strace"].map(PathBuf::from);
    let may_trace = |path: &PathBuf| {
        Command::new(path).args(["-o", "/dev/null", "true"]).output().is_ok_and(|out| out.status.success())
    };
    let found = program.into_iter().find(|path| path.exists()).filter(may_trace);
    if found.is_none() {
        skip("there is no strace here, or it may not trace");
    }
    found
}

/// Starts a process under the tracer.
fn start(env: &Env, strace: &Path, trace: &Path, who: usize, durability: &str) -> Client {
    let mut command = env.command_of(strace);
    command.args(["-f", "-y", "-s", "1000000", "--absolute-timestamps=format:unix,precision:ns", "--syscall-times=ns"]);
    command.args(["-e", calls::TRACED]).arg("-o").arg(trace);
    command.args([env!("CARGO_BIN_EXE_mindcache"), "mcp", "--mode", "edit", "--instance", WHO[who]]);
    command.env("MINDCACHE_DURABILITY", durability).env("MINDCACHE_SEARCH", "off");
    if who == LATER {
        command.envs(TRIMMING);
    }
    Client::start(command, Era::Modern)
}

/// Plays the script. Nothing where there is no tracer.
pub(super) fn run(durability: &str) -> Option<Run> {
    let strace = strace()?;
    let env = Env::new();
    let trace = |who: usize| env.path(&format!("trace {who}"));
    let mut clients: BTreeMap<usize, Client> = BTreeMap::new();
    for burst in script() {
        if burst.iter().any(|step| step.0 == LATER) && !clients.contains_key(&LATER) {
            end(&mut clients);
        }
        let mut sent = Vec::new();
        for Step(who, tool, args) in burst {
            let begin = || start(&env, &strace, &trace(who), who, durability);
            sent.push((who, clients.entry(who).or_insert_with(begin).send_call(tool, args)));
        }
        for (who, id) in sent {
            let reply = clients.get_mut(&who).expect("it was started").reply(id).expect("the call is taken");
            assert!(reply["isError"] != true, "{reply}");
        }
    }
    let later = clients.get_mut(&LATER).expect("it has come");
    let log = json!({"name": "log_read", "args": {"since": 0}});
    eventually("the log is trimmed", || {
        let reply = later.call("op_call", log.clone());
        reply.structured["error"]["code"] == "log_truncated"
    });
    end(&mut clients);
    let traces: Vec<_> = (0..WHO.len()).map(|who| (WHO[who], trace(who))).collect();
    Some(Run::of(&env, &traces))
}

/// One process that writes a key and a value with a file of its own, in a folder as it is. Nothing where there is no
/// tracer.
pub(super) fn run_one(env: &Env, key: &str) -> Option<Run> {
    let trace = env.path("trace");
    let mut client = start(env, &strace()?, &trace, FIRST, "full");
    client.write(key, "value");
    client.write("large", &"x".repeat(70_000));
    end(&mut BTreeMap::from([(FIRST, client)]));
    Some(Run::of(env, &[("default", trace)]))
}

/// Lets processes end by themselves.
fn end(clients: &mut BTreeMap<usize, Client>) {
    for client in std::mem::take(clients).into_values() {
        assert!(client.close_stdin_and_wait().status.success());
    }
}

impl Run {
    fn of(env: &Env, traces: &[(&'static str, PathBuf)]) -> Self {
        let (mut all, mut told) = (Vec::new(), Vec::new());
        for (instance, trace) in traces {
            let calls = calls::read(&fs::read_to_string(trace).expect("the trace"));
            told.extend(calls.iter().flat_map(|call| answers(call, instance)));
            all.extend(calls);
        }
        all.sort_by_key(|call| call.began);
        told.sort_by_key(|told| told.at);
        let catalog = Audit::of(&env.data().join("catalog"));
        let mut ends = BTreeMap::new();
        for id in catalog.instances().into_values() {
            let audit = Audit::of(&instance_folder(&env.data(), &id));
            assert!(audit.problems.is_empty(), "the run itself is well: {:?}", audit.problems);
            ends.insert(id, audit);
        }
        assert!(catalog.problems.is_empty(), "the run itself is well: {:?}", catalog.problems);
        ends.insert("catalog".to_owned(), catalog);
        let root = env.path("").to_string_lossy().trim_end_matches('/').to_owned();
        Self { root, calls: all, told, ends }
    }
}

/// The answers in the bytes that a call wrote.
fn answers(call: &Call, instance: &'static str) -> Vec<Told> {
    let Act::Say(bytes) = &call.act else { return Vec::new() };
    let text = String::from_utf8_lossy(bytes);
    let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let results = messages.map(|mut message| message["result"]["structuredContent"].take());
    let told = results.filter(Value::is_object).map(|result| Told {
        at: call.began,
        instance,
        version: result["version"].as_u64().unwrap_or_default(),
        made: result["id"].as_str().map(str::to_owned),
        is_purge: result["purged"].is_u64(),
    });
    told.collect()
}
