//! The system prompt through each way that shows it, and the tools as a person may see them.

use expect_test::expect;
use serde_json::json;

use crate::harness::{Env, mcp::text};

fn store() -> Env {
    let env = Env::new();
    env.cli(&["set", "rules", "Be kind."]).ok();
    env.cli(&["attr", "rules", "--system-tags", "SystemPrompt"]).ok();
    env.cli(&["set", "mood", "calm"]).ok();
    env.cli(&["attr", "mood", "--system-tags", "SystemPrompt,LLMWrite", "--z-index", "-1"]).ok();
    env
}

#[test]
fn the_prompt_is_a_prompt_a_tool_a_resource_and_a_command() {
    let env = store();
    let shown = env.cli(&["prompt"]).ok();
    let mut client = env.mcp();
    assert_eq!(client.call("get_system_prompt", json!({})).ok()["prompt"], json!(shown));
    let listed = client.request("prompts/list", json!({})).unwrap();
    assert_eq!(listed["prompts"][0]["name"], "system_prompt", "{listed}");
    let got = client.request("prompts/get", json!({"name": "system_prompt"})).unwrap();
    assert_eq!(got["messages"][0]["content"]["text"], json!(shown), "{got}");
    let read = client.request("resources/read", json!({"uri": "mindcache://default/$system_prompt"})).unwrap();
    assert_eq!(read["contents"][0]["text"], json!(shown));
    assert_eq!(client.request("prompts/get", json!({"name": "other"})).unwrap_err()["code"], -32602);
}

#[test]
fn v1_has_the_lines_of_the_first_mindcache() {
    let env = store();
    let shown = env.cli(&["prompt", "--style", "v1"]).ok();
    let lines: Vec<&str> = shown.lines().filter(|line| !line.starts_with('$')).collect();
    expect![[r#"
        mood: calm. You can rewrite "mood" by using the write_mood tool. This tool DOES NOT append — start your response with the old value (calm)
        rules: Be kind."#]]
    .assert_eq(&lines.join("\n"));
    assert!(shown.contains("$date: ") && shown.contains("$time: "), "{shown}");
    env.cli(&["prompt", "--style", "v3"]).fails(2);
}

#[test]
fn a_person_sees_the_tools_that_a_client_sees() {
    let env = store();
    let mut client = env.mcp();
    let listed = client.request("tools/list", json!({})).unwrap();
    let of_client: Vec<_> = listed["tools"].as_array().unwrap().iter().map(|tool| text(&tool["name"])).collect();
    let shown = env.cli(&["tools"]).ok();
    let of_person: Vec<_> = shown.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(of_person, of_client);
    assert_eq!(env.cli(&["--json", "tools"]).json()["tools"], listed["tools"]);
    assert!(env.cli(&["tools", "--mode", "edit"]).ok().contains("clear_keys"));
}

#[test]
fn a_key_tagged_prompt_is_a_prompt_with_its_markers_as_arguments() {
    let env = store();
    env.cli(&["set", "review", "Review {{file}} in a {{mood}} way, {{ file }}, for {{who}}. {{$nothing}} {{<b>}}"])
        .ok();
    env.cli(&["attr", "review", "--tags", "Prompt", "--description", "Ask for a review"]).ok();
    env.cli(&["set", "näch ste", "Go on."]).ok();
    env.cli(&["attr", "näch ste", "--tags", "Workflow"]).ok();
    env.cli(&["set", "hidden", "secret"]).ok();
    env.cli(&["attr", "hidden", "--tags", "Prompt", "--system-tags", ""]).ok();
    let mut client = env.mcp();
    let listed = client.request("prompts/list", json!({})).unwrap();
    let listed: Vec<_> = listed["prompts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|prompt| {
            let arguments = prompt["arguments"].as_array().cloned().unwrap_or_default();
            let arguments: Vec<_> = arguments.iter().map(|each| text(&each["name"])).collect();
            format!("{}: {} {arguments:?}", text(&prompt["name"]), text(&prompt["description"]))
        })
        .collect();
    expect![[r#"
        system_prompt: The system prompt of this memory: every SystemPrompt key, in order []
        n_ch_ste_114ff091: The key "näch ste" []
        review: Ask for a review ["file", "who"]"#]]
    .assert_eq(&listed.join("\n"));
    let mut get = |arguments| client.request("prompts/get", json!({"name": "review", "arguments": arguments}));
    let got = get(json!({"file": "{{mood}}.rs", "who": "Ann"})).unwrap();
    let expected = "Review {{mood}}.rs in a calm way, {{mood}}.rs, for Ann.  ";
    assert_eq!(got["messages"][0]["content"]["text"], expected, "{got}");
    // A key that has a value may be given another.
    assert!(get(json!({"file": "a", "who": "b", "mood": "stern"})).unwrap().to_string().contains("a stern way"));
    assert!(get(json!({"file": "a"})).unwrap_err().to_string().contains("also needs: who"));
    assert!(
        get(json!({"file": "a", "who": "b", "x": "c"})).unwrap_err().to_string().contains("takes: file, mood, who")
    );
}

#[test]
fn names_of_keys_are_completed() {
    let env = store();
    let mut client = env.mcp();
    let mut complete = |begun: &str| {
        let template = json!({"type": "ref/resource", "uri": "mindcache://default/{key}{?offset,limit}"});
        let asked = json!({"ref": template, "argument": {"name": "key", "value": begun}});
        client.request("completion/complete", asked).unwrap()["completion"].clone()
    };
    assert_eq!(complete("r"), json!({"values": ["rules"], "hasMore": false}));
    assert_eq!(complete("x"), json!({"values": [], "hasMore": false}));
}

#[test]
fn bug_prompts_that_may_not_be_read_took_the_places_of_those_that_may() {
    let env = Env::new();
    let mut editor = env.mcp_with(&["--mode", "edit"]);
    let hide = |n: usize| {
        let key = format!("a{n:03}");
        let write = json!({"name": "write_key", "args": {"key": key, "value": "v", "tags": ["Prompt"]}});
        [write, json!({"name": "set_key_attributes", "args": {"key": key, "system_tags": []}})]
    };
    for from in (0..150).step_by(50) {
        let operations: Vec<_> = (from..from + 50).flat_map(hide).collect();
        editor.call("op_call", json!({"name": "batch", "args": {"operations": operations, "mode": "all"}})).ok();
    }
    editor.call("write_key", json!({"key": "shown", "value": "v", "tags": ["Prompt"]})).ok();
    let listed = env.mcp().request("prompts/list", json!({})).unwrap();
    let names: Vec<_> = listed["prompts"].as_array().unwrap().iter().map(|prompt| text(&prompt["name"])).collect();
    assert_eq!(names, ["system_prompt", "shown"]);
}
