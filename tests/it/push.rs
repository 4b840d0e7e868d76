//! Push: a client that follows a resource or a list is told when it changes, in both eras, whoever wrote.

use serde_json::{Value, json};

use crate::harness::{
    Env,
    mcp::{Client, text},
};

fn uri(key: &str) -> String {
    format!("mindcache://default/{key}")
}

fn subscribe(client: &mut Client, uri: &str) {
    client.request("resources/subscribe", json!({"uri": uri})).expect("the subscription is taken");
}

/// The URI of the next `resources/updated`; other notifications may come before it.
fn updated(client: &mut Client) -> String {
    loop {
        let notification = client.next_notification();
        if notification["method"] == "notifications/resources/updated" {
            return text(&notification["params"]["uri"]);
        }
    }
}

/// Opens a subscription of the newer protocol and waits for its acknowledgement.
fn listen(client: &mut Client, wanted: Value) -> u64 {
    let id = client.send("subscriptions/listen", json!({"notifications": wanted}));
    let acknowledged = client.next_notification();
    assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged", "{acknowledged}");
    id
}

#[test]
fn a_subscriber_of_the_older_protocol_hears_of_its_own_process_and_of_others() {
    let env = Env::new();
    let (mut follower, mut writer) = (env.mcp(), env.mcp());
    follower.write("k", "0");
    subscribe(&mut follower, &uri("k"));
    follower.write("other", "not followed");
    follower.write("k", "1");
    assert_eq!(updated(&mut follower), uri("k"));
    writer.write("k", "2");
    assert_eq!(updated(&mut follower), uri("k"));
    env.cli(&["set", "k", "3"]).ok();
    assert_eq!(updated(&mut follower), uri("k"));
    follower.request("resources/unsubscribe", json!({"uri": uri("k")})).unwrap();
    subscribe(&mut follower, &uri("last"));
    writer.write("k", "4");
    writer.write("last", "5");
    assert_eq!(updated(&mut follower), uri("last"));
}

#[test]
fn a_listener_of_the_newer_protocol_hears_what_it_asked_for() {
    let env = Env::new();
    let mut follower = env.mcp_modern(&[]);
    let mut writer = env.mcp();
    let id = listen(&mut follower, json!({"resourceSubscriptions": [uri("k"), "mindcache://other/k"]}));
    writer.write("other", "x");
    writer.write("k", "1");
    let told = follower.next_notification();
    assert_eq!(told["params"]["uri"], json!(uri("k")), "{told}");
    assert_eq!(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], json!(id), "{told}");
    // What was asked for was one resource: no list.
    writer.write("new", "x");
    writer.write("k", "2");
    assert_eq!(updated(&mut follower), uri("k"));
    assert_eq!(follower.notifications(), Vec::<Value>::new());
}

#[test]
fn the_last_of_many_writes_is_always_told_and_few_of_the_others() {
    let env = Env::new();
    let mut follower = env.mcp();
    follower.write("k", "0");
    subscribe(&mut follower, &uri("k"));
    let ids: Vec<u64> =
        (1..=500).map(|n| follower.send_call("write_key", json!({"key": "k", "value": n.to_string()}))).collect();
    follower.collect(&ids);
    // Whatever is read at a notification after the last write is the last value.
    follower.write("k", "last");
    let mut told = 0;
    while follower.value("k") != "last" || told == 0 {
        updated(&mut follower);
        told += 1;
    }
    assert!(told < 100, "{told} notifications for 500 writes");
}

#[test]
fn the_prompt_is_announced_with_each_of_its_parts() {
    let env = Env::new();
    env.cli(&["set", "name", "Mira"]).ok();
    env.cli(&["set", "rules", "Be kind to {{name}}."]).ok();
    env.cli(&["attr", "rules", "--system-tags", "SystemPrompt,ApplyTemplate"]).ok();
    let mut follower = env.mcp();
    let prompt = uri("$system_prompt");
    subscribe(&mut follower, &prompt);
    env.cli(&["set", "unrelated", "x"]).ok();
    env.cli(&["set", "name", "Jo"]).ok();
    assert_eq!(updated(&mut follower), prompt);
    env.cli(&["set", "rules", "Be kind."]).ok();
    assert_eq!(updated(&mut follower), prompt);
    let read = follower.request("resources/read", json!({"uri": prompt})).unwrap();
    assert!(text(&read["contents"][0]["text"]).contains("Be kind."), "{read}");
    let listed = follower.request("resources/list", json!({})).unwrap();
    assert_eq!(listed["resources"][0]["uri"], json!(prompt), "{listed}");
}

#[test]
fn a_hidden_key_is_never_told_of() {
    let env = Env::new();
    env.cli(&["set", "secret", "x"]).ok();
    env.cli(&["attr", "secret", "--system-tags", ""]).ok();
    let mut follower = env.mcp();
    subscribe(&mut follower, &uri("secret"));
    subscribe(&mut follower, &uri("open"));
    env.cli(&["set", "secret", "y"]).ok();
    env.cli(&["set", "open", "z"]).ok();
    assert_eq!(updated(&mut follower), uri("open"));
}

#[test]
fn lists_are_announced_when_a_person_adds_a_key() {
    let env = Env::new();
    let mut follower = env.mcp();
    // Answered after the session was taken up.
    assert_eq!(follower.keys(), Vec::<String>::new());
    for key in ["a", "b", "c"] {
        env.cli(&["set", key, "x"]).ok();
        // At once, each: people do not wait for agents' five seconds.
        let mut told = [(); 2].map(|()| text(&follower.next_notification()["method"]));
        told.sort();
        assert_eq!(told, ["notifications/resources/list_changed", "notifications/tools/list_changed"]);
    }
}

#[test]
fn a_session_follows_a_limited_number_of_resources() {
    let env = Env::new();
    let mut follower = env.mcp();
    let refused = (0..1_001)
        .map(|n| follower.request("resources/subscribe", json!({"uri": uri(&n.to_string())})))
        .find_map(Result::err)
        .expect("there is a limit");
    assert_eq!(refused["code"], -32602, "{refused}");
    let foreign = follower.request("resources/subscribe", json!({"uri": "mindcache://other/k"})).unwrap_err();
    assert_eq!(foreign["code"], -32002, "{foreign}");
}

#[test]
fn a_template_is_told_of_when_a_key_that_it_uses_changes() {
    let env = Env::new();
    for (key, value, tags) in [
        ("secret", "s0", ""),
        ("inner", "[{{secret}}]", "LLMRead,ApplyTemplate"),
        ("page", "{{inner}} {{later}}", "LLMRead,ApplyTemplate"),
        ("mine", "{{secret}}", "LLMRead,LLMWrite,ApplyTemplate"),
    ] {
        env.cli(&["set", key, value]).ok();
        env.cli(&["attr", key, "--system-tags", tags]).ok();
    }
    let mut follower = env.mcp();
    subscribe(&mut follower, &uri("page"));
    subscribe(&mut follower, &uri("mine"));
    // Through a template between, and though the reader cannot open it by itself.
    env.cli(&["set", "secret", "s1"]).ok();
    assert_eq!(updated(&mut follower), uri("page"));
    env.cli(&["set", "later", "x"]).ok();
    assert_eq!(updated(&mut follower), uri("page"));
    // What a model may write shows no key that it cannot read, so it is not told of those either.
    env.cli(&["set", "inner", "nothing"]).ok();
    assert_eq!(updated(&mut follower), uri("page"));
    env.cli(&["set", "secret", "s2"]).ok();
    env.cli(&["attr", "secret", "--system-tags", "LLMRead"]).ok();
    assert_eq!(updated(&mut follower), uri("mine"));
}

#[test]
fn a_new_prompt_and_a_new_argument_of_it_are_told() {
    let env = Env::new();
    let mut follower = env.mcp_modern(&[]);
    listen(&mut follower, json!({"promptsListChanged": true}));
    env.cli(&["set", "plain", "x"]).ok();
    env.cli(&["set", "ask", "x"]).ok();
    for change in
        [&["attr", "ask", "--tags", "Prompt"][..], &["set", "ask", "about {{topic}}"], &["attr", "ask", "--tags", ""]]
    {
        env.cli(change).ok();
        assert_eq!(follower.next_notification()["method"], "notifications/prompts/list_changed");
    }
    assert_eq!(follower.notifications(), Vec::<Value>::new());
}
