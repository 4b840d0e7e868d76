//! `watch`: changes as they happen, resumed without loss, ended cleanly.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
};

use expect_test::expect;
use serde_json::{Value, json};

use crate::harness::{
    DEADLINE, Env, eventually,
    mcp::{Client, Era, members},
    normal::{is_time, normal, shown},
    run, signal,
};

/// A running `watch` and the lines that it prints.
struct Watching {
    child: Child,
    lines: Receiver<String>,
}

impl Watching {
    fn start(env: &Env, args: &[&str]) -> Self {
        let mut command = env.command();
        command.arg("watch").args(args);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().expect("it starts");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || stdout.lines().map_while(Result::ok).all(|line| sender.send(line).is_ok()));
        Self { child, lines }
    }

    fn next(&self) -> String {
        self.lines.recv_timeout(DEADLINE).expect("a line comes")
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.next()).expect("a line is JSON")
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn changes_of_any_process_are_shown_as_they_happen() {
    let env = Env::new();
    env.cli(&["set", "first", "v"]).ok();
    let watching = Watching::start(&env, &["--since", "0", "--json"]);
    assert_eq!(watching.json()["id"], "first");
    let mut client = env.mcp();
    client.write("from agent", "a");
    let change = watching.json();
    assert_eq!(members(&change), ["actor", "at", "change", "id", "kind", "operation", "seq", "txn"]);
    assert_eq!(
        (&change["id"], &change["change"], &change["seq"]),
        (&json!("from agent"), &json!("created"), &json!(2))
    );
    assert_eq!(change["actor"]["client"], "black-box");
    assert!(is_time(change["at"].as_str().unwrap()));
    env.cli(&["rm", "first"]).ok();
    assert_eq!(watching.json()["change"], "deleted");
    client.call("write_key", json!({"key": "short", "value": "v", "ttl_ms": 1})).ok();
    assert_eq!(
        (watching.json()["change"].clone(), watching.json()["change"].clone()),
        (json!("created"), json!("expired"))
    );
}

#[test]
fn without_a_seq_it_begins_now() {
    let env = Env::new();
    env.cli(&["set", "before", "v"]).ok();
    let watching = Watching::start(&env, &["--json"]);
    // It has begun when it sees one of these; the first that it sees is none from before.
    let mut writes = 0;
    let mut seen = None;
    eventually("a change is seen", || {
        writes += 1;
        env.cli(&["set", "after", &writes.to_string()]).ok();
        seen = watching.lines.try_recv().ok();
        seen.is_some()
    });
    assert!(seen.unwrap().contains("\"after\""));
}

#[test]
fn it_goes_on_from_a_seq_without_loss() {
    let env = Env::new();
    let mut client = env.mcp();
    for number in 0..1_200 {
        client.send_call("write_key", json!({"key": format!("k{}", number % 3), "value": number.to_string()}));
    }
    client.write("last", "v");
    let seqs = |printed: String| -> Vec<u64> {
        printed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["seq"].as_u64().unwrap()).collect()
    };
    let first = seqs(env.cli(&["watch", "--json", "--since", "0", "--count", "700"]).ok());
    let rest = seqs(env.cli(&["watch", "--json", "--since", "700", "--count", "501"]).ok());
    assert_eq!([first, rest].concat(), (1..=1_201).collect::<Vec<_>>());
    let of_one = env.cli(&["watch", "--json", "--since", "0", "--key", "k1", "--count", "400"]).ok();
    let rows: Vec<Value> = of_one.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(rows.len() == 400 && rows.iter().all(|row| row["id"] == "k1"), "{of_one}");
    let of_some = env.cli(&["watch", "--since", "0", "--prefix", "la", "--count", "1"]).ok();
    assert!(of_some.contains("\tlast\tv"), "{of_some}");
}

#[test]
fn a_person_sees_time_who_what_which_and_the_beginning() {
    let env = Env::new();
    env.cli(&["set", "plan", "one\ntwo\u{1b}[2J"]).ok();
    env.mcp().write("plan", &"long ".repeat(50));
    env.cli_with_stdin(&["set", "logo", "--type", "image", "--content-type", "image/png"], &[0xff; 2_048]).ok();
    env.cli(&["rm", "plan"]).ok();
    let mut command = env.command();
    command.args(["watch", "--since", "0", "--count", "4"]).env("CLICOLOR_FORCE", "1");
    let printed = run(command, b"").ok();
    expect![[r"
        watching from seq 0 on; Ctrl-C ends it
        <clock>  cli  created  plan  one two␛[2J
        <clock>  black-box  updated  plan  long long long long long long long long long long long long long long lo…
        <clock>  cli  created  logo  (image/png, 2.0 KiB)
        <clock>  cli  deleted  plan
        to go on from here: mindcache watch --since 4
    "]]
    .assert_eq(&shown(&printed));
    expect![[r"
        1	<time>	created	cli	write_key	plan	one two␛[2J
        2	<time>	updated	black-box	write_key	plan	long long long long long long long long long long long long long long lo…
        3	<time>	created	cli	write_key	logo	(image/png, 2.0 KiB)
        4	<time>	deleted	cli	delete_key	plan
    "]]
    .assert_eq(&normal(&env, &env.cli(&["watch", "--since", "0", "--count", "4"]).ok()));
}

#[test]
fn ctrl_c_ends_it_with_0() {
    let env = Env::new();
    env.cli(&["set", "k", "v"]).ok();
    for name in ["INT", "TERM"] {
        let mut watching = Watching::start(&env, &["--since", "0"]);
        watching.next();
        signal(watching.child.id(), name);
        // The end of its lines is its end.
        assert!(watching.lines.recv_timeout(DEADLINE).is_err(), "nothing more is printed");
        assert_eq!(watching.child.wait().unwrap().code(), Some(0), "{name}");
    }
}

#[test]
fn what_was_trimmed_is_said() {
    let env = Env::new();
    let mut command = env.command();
    command.args(["mcp", "--history-rows", "5"]).env("MINDCACHE_UPKEEP_EVERY_MS", "100");
    let mut client = Client::start(command, Era::Legacy);
    client.handshake();
    for number in 0..40 {
        client.write("k", &number.to_string());
    }
    let mut first = String::new();
    eventually("old rows go", || {
        first = env.cli(&["watch", "--since", "0", "--count", "1", "--json"]).ok();
        first.contains("trimmed")
    });
    let lines: Vec<Value> = first.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let until = lines[0]["trimmed"]["until"].as_u64().unwrap();
    assert_eq!((&lines[0]["trimmed"]["from"], lines[1]["seq"].as_u64().unwrap()), (&json!(1), until + 1));
    let told = env.cli(&["watch", "--since", "0", "--count", "1"]).ok();
    assert!(told.starts_with("1 to ") && told.contains(" were trimmed from the log; going on with "), "{told}");
}

#[test]
fn an_instance_that_is_not_there_is_not_watched() {
    let env = Env::new();
    env.cli(&["-i", "nowhere", "watch"]).fails(3);
    env.cli(&["watch", "--key", "a", "--prefix", "b"]).fails(2);
    env.cli(&["watch", "--count", "0"]).fails(2);
}
