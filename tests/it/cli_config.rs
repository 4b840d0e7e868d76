//! Settings in `config.toml` of the data folder: before the defaults, behind flags and the environment.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Env, run};

fn with_file(text: &str) -> Env {
    let env = Env::new();
    fs::create_dir_all(env.data()).unwrap();
    fs::write(env.data().join("config.toml"), text).unwrap();
    env
}

/// The value of a setting and who says it.
fn told(shown: &Value, name: &str) -> (Value, String) {
    let settings = shown["settings"].as_array().unwrap();
    let found = settings.iter().find(|setting| setting["name"] == name).unwrap();
    (found["value"].clone(), found["from"].as_str().unwrap().to_owned())
}

#[test]
fn flags_go_before_the_environment_and_that_before_the_file() {
    let env = with_file(
        "instance = \"team\"\nhistory_days = 30\nsearch = \"off\"\n[serve]\nhosts = [\"a.example\", \"b.example\"]\n",
    );
    let mut command = env.command();
    command.args(["config", "--json", "--history-rows", "7"]).env("MINDCACHE_HISTORY_DAYS", "31");
    let shown = run(command, b"").json();
    assert_eq!(shown["exists"], true);
    let expected = [
        ("instance", Value::from("team"), "file"),
        ("history_days", Value::from("31"), "environment"),
        ("history_rows", Value::from("7"), "flag"),
        ("search", Value::from("off"), "file"),
        ("durability", Value::from("full"), "default"),
        ("serve.hosts", json!(["a.example", "b.example"]), "file"),
        ("mcp.mode", Value::from("use"), "default"),
        ("serve.no_auth", Value::from(false), "default"),
    ];
    for (name, value, from) in expected {
        assert_eq!(told(&shown, name), (value, from.to_owned()), "{name}");
    }
}

#[test]
fn what_the_file_says_holds_for_commands() {
    let env = with_file("instance = \"team\"\nsearch = \"off\"\n[mcp]\nmode = \"read\"\n");
    env.cli(&["instance", "create", "team"]).ok();
    env.cli(&["set", "k", "v"]).ok();
    assert_eq!(env.cli(&["-i", "team", "get", "k"]).ok(), "v");
    env.cli(&["-i", "default", "get", "k"]).fails(3);
    let refused = env.cli(&["search", "v"]).fails(6);
    assert!(refused.contains("search"), "{refused}");
    assert_eq!(env.cli(&["--search", "on", "search", "v", "--json"]).json()["matches"][0]["key"], "k");
    let mut client = env.mcp();
    let listed = client.request("tools/list", json!({})).unwrap().to_string();
    assert!(!listed.contains("\"write_key\"") && listed.contains("\"read_key\""), "the mode is read: {listed}");
}

#[test]
fn what_is_wrong_in_the_file_is_said_with_its_place() {
    let cases = [
        ("durabilty = \"full\"", "durabilty is no setting; is durability meant?"),
        ("data_dir = \"/elsewhere\"", "data_dir cannot stand in the file of the data folder itself"),
        ("history_days = true", "history_days is to be a text or a number"),
        ("allow_network_fs = \"yes\"", "allow_network_fs is to be true or false"),
        ("durability = \"some\"", "invalid value 'some' for '--durability"),
        ("[serve]\nlisten = \"nowhere\"\nport = 1", "serve.port is no setting"),
        ("= 1", "TOML parse error at line 1"),
        ("[bench]\nquick = true", "bench is no setting"),
    ];
    for (text, expected) in cases {
        let env = with_file(text);
        let refused = env.cli(&["ls"]).fails(2);
        assert!(refused.contains(expected) && refused.contains("config.toml: "), "{text}: {refused}");
        assert_eq!(fs::read_dir(env.data()).unwrap().count(), 1, "{text}: nothing was made");
    }
    let env = with_file("[serve]\nlisten = \"nowhere\"\n");
    env.cli(&["ls"]).ok();
    for command in ["config", "serve"] {
        let refused = env.cli(&[command]).fails(2);
        assert!(refused.contains("invalid value 'nowhere' for '--listen"), "{refused}");
    }
    let long = with_file(&"#".repeat(64 * 1024 + 1)).cli(&["ls"]).fails(2);
    assert!(long.contains("more than 65536 bytes"), "{long}");
}

#[test]
fn what_excludes_each_other_does_so_in_the_file_too() {
    let env = with_file("[serve]\nno_auth = true\nmulti_user = true\n");
    let refused = env.cli(&["serve", "--listen", "127.0.0.1:0"]).fails(2);
    assert!(refused.contains("--no-auth") && refused.contains("--multi-user"), "{refused}");
    let env = with_file("[serve]\nno_auth = true\nissuers = [\"https://id.example.com aud=me\"]\n");
    let refused = env.cli(&["serve", "--listen", "127.0.0.1:0"]).fails(2);
    assert!(refused.contains("--no-auth") && refused.contains("--issuer"), "{refused}");
}

#[test]
fn a_config_for_a_client_repeats_nothing_of_the_file() {
    let env = with_file("history_days = 30\n");
    let printed = env.cli(&["print-config", "--client", "cursor"]).ok();
    assert!(!printed.contains("history"), "{printed}");
    let printed = env.cli(&["print-config", "--client", "cursor", "--history-days", "31"]).ok();
    assert!(printed.contains("--history-days"), "{printed}");
}
