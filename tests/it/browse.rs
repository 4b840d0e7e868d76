//! `key_browse` and `key_facets`: keys by rank, for lists that people scroll.

use serde_json::{Value, json};

use crate::harness::{Env, mcp::Client};

/// A person at the command line.
fn browse(env: &Env, args: &Value) -> Value {
    env.cli(&["--json", "call", "key_browse", &args.to_string()]).json()
}

fn names(rows: &Value) -> Vec<String> {
    rows["keys"].as_array().unwrap().iter().map(|row| row["key"].as_str().unwrap().to_owned()).collect()
}

fn write(client: &mut Client, key: &str, value: &str, tags: &[&str]) {
    client.call("write_key", json!({"key": key, "value": value, "tags": tags})).ok();
}

/// Keys of an agent and of a person, and their names in order.
fn filled(env: &Env) -> (Client, Vec<String>) {
    let mut agent = env.mcp();
    let mut all = Vec::new();
    for number in 0..30 {
        let key = format!("notes/{number:02}");
        write(&mut agent, &key, "from the agent", if number % 3 == 0 { &["third"] } else { &[] });
        all.push(key);
    }
    for key in ["Ünder_score", "a%b", "notes/07", "person"] {
        env.cli(&["set", key, "by hand"]).ok();
        all.push(key.to_owned());
    }
    agent.call("write_key", json!({"key": "data", "value": {"n": 1}})).ok();
    all.push("data".into());
    all.sort();
    all.dedup();
    (agent, all)
}

#[test]
fn rows_come_by_rank_and_the_total_is_of_all() {
    let env = Env::new();
    let (_agent, all) = filled(&env);
    for (start, limit) in [(0, 10), (7, 5), (30, 10), (34, 1), (99, 10)] {
        let rows = browse(&env, &json!({"start": start, "limit": limit}));
        let expected: Vec<_> = all.iter().skip(start).take(limit).cloned().collect();
        assert_eq!((names(&rows), &rows["total"], &rows["start"]), (expected, &json!(all.len()), &json!(start)));
    }
    // A key's own place, and that of one that is not there; start goes back from it.
    let at = |key: &str, start: u64| {
        let rows = browse(&env, &json!({"at": key, "start": start, "limit": 1}));
        (rows["start"].as_u64().unwrap(), names(&rows))
    };
    let rank = all.iter().position(|key| key == "notes/10").unwrap() as u64;
    assert_eq!(at("notes/10", 0), (rank, vec!["notes/10".to_owned()]));
    assert_eq!(at("notes/10", 2), (rank - 2, vec!["notes/08".to_owned()]));
    assert_eq!(at("notes/10x", 0).0, rank + 1);
    assert_eq!(at("a", 50).0, 0);
}

#[test]
fn filters_are_met_together_and_counted() {
    let env = Env::new();
    let (_agent, all) = filled(&env);
    let found = |args: Value| {
        let rows = browse(&env, &args);
        let mut recent = args.clone();
        recent["order"] = json!("recent");
        let mut by_time = names(&browse(&env, &recent));
        by_time.sort();
        let by_name = names(&rows);
        assert_eq!(by_name, by_time, "{args}");
        assert_eq!(rows["total"], by_name.len(), "{args}");
        by_name
    };
    let thirds: Vec<_> = (0..30).step_by(3).map(|number| format!("notes/{number:02}")).collect();
    assert_eq!(found(json!({"tag": "third"})), thirds);
    assert_eq!(found(json!({"tag": "third", "match": "2"})), ["notes/12", "notes/21", "notes/24", "notes/27"]);
    assert_eq!(found(json!({"type": "json"})), ["data"]);
    assert_eq!(found(json!({"tag": "third", "type": "json"})), [""; 0]);
    assert_eq!(found(json!({"writer": "human/local"})), ["a%b", "notes/07", "person", "Ünder_score"]);
    assert_eq!(found(json!({"writer": "human/local", "type": "text", "match": "NOTES"})), ["notes/07"]);
    // What stands for something in a pattern stands for itself.
    assert_eq!(found(json!({"match": "%"})), ["a%b"]);
    assert_eq!(found(json!({"match": "_"})), ["Ünder_score"]);
    assert_eq!(found(json!({"match": "nothing like it"})), [""; 0]);
    assert_eq!(found(json!({"match": ""})), all);
}

#[test]
fn recent_begins_with_the_last_change() {
    let env = Env::new();
    let (mut agent, all) = filled(&env);
    write(&mut agent, "notes/05", "again", &[]);
    env.cli(&["rm", "notes/04"]).ok();
    let rows = browse(&env, &json!({"order": "recent", "limit": 4}));
    assert_eq!(names(&rows), ["notes/05", "data", "person", "notes/07"]);
    assert_eq!(rows["total"], all.len() - 1);
    let rest = browse(&env, &json!({"order": "recent", "start": 4, "limit": 200}));
    assert_eq!(names(&rest).len(), all.len() - 5);
    let refused = env.cli(&["call", "key_browse", r#"{"order": "recent", "at": "person"}"#]).fails(2);
    assert!(refused.contains("by name only"), "{refused}");
}

#[test]
fn a_row_shows_how_a_value_begins_and_who_wrote_it() {
    let env = Env::new();
    let mut agent = env.mcp();
    let long = format!("# Plan\n\n  {}", "word ".repeat(100_000));
    write(&mut agent, "long", &long, &["x"]);
    agent.call("write_key", json!({"key": "f", "value": "QUJD", "type": "file", "content_type": "a/b"})).ok();
    env.cli(&["set", "mine", "1"]).ok();
    let rows = browse(&env, &json!({}));
    let [file, long, mine] = rows["keys"].as_array().unwrap().as_slice() else { panic!("{rows}") };
    let preview = long["preview"].as_str().unwrap();
    assert!(preview.starts_with("# Plan word word") && preview.chars().count() <= 160, "{preview}");
    assert_eq!((&long["size"], &long["tags"]), (&json!(500_010), &json!(["x"])));
    assert_eq!((&file["preview"], &file["size"], &file["content_type"]), (&json!(""), &json!(3), &json!("a/b")));
    assert_eq!(mine["actor"], json!({"writer": "human/local", "kind": "human", "principal": "local", "client": "cli"}));
    assert_eq!(long["actor"]["kind"], "agent");
    let writer = long["actor"]["writer"].as_str().unwrap();
    assert_eq!(names(&browse(&env, &json!({"writer": writer}))), ["f", "long"]);
}

#[test]
fn facets_count_what_there_is_and_follow_changes() {
    let env = Env::new();
    let (mut agent, all) = filled(&env);
    let facets = || env.cli(&["--json", "call", "key_facets", "{}"]).json();
    let counts = facets();
    assert_eq!(counts["total"], all.len());
    assert_eq!(counts["types"], json!([{"name": "text", "keys": all.len() - 1}, {"name": "json", "keys": 1}]));
    // A person's write leaves the tags as they were.
    assert_eq!(counts["tags"], json!([{"name": "third", "keys": 10}]));
    assert_eq!(counts["writers"][1], json!({"name": "human/local", "keys": 4}));
    env.cli(&["attr", "person", "--tags", "new"]).ok();
    agent.call("write_key", json!({"key": "person", "value": "taken over"})).ok();
    env.cli(&["rm", "notes/00"]).ok();
    env.cli(&["rm", "data"]).ok();
    let counts = facets();
    assert_eq!(counts["types"], json!([{"name": "text", "keys": all.len() - 2}]));
    assert_eq!(counts["tags"], json!([{"name": "third", "keys": 9}, {"name": "new", "keys": 1}]));
    assert_eq!(counts["writers"][1], json!({"name": "human/local", "keys": 3}));
}

#[test]
fn facets_are_the_200_most_frequent() {
    let env = Env::new();
    let mut agent = env.mcp();
    for key in 0..8 {
        let tags: Vec<_> = (0..32).map(|tag| if tag == 0 { "all".into() } else { format!("{key}-{tag}") }).collect();
        agent.call("write_key", json!({"key": key.to_string(), "value": "", "tags": tags})).ok();
    }
    let counts = env.cli(&["--json", "call", "key_facets", "{}"]).json();
    assert_eq!(counts["tags"].as_array().unwrap().len(), 200);
    assert_eq!(counts["tags"][0], json!({"name": "all", "keys": 8}));
}

#[test]
fn a_page_by_rank_has_its_bounds() {
    let env = Env::new();
    env.cli(&["set", "a", "1"]).ok();
    for args in [json!({"limit": 200}), json!({"match": "é".repeat(256)}), json!({"writer": "w".repeat(300)})] {
        browse(&env, &args);
    }
    for args in [
        json!({"limit": 201}),
        json!({"limit": 0}),
        json!({"match": "é".repeat(257)}),
        json!({"writer": "w".repeat(301)}),
        json!({"order": "size"}),
    ] {
        env.cli(&["call", "key_browse", &args.to_string()]).fails(2);
    }
}

#[test]
fn a_model_sees_no_more_of_it_than_of_other_lists() {
    let env = Env::new();
    env.cli(&["set", "open", "1"]).ok();
    env.cli(&["set", "closed", "2"]).ok();
    env.cli(&["attr", "closed", "--system-tags", "LLMWrite"]).ok();
    let mut agent = env.mcp();
    let tools = agent.request("tools/list", json!({})).unwrap().to_string();
    assert!(!tools.contains("key_browse") && !tools.contains("key_facets"), "they are no tools");
    for args in [json!({}), json!({"match": "o"}), json!({"order": "recent"}), json!({"type": "text"})] {
        let rows = agent.call("op_call", json!({"name": "key_browse", "args": args})).ok();
        assert_eq!((names(&rows), &rows["total"]), (vec!["open".to_owned()], &json!(1)), "{args}");
    }
    agent.call("op_call", json!({"name": "key_facets", "args": {}})).error("permission_denied");
}
