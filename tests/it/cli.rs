//! The commands a person types: what they print and what they take.

use expect_test::expect;
use serde_json::{Value, json};

use crate::harness::{
    Env,
    mcp::{members, text},
    normal::normal,
};

#[test]
fn get_prints_the_value_as_it_is() {
    let env = Env::new();
    for value in ["plain", "", "two\nlines", "ends with a line\n", "é 😀", "-dash", " space "] {
        env.cli(&["set", "k", "--", value]).ok();
        assert_eq!(env.cli(&["get", "k"]).ok(), value);
    }
}

#[test]
fn set_takes_its_value_from_an_argument_a_file_or_standard_input() {
    let env = Env::new();
    env.cli(&["set", "argument", "a"]).ok();
    let file = env.file("value.txt", "from a file\n".as_bytes());
    env.cli(&["set", "file", "--file", &file]).ok();
    env.cli_with_stdin(&["set", "stdin"], "from standard input é\n".as_bytes()).ok();
    assert_eq!(env.cli(&["get", "argument"]).ok(), "a");
    assert_eq!(env.cli(&["get", "file"]).ok(), "from a file\n");
    assert_eq!(env.cli(&["get", "stdin"]).ok(), "from standard input é\n");
}

#[test]
fn a_picture_goes_in_and_out_byte_for_byte() {
    let env = Env::new();
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let file = env.file("picture.png", &bytes);
    env.cli(&["set", "p", "--file", &file, "--type", "image", "--content-type", "image/png"]).ok();
    let output = env.cli(&["get", "p"]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(output.stdout == bytes, "{} bytes came back", output.stdout.len());
    let key = env.cli(&["get", "p", "--json"]).json();
    assert_eq!((&key["type"], &key["content_type"]), (&json!("image"), &json!("image/png")));
}

#[test]
fn ls_prints_a_name_a_line_in_order() {
    let env = Env::new();
    assert_eq!(env.cli(&["ls"]).ok(), "");
    for key in ["b", "a/x", "a", "é"] {
        env.cli(&["set", key, "v"]).ok();
    }
    assert_eq!(env.cli(&["ls"]).ok(), "a\na/x\nb\né\n");
}

#[test]
fn ls_prints_all_names_however_many() {
    let env = Env::new();
    let mut client = env.mcp();
    let ids: Vec<_> =
        (0..150).map(|n| client.send_call("write_key", json!({"key": format!("k{n:03}"), "value": "v"}))).collect();
    client.collect(&ids);
    assert_eq!(env.cli(&["ls"]).ok().lines().count(), 150);
}

#[test]
fn rm_removes_the_key() {
    let env = Env::new();
    env.cli(&["set", "k", "v"]).ok();
    env.cli(&["rm", "k"]).ok();
    assert_eq!(env.cli(&["ls"]).ok(), "");
}

#[test]
fn attr_sets_tags_and_leaves_the_value() {
    let env = Env::new();
    env.cli(&["set", "k", "v"]).ok();
    env.cli(&["attr", "k", "--system-tags", "SystemPrompt,LLMRead", "--tags", "red,blue"]).ok();
    let key = env.cli(&["get", "k", "--json"]).json();
    assert_eq!(key["system_tags"], json!(["SystemPrompt", "LLMRead"]));
    assert_eq!((&key["tags"], &key["value"]), (&json!(["red", "blue"]), &json!("v")));
    env.cli(&["set", "k", "w"]).ok();
    assert_eq!(env.cli(&["get", "k", "--json"]).json()["tags"], json!(["red", "blue"]), "set keeps the tags");
}

#[test]
fn call_runs_any_operation_and_prints_its_result() {
    let env = Env::new();
    let written = env.cli(&["call", "write_key", "{\"key\": \"k\", \"value\": \"v\", \"tags\": [\"t\"]}"]).json();
    assert_eq!(members(&written), ["created", "key", "version"]);
    let listed = env.cli(&["call", "list_keys", "{\"tag\": \"t\"}", "--json"]).json();
    assert_eq!(listed["keys"][0]["key"], "k");
    let cleared = env.cli(&["call", "clear_keys", "{}"]).json();
    assert_eq!(cleared["deleted"], 1, "a person acts in edit mode");
}

#[test]
fn json_prints_the_structured_result() {
    let env = Env::new();
    let written = env.cli(&["set", "k", "v", "--json"]).json();
    assert_eq!((members(&written), &written["created"]), (vec!["created", "key", "version"], &json!(true)));
    let mut key = env.cli(&["get", "k", "--json"]).json();
    assert_eq!(key["version"], written["version"]);
    key["version"] = 0.into();
    // Which client name the command line goes by is its own affair.
    assert!(key["updated_by"]["client"].is_string());
    key["updated_by"]["client"] = "cli".into();
    expect![[r#"
        {
          "key": "k",
          "type": "text",
          "value": "v",
          "version": 0,
          "tags": [],
          "system_tags": [
            "LLMRead",
            "LLMWrite"
          ],
          "z_index": 0,
          "created_at": "<time>",
          "updated_at": "<time>",
          "updated_by": {
            "principal": "local",
            "client": "cli"
          }
        }"#]]
    .assert_eq(&normal(&env, &serde_json::to_string_pretty(&key).unwrap()));
    let listed = env.cli(&["--json", "ls"]).json();
    assert_eq!(members(&listed), ["as_of_seq", "keys", "next_cursor"]);
    let removed = env.cli(&["rm", "k", "--json"]).json();
    assert_eq!((members(&removed), &removed["deleted"]), (vec!["deleted", "key", "version"], &json!(true)));
}

#[test]
fn the_command_line_and_an_agent_share_the_keys() {
    let env = Env::new();
    let mut client = env.mcp();
    client.write("from agent", "a");
    assert_eq!(env.cli(&["get", "from agent"]).ok(), "a");
    env.cli(&["set", "from person", "p"]).ok();
    assert_eq!(client.value("from person"), "p");
    let author = |key: Value| text(&key["updated_by"]["client"]);
    let by_agent = author(env.cli(&["get", "from agent", "--json"]).json());
    let by_person = author(client.call("read_key", json!({"key": "from person"})).ok());
    assert_ne!(by_agent, by_person, "who wrote it can be told");
}

#[test]
fn a_named_instance_is_reached_by_its_name() {
    let env = Env::new();
    env.mcp_with(&["--instance", "team"]).write("k", "of the team");
    env.cli(&["set", "k", "of the default"]).ok();
    assert_eq!(env.cli(&["-i", "team", "get", "k"]).ok(), "of the team");
    assert_eq!(env.cli(&["get", "k", "--instance", "team"]).ok(), "of the team");
    assert_eq!(env.cli(&["get", "k"]).ok(), "of the default");
}

#[test]
fn the_data_folder_may_be_given_as_a_flag() {
    let env = Env::new();
    let other = env.path("other");
    let other = other.to_str().unwrap();
    env.cli(&["--data-dir", other, "set", "k", "elsewhere"]).ok();
    env.cli(&["get", "k"]).fails(3);
    assert_eq!(env.cli(&["get", "k", "--data-dir", other]).ok(), "elsewhere");
}

#[test]
fn bug_tags_ate_the_value() {
    let env = Env::new();
    env.cli(&["set", "notes", "--tags", "work,home", "new text"]).ok();
    assert_eq!(env.cli(&["get", "notes"]).ok(), "new text");
    env.cli(&["attr", "--tags", "a,b", "notes"]).ok();
    assert_eq!(env.cli(&["--json", "attr", "notes"]).json()["tags"], json!(["a", "b"]));
    env.cli(&["set", "notes", "x", "--tags", ""]).ok();
    assert_eq!(env.cli(&["--json", "attr", "notes"]).json()["tags"], json!([]));
    env.cli(&["set", "notes", "--ttl"]).fails(2);
    env.cli(&["set", "notes", "--", "--ttl"]).ok();
    assert_eq!(env.cli(&["get", "notes"]).ok(), "--ttl");
}

#[test]
fn bug_text_set_on_a_file_key_was_taken_for_base64() {
    let env = Env::new();
    env.cli_with_stdin(&["set", "blob"], b"\xff\xfe").ok();
    env.cli_with_stdin(&["set", "blob"], b"abcd").ok();
    assert_eq!(env.cli(&["get", "blob"]).ok(), "abcd");
    let attributes = env.cli(&["--json", "attr", "blob"]).json();
    assert_eq!(
        (&attributes["type"], &attributes["content_type"]),
        (&json!("file"), &json!("application/octet-stream"))
    );
}
