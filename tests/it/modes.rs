//! The mode table, cell by cell: what each of `read`, `use` and `edit` may do with each kind of key.

use serde_json::{Value, json};

use crate::harness::{
    Env,
    http::Server,
    link::Link,
    mcp::{Client, Era},
};

const MODES: [&str; 3] = ["read", "use", "edit"];

/// Keys by their system tags; each is named after them.
const KEYS: &[&[&str]] = &[
    &[],
    &["LLMRead"],
    &["LLMWrite"],
    &["LLMRead", "LLMWrite"],
    &["SystemPrompt"],
    &["SystemPrompt", "LLMWrite"],
    &["LLMRead", "LLMWrite", "protected"],
    &["LLMRead", "protected"],
];

fn name(tags: &[&str]) -> String {
    format!("key {}", tags.join(" "))
}

/// The table of the design.
fn may(mode: &str, action: &str, tags: &[&str]) -> bool {
    let has = |tag| tags.contains(&tag);
    match (mode, action) {
        ("edit", "delete") => !has("protected"),
        ("edit", _) | ("use", "create") => true,
        (_, "read") => has("LLMRead") || has("SystemPrompt"),
        ("use", "write") => has("LLMWrite"),
        ("use", "delete") => has("LLMWrite") && !has("protected"),
        _ => false,
    }
}

/// How the clients are connected.
#[derive(Debug, Clone, Copy)]
enum Over {
    Pipes,
    Http,
}

const BOTH: [Over; 2] = [Over::Pipes, Over::Http];

/// An environment with every key of the table.
struct House {
    env: Env,
    server: Option<Server>,
}

impl House {
    /// With a client that sees all of it.
    fn filled(over: Over) -> (Self, Client) {
        let env = Env::new();
        let mut person = env.mcp_with(&["--mode", "edit"]);
        for tags in KEYS {
            person.write(&name(tags), "before");
            person.call("set_key_attributes", json!({"key": name(tags), "system_tags": tags})).ok();
        }
        let server = matches!(over, Over::Http).then(|| env.serve(&[]));
        (Self { env, server }, person)
    }

    /// A client in this mode.
    fn client(&self, mode: &str) -> Link<'_> {
        let Some(server) = &self.server else {
            return Link::pipes(self.env.mcp_with(&["--mode", mode]), Era::Legacy);
        };
        let path = if mode == "use" { "/mcp".to_owned() } else { format!("/mcp/{mode}") };
        Link::http(server.mcp_at(&path), Era::Legacy)
    }
}

/// Calls a tool and compares with the table. A refusal may be the protocol's (the tool is not listed) or the
/// tool's own; a key that may not be read answers as if it were absent.
fn expect(client: &mut Link<'_>, mode: &str, allowed: bool, tool: &str, args: &Value) {
    let reply = client.try_call(tool, args);
    let code = match &reply {
        Err(error) => {
            assert_eq!(error["code"], -32602, "{error}");
            Some("permission_denied".to_owned())
        }
        Ok(reply) if reply.is_error => reply.structured["error"]["code"].as_str().map(str::to_owned),
        Ok(_) => None,
    };
    let cell = format!("{mode} {tool} {args}");
    match code {
        None => assert!(allowed, "{cell} should be refused"),
        Some(code) => {
            assert!(!allowed, "{cell} should be allowed, not {code}");
            assert!(["permission_denied", "not_found"].contains(&code.as_str()), "{cell}: {code}");
        }
    }
}

#[test]
fn reading_follows_the_table() {
    for over in BOTH {
        let (house, _person) = House::filled(over);
        for mode in MODES {
            let mut client = house.client(mode);
            let listed = client.keys();
            for tags in KEYS {
                let allowed = may(mode, "read", tags);
                for tool in ["read_key", "key_history"] {
                    expect(&mut client, mode, allowed, tool, &json!({"key": name(tags)}));
                }
                assert_eq!(listed.contains(&name(tags)), allowed, "list_keys in {mode}: {tags:?}");
            }
        }
    }
}

#[test]
fn writing_follows_the_table_and_a_refusal_changes_nothing() {
    for over in BOTH {
        let (house, mut person) = House::filled(over);
        for mode in MODES {
            let mut client = house.client(mode);
            for tags in KEYS {
                let (key, allowed) = (name(tags), may(mode, "write", tags));
                person.write(&key, "before");
                expect(&mut client, mode, allowed, "append_key", &json!({"key": key, "text": " after"}));
                // An edit tells what the text is: of a key that may be written and not read it is left open.
                if may(mode, "read", tags) || !allowed {
                    expect(
                        &mut client,
                        mode,
                        allowed,
                        "edit_key",
                        &json!({"key": key, "old_text": "b", "new_text": "B"}),
                    );
                }
                if !allowed {
                    assert_eq!(person.value(&key), "before", "{mode} {tags:?}");
                }
                expect(&mut client, mode, allowed, "write_key", &json!({"key": key, "value": "written"}));
                assert_eq!(person.value(&key), if allowed { "written" } else { "before" }, "{mode} {tags:?}");
            }
        }
    }
}

#[test]
fn creating_follows_the_table() {
    for over in BOTH {
        let (house, mut person) = House::filled(over);
        let before = person.keys().len();
        for mode in MODES {
            let mut client = house.client(mode);
            let allowed = may(mode, "create", &[]);
            let write = json!({"key": format!("new by {mode}"), "value": "v", "tags": ["content"]});
            expect(&mut client, mode, allowed, "write_key", &write);
            let append = json!({"key": format!("appended by {mode}"), "text": "v"});
            expect(&mut client, mode, allowed, "append_key", &append);
        }
        assert_eq!(person.keys().len(), before + 4);
        assert_eq!(person.call("list_keys", json!({"tag": "content"})).ok()["keys"].as_array().unwrap().len(), 2);
    }
}

#[test]
fn deleting_follows_the_table() {
    for (over, mode) in BOTH.into_iter().flat_map(|over| MODES.map(|mode| (over, mode))) {
        let (house, mut person) = House::filled(over);
        let mut client = house.client(mode);
        for tags in KEYS {
            let allowed = may(mode, "delete", tags);
            expect(&mut client, mode, allowed, "delete_key", &json!({"key": name(tags)}));
            assert_eq!(person.keys().contains(&name(tags)), !allowed, "{mode} {tags:?}");
        }
    }
}

#[test]
fn attributes_names_and_clearing_are_for_edit_alone() {
    for (over, mode) in BOTH.into_iter().flat_map(|over| MODES.map(|mode| (over, mode))) {
        let (house, mut person) = House::filled(over);
        let mut client = house.client(mode);
        let before = person.call("list_keys", json!({})).ok();
        for tags in KEYS {
            let (key, allowed) = (name(tags), may(mode, "attributes", tags));
            let version = before["as_of_seq"].clone();
            expect(&mut client, mode, allowed, "set_key_attributes", &json!({"key": key, "description": "changed"}));
            expect(&mut client, mode, allowed, "rename_key", &json!({"key": key, "new_key": format!("{key} renamed")}));
            if !allowed {
                expect(&mut client, mode, false, "restore_key", &json!({"key": key, "version": version}));
            }
        }
        expect(&mut client, mode, may(mode, "attributes", &[]), "clear_keys", &json!({}));
        let after = person.call("list_keys", json!({})).ok();
        assert_eq!(before == after, mode != "edit", "{mode}");
    }
}

#[test]
fn no_way_round_through_op_call() {
    for over in BOTH {
        let (house, mut person) = House::filled(over);
        let before = person.call("list_keys", json!({})).ok();
        let key = name(&["LLMRead", "LLMWrite"]);
        let attempts = [
            ("read", "write_key", json!({"key": key, "value": "x"})),
            ("read", "delete_key", json!({"key": key})),
            ("read", "clear_keys", json!({})),
            ("use", "clear_keys", json!({})),
            ("use", "set_key_attributes", json!({"key": key, "system_tags": ["SystemPrompt"]})),
            ("use", "rename_key", json!({"key": key, "new_key": "x"})),
            ("use", "write_key", json!({"key": name(&["LLMRead"]), "value": "x"})),
        ];
        for (mode, operation, args) in attempts {
            let mut client = house.client(mode);
            let reply = client.try_call("op_call", &json!({"name": operation, "args": args})).unwrap();
            assert!(reply.is_error, "{operation} in {mode}: {}", reply.structured);
        }
        assert_eq!(person.call("list_keys", json!({})).ok(), before);
    }
}

#[test]
fn a_wait_does_not_tell_of_keys_that_may_not_be_read() {
    for over in BOTH {
        let (house, mut person) = House::filled(over);
        let mut client = house.client("use");
        let since = client.call("list_keys", &json!({}))["as_of_seq"].clone();
        person.write(&name(&[]), "secret");
        person.write(&name(&["LLMRead"]), "open");
        let waited = client.call("wait_for_change", &json!({"after_version": since}));
        let told: Vec<_> = waited["changes"].as_array().unwrap().iter().map(|change| change["key"].clone()).collect();
        assert_eq!(told, [json!(name(&["LLMRead"]))]);
    }
}
