//! `edit` and `append`: a person's editor, and the script's way round it.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::harness::{Env, Output, run};

/// Runs `edit` with a shell script as the editor: `$1` is the file, `mindcache` this program.
fn edit(env: &Env, key: &str, script: &str, answers: &str) -> Output {
    let script = env.file("editor.sh", script.as_bytes());
    let mut command = env.command_that_finds_it("mindcache");
    command.args(["edit", key]).env("EDITOR", format!("sh '{script}'"));
    command.env("TMPDIR", env.path(""));
    run(command, answers.as_bytes())
}

/// The folders of texts that were kept.
fn drafts(env: &Env) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(env.path("")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.to_string_lossy().contains("mindcache-edit-")).collect()
}

/// The one text that was kept, which the message must name.
fn kept(env: &Env, message: &str) -> String {
    let folders = drafts(env);
    let file = std::fs::read_dir(&folders[0]).unwrap().next().unwrap().unwrap().path();
    assert_eq!(folders.len(), 1);
    assert!(message.contains(file.to_str().unwrap()), "{message}");
    std::fs::read_to_string(file).unwrap()
}

#[test]
fn what_the_editor_saves_is_saved_and_nothing_else_changes() {
    let env = Env::new();
    env.mcp().call("write_key", json!({"key": "k", "value": "one\ntwo", "tags": ["t"], "ttl_ms": 3_600_000})).ok();
    let before = env.cli(&["get", "k", "--json"]).json();
    let output = edit(&env, "k", "sed -i s/two/2/ \"$1\"", "");
    assert_eq!(output.ok(), "Wrote key \"k\", now at version 2.\n");
    let mut after = env.cli(&["get", "k", "--json"]).json();
    assert_eq!(after["value"], "one\n2");
    for changed in ["value", "version", "updated_at", "updated_by"] {
        after[changed] = before[changed].clone();
    }
    assert_eq!(after, before, "type, tags and expiry stay");
    assert!(drafts(&env).is_empty());
}

#[test]
fn nothing_is_written_when_nothing_changed() {
    let env = Env::new();
    env.cli(&["set", "k", "no line end"]).ok();
    for script in ["true", "printf '\\n' >> \"$1\""] {
        assert!(edit(&env, "k", script, "").ok().contains("as it was"), "{script}");
    }
    assert_eq!(env.cli(&["get", "k", "--json"]).json()["version"], 1);
    assert!(drafts(&env).is_empty());
}

#[test]
fn the_copy_is_private_and_named_after_the_key() {
    let env = Env::new();
    env.cli(&["set", "a/config", "{}", "--type", "json"]).ok();
    let script = "stat -c %a \"$1\" \"$(dirname \"$1\")\" > seen; basename \"$1\" >> seen";
    edit(&env, "a/config", script, "").ok();
    assert_eq!(std::fs::read_to_string(env.path("seen")).unwrap(), "600\n700\na_config.json\n");
}

#[test]
fn an_empty_value_can_be_filled_and_a_full_one_emptied() {
    let env = Env::new();
    env.cli(&["set", "k", ""]).ok();
    edit(&env, "k", "echo text > \"$1\"", "").ok();
    assert_eq!(env.cli(&["get", "k"]).ok(), "text");
    edit(&env, "k", ": > \"$1\"", "").ok();
    assert_eq!(env.cli(&["get", "k"]).ok(), "");
    env.cli_with_stdin(&["set", "long"], "é line\n".repeat(20_000).as_bytes()).ok();
    edit(&env, "long", "echo end >> \"$1\"", "").ok();
    assert_eq!(env.cli(&["get", "long"]).ok(), "é line\n".repeat(20_000) + "end\n");
}

#[test]
fn whoever_was_faster_wins_and_the_text_is_kept() {
    let env = Env::new();
    env.cli(&["set", "k", "one\ntwo\n"]).ok();
    let message = edit(&env, "k", "mindcache set k 'theirs\ntwo\n' >&2; sed -i s/one/mine/ \"$1\"", "").fails(4);
    for shown in ["--- stored: version 2\n", "+++ yours: from version 1\n", "\n-theirs\n+mine\n two\n"] {
        assert!(message.contains(shown), "{shown}: {message}");
    }
    assert_eq!(kept(&env, &message), "mine\ntwo\n");
    assert_eq!(env.cli(&["get", "k"]).ok(), "theirs\ntwo\n");
}

#[test]
fn a_key_that_was_deleted_meanwhile_is_not_brought_back() {
    let env = Env::new();
    env.cli(&["set", "k", "v"]).ok();
    let message = edit(&env, "k", "mindcache rm k >&2; echo mine > \"$1\"", "").fails(4);
    assert!(message.contains("--- stored: the key was deleted\n"), "{message}");
    assert_eq!(kept(&env, &message), "mine\n");
    env.cli(&["get", "k"]).fails(3);
}

#[test]
fn json_that_is_none_is_edited_again_or_kept() {
    let env = Env::new();
    env.cli(&["set", "k", "{\"a\": 1}", "--type", "json"]).ok();
    let script = "if [ -e once ]; then echo '{\"a\": 2.50}' > \"$1\"; else touch once; echo '{' > \"$1\"; fi";
    let output = edit(&env, "k", script, "y\n");
    assert!(output.stderr.contains("this is not JSON: EOF") && output.stderr.contains("edit it again?"));
    output.ok();
    assert_eq!(env.cli(&["get", "k"]).ok(), "{\"a\": 2.50}", "the digits stay");
    let message = edit(&env, "k", "echo '[' > \"$1\"", "n\n").fails(1);
    assert_eq!(kept(&env, &message), "[\n");
    assert_eq!(env.cli(&["get", "k"]).ok(), "{\"a\": 2.50}");
}

#[test]
fn a_value_that_the_schema_forbids_is_edited_again() {
    let env = Env::new();
    env.cli(&["set", "k", "{\"n\": 1}", "--type", "json"]).ok();
    env.cli(&["attr", "k", "--schema", "{\"properties\": {\"n\": {\"type\": \"integer\"}}}"]).ok();
    let script = "if [ -e once ]; then echo '{\"n\": 2}' > \"$1\"; else touch once; echo '{\"n\": \"x\"}' > \"$1\"; fi";
    edit(&env, "k", script, "y\n").ok();
    assert_eq!(env.cli(&["get", "k"]).ok(), "{\"n\": 2}");
}

#[test]
fn an_editor_that_fails_or_is_not_there_changes_nothing() {
    let env = Env::new();
    env.cli(&["set", "k", "v"]).ok();
    assert!(edit(&env, "k", "echo x > \"$1\"; exit 3", "").fails(1).contains("nothing was written"));
    let mut command = env.command();
    command.args(["edit", "k"]).env("VISUAL", "no-such-editor").env("EDITOR", "true");
    assert!(run(command, b"").fails(1).contains("no-such-editor"));
    assert_eq!(env.cli(&["get", "k"]).ok(), "v");
    env.cli_with_stdin(&["set", "logo", "--type", "image", "--content-type", "image/png"], b"\xff").ok();
    assert!(edit(&env, "logo", "true", "").fails(2).contains("--file"));
    edit(&env, "nothing", "true", "").fails(3);
}

#[test]
fn bug_an_editor_that_failed_in_the_second_round_took_the_text_of_the_first_with_it() {
    let env = Env::new();
    env.cli(&["set", "k", "{}", "--type", "json"]).ok();
    let script = "if [ -e once ]; then exit 3; else touch once; echo 'mine, no json' > \"$1\"; fi";
    let message = edit(&env, "k", script, "y\n").fails(1);
    assert_eq!(kept(&env, &message), "mine, no json\n");
}

#[test]
fn a_script_replaces_a_piece_and_appends() {
    let env = Env::new();
    env.cli(&["set", "k", "a b a"]).ok();
    env.cli(&["edit", "k", "--old", "b", "--new", "c"]).ok();
    assert_eq!(env.cli(&["get", "k"]).ok(), "a c a");
    env.cli(&["edit", "k", "--old", "a", "--new", "x"]).fails(2);
    env.cli(&["edit", "k", "--old", "a", "--new", "x", "--count", "2"]).ok();
    env.cli(&["edit", "k", "--old", "a"]).fails(2);
    env.cli(&["edit", "k", "--old", "x", "--new", "y", "--count", "2", "--if-version", "1"]).fails(4);
    env.cli(&["append", "k", " d"]).ok();
    env.cli_with_stdin(&["append", "k"], b" e\n").ok();
    let appended = env.cli(&["append", "k", "--json", "--", "-f"]).json();
    assert_eq!((&appended["created"], &appended["key"]), (&Value::Bool(false), &json!("k")));
    assert_eq!(env.cli(&["get", "k"]).ok(), "x c x d e\n-f");
    env.cli(&["append", "new", "v"]).ok();
    env.cli(&["append", "new", "v", "--if-version", "1"]).fails(4);
    assert_eq!(env.cli(&["get", "new"]).ok(), "v");
}
