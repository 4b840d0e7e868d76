//! How commands end: the exit code says what kind of failure it was, standard error says what to do.

use crate::harness::Env;

#[test]
fn help_and_version_are_no_failures() {
    let env = Env::new();
    assert!(env.cli(&["--version"]).ok().starts_with(concat!("mindcache ", env!("CARGO_PKG_VERSION"))));
    let help = env.cli(&["--help"]).ok();
    for command in ["mcp", "serve", "get", "set", "ls", "rm", "attr", "call"] {
        assert!(help.contains(command), "{command} is in the help");
        env.cli(&[command, "--help"]).ok();
    }
}

#[test]
fn help_says_what_the_exit_codes_mean() {
    let env = Env::new();
    let help = env.cli(&["--help"]).ok().to_lowercase();
    for word in ["exit", "not found", "conflict", "unavailable"] {
        assert!(help.contains(word), "{word}: {help}");
    }
}

#[test]
fn what_cannot_be_understood_ends_with_2() {
    let env = Env::new();
    for args in [
        &[][..],
        &["frobnicate"],
        &["get"],
        &["get", "a", "b"],
        &["get", "k", "--no-such-flag"],
        &["mcp", "--mode", "admin"],
        &["serve", "--listen", "not an address"],
        &["set", "k", "v", "--if-version", "soon"],
        &["set", "k", "v", "--file", "also a file"],
    ] {
        env.cli(args).fails(2);
    }
    assert!(!env.data().exists(), "a command that is not understood makes nothing");
}

#[test]
fn what_does_not_exist_ends_with_3_and_is_named() {
    let env = Env::new();
    assert!(env.cli(&["get", "no such key"]).fails(3).contains("no such key"));
    assert!(env.cli(&["rm", "no such key"]).fails(3).contains("no such key"));
    assert!(env.cli(&["attr", "no such key", "--tags", "a"]).fails(3).contains("no such key"));
    assert!(env.cli(&["-i", "nowhere", "get", "k"]).fails(3).contains("nowhere"));
    assert!(env.cli(&["-i", "nowhere", "set", "k", "v"]).fails(3).contains("nowhere"));
    env.cli(&["ls"]).ok();
}

#[test]
fn a_conflict_ends_with_4_and_names_the_current_version() {
    let env = Env::new();
    let version = env.cli(&["set", "k", "v", "--json"]).json()["version"].to_string();
    let message = env.cli(&["set", "k", "w", "--if-version", "0"]).fails(4);
    assert!(message.contains(&version), "{message}");
    env.cli(&["set", "k", "w", "--if-version", &version]).ok();
    env.cli(&["set", "k", "x", "--if-version", &version]).fails(4);
    assert_eq!(env.cli(&["get", "k"]).ok(), "w");
}

#[test]
fn what_is_not_permitted_ends_with_5() {
    let env = Env::new();
    env.cli(&["set", "k", "v"]).ok();
    env.cli(&["attr", "k", "--system-tags", "LLMRead,protected"]).ok();
    assert!(env.cli(&["rm", "k"]).fails(5).contains("protected"));
    assert_eq!(env.cli(&["get", "k"]).ok(), "v");
    env.cli(&["attr", "k", "--system-tags", "LLMRead"]).ok();
    env.cli(&["rm", "k"]).ok();
}

#[test]
fn a_store_that_cannot_be_used_ends_with_6() {
    let env = Env::new();
    std::fs::write(env.data(), "a file where the folder should be").unwrap();
    for args in [&["get", "k"][..], &["set", "k", "v"], &["ls"], &["rm", "k"]] {
        let message = env.cli(args).fails(6);
        assert!(message.contains("data"), "the folder is named: {message}");
    }
}

#[test]
fn what_is_refused_for_its_content_fails_and_changes_nothing() {
    let env = Env::new();
    env.cli(&["set", "k", "v"]).ok();
    let file = env.file("broken.json", b"{");
    for args in [
        &["set", "$date", "v"][..],
        &["set", "", "v"],
        &["set", "k", "{", "--type", "json"],
        &["set", "k", "--file", &file, "--type", "json"],
        &["set", "k", "--file", "/no/such/file"],
        &["set", "k", "v", "--type", "image"],
        &["attr", "k", "--system-tags", "NoSuchTag"],
        &["call", "write_key", "{"],
        &["call", "write_key", "{\"key\": \"k\"}"],
        &["call", "no_such_operation", "{}"],
    ] {
        let output = env.cli(args);
        assert!((1..=3).contains(&output.code), "{args:?} ended with {}", output.code);
        assert!(!output.stderr.trim().is_empty() && output.stdout.is_empty(), "{args:?}");
    }
    assert_eq!(env.cli(&["get", "k"]).ok(), "v");
    assert_eq!(env.cli(&["ls"]).ok(), "k\n");
}

#[test]
fn a_durability_that_does_not_exist_is_refused() {
    let env = Env::new();
    let mut command = env.command();
    command.args(["ls"]).env("MINDCACHE_DURABILITY", "sometimes");
    let output = crate::harness::run(command, b"");
    assert_eq!(output.code, 2, "{}", output.stderr);
}

#[test]
fn a_mode_may_come_from_the_environment() {
    let env = Env::new();
    let mut command = env.command();
    command.arg("mcp").env("MINDCACHE_MODE", "read");
    let mut client = crate::harness::mcp::Client::start(command, crate::harness::mcp::Era::Legacy);
    client.handshake();
    let listed = client.request("tools/list", serde_json::json!({})).unwrap().to_string();
    assert!(listed.contains("list_keys") && !listed.contains("write_key\","), "{listed}");
}
