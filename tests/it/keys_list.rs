//! `list_keys`: filters, pages, and what is left out.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{
    Env,
    mcp::{Client, members, text},
};

/// The names on a page.
fn names(page: &Value) -> Vec<String> {
    page["keys"].as_array().expect("keys").iter().map(|key| text(&key["key"])).collect()
}

/// The names that a filter finds, over all pages.
fn find(client: &mut Client, mut filter: Value) -> Vec<String> {
    let mut found = Vec::new();
    loop {
        let page = client.call("list_keys", filter.clone()).ok();
        found.extend(names(&page));
        filter["cursor"] = page["next_cursor"].clone();
        if filter["cursor"].is_null() {
            return found;
        }
    }
}

/// Writes keys without waiting for each.
fn fill(client: &mut Client, names: impl IntoIterator<Item = String>) {
    let ids: Vec<_> =
        names.into_iter().map(|name| client.send_call("write_key", json!({"key": name, "value": "v"}))).collect();
    for (_, reply) in client.collect(&ids) {
        reply.expect("the write is taken");
    }
}

#[test]
fn an_empty_store_lists_nothing() {
    let env = Env::new();
    let page = env.mcp().call("list_keys", json!({})).ok();
    assert_eq!(members(&page), ["as_of_seq", "keys", "next_cursor"]);
    assert_eq!((&page["keys"], &page["next_cursor"]), (&json!([]), &Value::Null));
    assert!(page["as_of_seq"].is_u64());
}

#[test]
fn a_listed_key_is_the_key_itself() {
    let env = Env::new();
    let mut client = env.mcp();
    client.call("write_key", json!({"key": "k", "value": "v", "tags": ["a"], "ttl_ms": 3_600_000})).ok();
    let page = client.call("list_keys", json!({})).ok();
    let key = client.call("read_key", json!({"key": "k"})).ok();
    assert_eq!(page["keys"], json!([key]));
    assert!(page["as_of_seq"].as_u64() >= key["version"].as_u64());
}

#[test]
fn values_over_a_kibibyte_are_left_out() {
    let env = Env::new();
    let mut client = env.mcp();
    for (name, value) in [("at", "x".repeat(1024)), ("over", "x".repeat(1025)), ("wide", "é".repeat(513))] {
        client.write(name, &value);
    }
    let page = client.call("list_keys", json!({})).ok();
    let shown: Vec<_> = page["keys"].as_array().unwrap().iter().map(|key| key.get("value").is_some()).collect();
    assert_eq!((names(&page), shown), (vec!["at".into(), "over".into(), "wide".into()], vec![true, false, false]));
}

#[test]
fn a_page_holds_100_keys_unless_told_and_names_come_in_byte_order() {
    let env = Env::new();
    let mut client = env.mcp();
    let mut expected: Vec<_> = (0..120).map(|number| format!("{}{number}", ["k", "K", "é"][number % 3])).collect();
    fill(&mut client, expected.clone());
    expected.sort();
    let page = client.call("list_keys", json!({})).ok();
    assert_eq!(names(&page), expected[..100]);
    let rest = client.call("list_keys", json!({"cursor": page["next_cursor"]})).ok();
    assert_eq!((names(&rest), &rest["next_cursor"]), (expected[100..].to_vec(), &Value::Null));
    assert_eq!(find(&mut client, json!({"limit": 7})), expected);
}

#[test]
fn what_is_there_throughout_appears_once_whatever_is_written_meanwhile() {
    let env = Env::new();
    let mut client = env.mcp();
    let mut other = env.mcp();
    fill(&mut client, (0..60).map(|number| format!("stays {number:02}")));
    fill(&mut client, (0..60).step_by(5).map(|number| format!("stays {number:02} goes")));
    let mut found = Vec::new();
    let mut args = json!({"limit": 9});
    for round in 0.. {
        let page = client.call("list_keys", args.clone()).ok();
        found.extend(names(&page));
        args["cursor"] = page["next_cursor"].clone();
        if args["cursor"].is_null() {
            break;
        }
        // Before the cursor, behind it, and the very key on which it stands.
        other.write(&format!("stays {round:02} new"), "v");
        other.write(&format!("a new {round}"), "v");
        for number in (0..60).step_by(5) {
            other.call("delete_key", json!({"key": format!("stays {number:02} goes")})).ok();
        }
    }
    let once: BTreeSet<_> = found.iter().collect();
    assert_eq!(once.len(), found.len(), "nothing appears twice: {found:?}");
    let stayed = (0..60).map(|number| format!("stays {number:02}"));
    assert!(stayed.into_iter().all(|name| once.contains(&name)), "{found:?}");
}

#[test]
fn a_prefix_is_compared_as_it_stands() {
    let env = Env::new();
    let mut client = env.mcp();
    let all = ["a", "a%", "a%b", "aXb", "a_b", "A", "ab", "b", "é", "éa", "\u{10ffff}", "\u{10ffff}x"];
    fill(&mut client, all.map(str::to_owned));
    for (prefix, expected) in [
        ("a", vec!["a", "a%", "a%b", "aXb", "a_b", "ab"]),
        ("a%", vec!["a%", "a%b"]),
        ("a_", vec!["a_b"]),
        ("é", vec!["é", "éa"]),
        ("\u{10ffff}", vec!["\u{10ffff}", "\u{10ffff}x"]),
        ("zz", vec![]),
    ] {
        assert_eq!(find(&mut client, json!({"prefix": prefix, "limit": 2})), expected, "{prefix}");
    }
    assert_eq!(find(&mut client, json!({"prefix": ""})).len(), all.len());
}

#[test]
fn tags_and_types_narrow_the_list_together() {
    let env = Env::new();
    let mut client = env.mcp();
    for number in 0..24 {
        let tags: &[&str] = match number % 4 {
            0 => &["red"],
            1 => &["red", "blue"],
            2 => &["reddish"],
            _ => &[],
        };
        let kind = if number % 2 == 0 { "json" } else { "text" };
        let args = json!({"key": format!("{}{number:02}", if number < 12 { "a" } else { "b" }), "value": "1", "type": kind, "tags": tags});
        client.call("write_key", args).ok();
    }
    let mut count = |filter: Value| find(&mut client, filter).len();
    assert_eq!(count(json!({"tag": "red", "limit": 5})), 12);
    assert_eq!(count(json!({"tag": "blue", "limit": 5})), 6);
    assert_eq!(count(json!({"tag": "Red"})), 0);
    assert_eq!(count(json!({"type": "json", "limit": 5})), 12);
    assert_eq!(count(json!({"type": "image"})), 0);
    assert_eq!(count(json!({"tag": "red", "type": "json", "limit": 2})), 6);
    assert_eq!(count(json!({"tag": "red", "prefix": "a", "limit": 2})), 6);
    assert_eq!(count(json!({"tag": "red", "type": "text", "prefix": "b", "limit": 1})), 3);
}

#[test]
fn the_list_follows_the_tags_and_the_type() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    client.call("write_key", json!({"key": "k", "value": "1", "tags": ["old"]})).ok();
    client.call("write_key", json!({"key": "k", "value": "1", "tags": ["new"], "type": "json"})).ok();
    assert_eq!(find(&mut client, json!({"tag": "old"})), Vec::<String>::new());
    assert_eq!(find(&mut client, json!({"type": "text"})), Vec::<String>::new());
    assert_eq!(find(&mut client, json!({"tag": "new", "type": "json"})), ["k"]);
    client.call("delete_key", json!({"key": "k"})).ok();
    assert_eq!(find(&mut client, json!({"tag": "new"})), Vec::<String>::new());
}

#[test]
fn arguments_outside_the_schema_are_refused() {
    let env = Env::new();
    let mut client = env.mcp();
    for args in [
        json!({"limit": 0}),
        json!({"limit": 1001}),
        json!({"limit": -1}),
        json!({"limit": 1.5}),
        json!({"type": "number"}),
        json!({"cursor": "no cursor of ours"}),
        json!({"order": "name"}),
    ] {
        client.call("list_keys", args).error("invalid_argument");
    }
}
