//! `history` and `diff`: what was, told to a person and to a program.

use expect_test::expect;
use serde_json::json;

use crate::harness::{
    Env,
    normal::{normal, shown},
    run,
};

/// What a person is shown.
fn told(env: &Env, args: &[&str]) -> String {
    let mut command = env.command();
    command.args(args).env("CLICOLOR_FORCE", "1");
    normal(env, &shown(&run(command, b"").ok()))
}

fn with_a_past() -> Env {
    let env = Env::new();
    env.cli(&["set", "plan", "one\ntwo\nthree\n"]).ok();
    env.mcp().call("edit_key", json!({"key": "plan", "old_text": "two", "new_text": "2\u{1b}[31m"})).ok();
    env.cli(&["attr", "plan", "--tags", "open"]).ok();
    env.cli(&["rm", "plan"]).ok();
    env.cli(&["set", "plan", &"x".repeat(2_000)]).ok();
    env
}

#[test]
fn a_history_is_told_in_words() {
    let env = with_a_past();
    expect![[r"
        5  created <ago> by cli (write_key)
            not shown: over 1 KiB, or not kept
        4  deleted <ago> by cli (delete_key)
        3  updated <ago> by cli (set_key_attributes)
            one 2␛[31m three
        2  updated <ago> by black-box (edit_key)
            one 2␛[31m three
        1  created <ago> by cli (write_key)
            one two three
    "]]
    .assert_eq(&told(&env, &["history", "plan"]));
    assert!(told(&env, &["history", "plan", "--limit", "2"]).contains("there are older ones"));
}

#[test]
fn a_history_for_a_program_is_a_line_a_version() {
    let env = with_a_past();
    let printed = env.cli(&["history", "plan"]).ok();
    expect![[r#"
        5	<time>	created	cli	write_key
        4	<time>	deleted	cli	delete_key
        3	<time>	updated	cli	set_key_attributes	"one\n2\u001b[31m\nthree\n"
        2	<time>	updated	black-box	edit_key	"one\n2\u001b[31m\nthree\n"
        1	<time>	created	cli	write_key	"one\ntwo\nthree\n"
    "#]]
    .assert_eq(&normal(&env, &printed));
}

#[test]
fn a_diff_shows_what_changed_between_two_versions() {
    let env = with_a_past();
    expect![[r"
        --- version 1
        +++ version 2
        @@ -1,3 +1,3 @@
         one
        -two
        +2␛[31m
         three
    "]]
    .assert_eq(&told(&env, &["diff", "plan", "1", "2"]));
    expect![[r#"
        tags: none -> ["open"]
    "#]]
    .assert_eq(&told(&env, &["diff", "plan", "2", "3"]));
    assert_eq!(told(&env, &["diff", "plan", "2", "2"]), "Versions 2 and 2 of key \"plan\" are the same.\n");
    let deleted = env.cli(&["diff", "plan", "3", "4"]).ok();
    assert!(deleted.starts_with("--- version 3\n+++ version 4 (not there)\n@@ -1,3 +0,0 @@\n-one\n"), "{deleted}");
    assert!(deleted.contains("2\u{1b}[31m"), "a program gets the value as it is");
    let last = env.cli(&["diff", "plan"]).ok();
    assert!(last.starts_with("--- version 4 (not there)\n+++ version 5\n"), "the last change: {last}");
    let since = env.cli(&["diff", "plan", "1", "--json"]).json();
    assert_eq!((&since["from"], &since["to"]), (&json!(1), &json!(5)));
    assert!(since["diff"].as_str().unwrap().contains("-two\n"));
    env.cli(&["diff", "plan", "9"]).fails(3);
    env.cli(&["diff", "nothing"]).fails(3);
}

#[test]
fn a_first_version_is_compared_with_nothing_and_bytes_by_their_sizes() {
    let env = Env::new();
    env.cli(&["set", "k", "v"]).ok();
    expect![[r"
        --- version 0 (not there)
        +++ version 1
        @@ -0,0 +1 @@
        +v
        \ No newline at end of file
    "]]
    .assert_eq(&env.cli(&["diff", "k"]).ok());
    let write =
        |bytes: &[u8]| env.cli_with_stdin(&["set", "logo", "--type", "image", "--content-type", "image/png"], bytes);
    write(&[0xff; 10]).ok();
    write(&vec![0xfe; 200_000]).ok();
    assert_eq!(env.cli(&["diff", "logo"]).ok(), "-image/png, 10 bytes\n+image/png, 195.3 KiB\n");
    env.cli_with_stdin(&["set", "large"], "line\n".repeat(40_000).as_bytes()).ok();
    env.cli(&["append", "large", "more"]).ok();
    assert!(env.cli(&["diff", "large"]).ok().ends_with(" line\n+more\n\\ No newline at end of file\n"));
}

#[test]
fn a_value_that_is_not_kept_is_not_compared() {
    let env = Env::new();
    env.cli(&["set", "secret", "one"]).ok();
    env.cli(&["set", "secret", "two"]).ok();
    env.cli(&["call", "purge_key", "{\"key\": \"secret\"}"]).ok();
    assert!(env.cli(&["diff", "secret"]).fails(6).contains("not kept"));
}

#[test]
fn instances_are_compared_with_their_values() {
    let env = Env::new();
    env.cli(&["set", "same", "v"]).ok();
    env.cli(&["set", "changed", "old\n"]).ok();
    env.cli(&["set", "gone", "v"]).ok();
    env.cli(&["instance", "clone", "default", "copy"]).ok();
    env.cli(&["-i", "copy", "set", "changed", "new\n"]).ok();
    env.cli(&["-i", "copy", "set", "came", "v\n"]).ok();
    env.cli(&["-i", "copy", "rm", "gone"]).ok();
    expect![[r"
        + came
        - gone
        ~ changed
        Keys added: 1, removed: 1, changed: 1.
    "]]
    .assert_eq(&told(&env, &["instance", "diff", "default", "copy"]));
    expect![[r"
        + came
        --- version 0 (not there)
        +++ version 5
        @@ -0,0 +1 @@
        +v
        - gone
        --- version 3
        +++ version 0 (not there)
        @@ -1 +0,0 @@
        -v
        \ No newline at end of file
        ~ changed
        --- version 2
        +++ version 4
        @@ -1 +1 @@
        -old
        +new
        Keys added: 1, removed: 1, changed: 1.
    "]]
    .assert_eq(&told(&env, &["instance", "diff", "default", "copy", "--values"]));
}
