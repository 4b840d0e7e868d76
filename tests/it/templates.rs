//! Templates: what a key with `ApplyTemplate` reads as, through each way that reads it.

use serde_json::json;

use crate::harness::Env;

/// A store in which `page` is a template over two keys.
fn store() -> Env {
    let env = Env::new();
    env.cli(&["set", "name", "Mira"]).ok();
    env.cli(&["set", "long name", "{{name}} Berg"]).ok();
    env.cli(&["set", "page", "Hello {{name}} / {{ long name }} / {{nobody}} / {{$version}}"]).ok();
    env.cli(&["attr", "page", "--system-tags", "SystemPrompt,ApplyTemplate"]).ok();
    env
}

#[test]
fn models_read_the_expanded_text_and_people_what_is_stored() {
    let env = store();
    let expanded = format!("Hello Mira / {{{{name}}}} Berg /  / {}", env!("CARGO_PKG_VERSION"));
    let mut client = env.mcp();
    assert_eq!(client.value("page"), expanded);
    let read = client.request("resources/read", json!({"uri": "mindcache://default/page"})).unwrap();
    assert_eq!(read["contents"][0]["text"], json!(expanded));
    let prompt = client.call("get_system_prompt", json!({})).ok();
    assert!(prompt["prompt"].as_str().unwrap().contains(&expanded), "{prompt}");
    assert!(env.cli(&["get", "page"]).ok().contains("{{ long name }}"));
}

#[test]
fn a_model_cannot_read_a_hidden_key_by_naming_it_in_a_template() {
    let env = store();
    env.cli(&["set", "secret", "hunter2"]).ok();
    env.cli(&["attr", "secret", "--system-tags", ""]).ok();
    env.cli(&["set", "mine", "x"]).ok();
    env.cli(&["attr", "mine", "--system-tags", "LLMRead,LLMWrite,ApplyTemplate"]).ok();
    let mut client = env.mcp();
    client.write("mine", "[{{secret}}][{{page}}]");
    let read = client.value("mine");
    assert!(read.starts_with("[][Hello Mira"), "{read}");
    // A person's own template may show it.
    env.cli(&["set", "page", "[{{secret}}]"]).ok();
    assert_eq!(client.value("page"), "[hunter2]");
    // But not through one that a model writes.
    assert_eq!(client.value("mine"), "[][[]]");
}

#[test]
fn the_zone_is_a_setting() {
    let env = store();
    env.cli(&["set", "page", "{{$date}}T{{$time}}"]).ok();
    let shown = |zone: &str| {
        let mut command = env.command();
        command.args(["mcp", "--time-zone", zone]);
        let mut client = crate::harness::mcp::Client::start(command, crate::harness::mcp::Era::Legacy);
        client.handshake();
        client.value("page")
    };
    // Eleven hours apart, whatever the hour.
    assert_ne!(shown("UTC"), shown("Pacific/Noumea"));
    env.cli(&["ls", "--time-zone", "Nowhere/Land"]).fails(2);
}
