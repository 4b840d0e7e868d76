//! `search_keys`: words find keys, as they are now and for who may read them; the index is only a file.

mod relevance;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::{
    Env, eventually,
    mcp::{Client, Era, members},
};

fn search(client: &mut Client, args: Value) -> Vec<String> {
    let found = client.call("search_keys", args).ok();
    found["matches"].as_array().unwrap().iter().map(|one| one["key"].as_str().unwrap().to_owned()).collect()
}

fn find(client: &mut Client, query: &str) -> Vec<String> {
    search(client, json!({"query": query}))
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

/// The index of the instance `default`.
fn index(env: &Env) -> PathBuf {
    let files = walk(&env.data().join("instances"));
    files.iter().find(|path| path.ends_with("instance.db")).expect("an instance").with_file_name("search.db")
}

/// Whether any file of the store holds the text.
fn is_kept(env: &Env, text: &str) -> bool {
    walk(&env.data())
        .iter()
        .any(|path| std::fs::read(path).is_ok_and(|bytes| bytes.windows(text.len()).any(|at| at == text.as_bytes())))
}

#[test]
fn a_match_says_where_and_how_well() {
    let env = Env::new();
    let mut client = env.mcp();
    let args = json!({"key": "db", "value": "The database\nruns on port 5432.", "tags": ["infra"]});
    client.call("write_key", args).ok();
    client.write("other", "nothing of it");
    let found = client.call("search_keys", json!({"query": "database port"})).ok();
    assert_eq!(members(&found), ["as_of_seq", "head_seq", "matches"]);
    assert_eq!((&found["as_of_seq"], &found["head_seq"]), (&json!(2), &json!(2)));
    let only = &found["matches"][0];
    assert_eq!(members(only), ["key", "score", "snippet", "tags", "type"]);
    assert_eq!(only["snippet"], "The database runs on port 5432.");
    assert_eq!((&only["key"], &only["type"], &only["tags"]), (&json!("db"), &json!("text"), &json!(["infra"])));
    assert!(only["score"].as_f64().unwrap() > 0.0);
    assert_eq!(found["matches"].as_array().unwrap().len(), 1);
    client.call("search_keys", json!({"query": ""})).error("invalid_argument");
    client.call("search_keys", json!({"query": "a", "limit": 0})).error("invalid_argument");
    assert!(find(&mut client, "?!").is_empty());
}

#[test]
fn words_stems_beginnings_and_scripts_without_spaces() {
    let env = Env::new();
    let mut client = env.mcp();
    for (key, value) in [
        ("style", "She wanted short answers."),
        ("café", "Straße und Größe"),
        ("deploy", "The configuration of deployments is in the repository."),
        ("日本", "本番環境へのデプロイ手順"),
        ("中文", "数据库的密码在保险库里"),
        ("한국어", "배포는 금요일에 하지 않는다"),
        ("ไทย", "รหัสผ่านฐานข้อมูล"),
        ("userPreferences", "dark mode"),
        ("api_key", "rotates monthly"),
    ] {
        client.write(key, value);
    }
    for (query, key) in [
        ("wanting", "style"),
        ("what does she want as an answer", "style"),
        ("CAFE", "café"),
        ("grosse strasse", "café"),
        ("config* place", "deploy"),
        ("configurat", "deploy"),
        ("configuri", "deploy"),
        ("デプロイの手順は?", "日本"),
        ("密码", "中文"),
        ("배포", "한국어"),
        ("ฐานข้อมูล", "ไทย"),
        ("deployments of it", "deploy"),
        ("deploy", "deploy"),
        ("deploym", "deploy"),
        ("preferences", "userPreferences"),
        ("key", "api_key"),
        ("\"rotates\" AND NOT (monthly", "api_key"),
    ] {
        assert_eq!(find(&mut client, query).first().map(String::as_str), Some(key), "{query}");
    }
    assert!(find(&mut client, "config place").is_empty(), "only the last word is a beginning");
}

#[test]
fn json_is_searched_without_its_notation_and_files_by_what_is_said_of_them() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    client.call("write_key", json!({"key": "j", "value": "{\"city\": \"K\\u00f6ln\"}", "type": "json"})).ok();
    let args = json!({"key": "f", "value": "aGVsbG8=", "type": "file", "content_type": "application/pdf"});
    client.call("write_key", args).ok();
    client.call("set_key_attributes", json!({"key": "f", "description": "The contract with Acme"})).ok();
    assert_eq!(find(&mut client, "köln"), ["j"]);
    let found = client.call("search_keys", json!({"query": "contract"})).ok();
    assert_eq!(found["matches"][0]["snippet"], "The contract with Acme");
    assert!(find(&mut client, "hello").is_empty() && find(&mut client, "aGVsbG8").is_empty());
    // The beginning of a large value.
    client.write("large", &format!("beginning {} ending", "middle ".repeat(20_000)));
    assert_eq!(find(&mut client, "beginning"), ["large"]);
    assert!(find(&mut client, "ending").is_empty());
}

#[test]
fn a_name_counts_more_than_a_value_and_filters_narrow() {
    let env = Env::new();
    let mut client = env.mcp();
    for number in 0..30 {
        client.write(&format!("note{number}"), "Some other thing entirely.");
    }
    client.write("a", "The budget of the team, once more the budget.");
    client
        .call("write_key", json!({"key": "budget", "value": "{\"sum\": 40}", "type": "json", "tags": ["money"]}))
        .ok();
    assert_eq!(find(&mut client, "budget"), ["budget", "a"]);
    assert_eq!(search(&mut client, json!({"query": "budget", "tag": "money"})), ["budget"]);
    assert_eq!(search(&mut client, json!({"query": "budget", "type": "text"})), ["a"]);
    assert_eq!(search(&mut client, json!({"query": "budget", "limit": 1})), ["budget"]);
    assert_eq!(search(&mut client, json!({"query": "other"})).len(), 20);
    assert_eq!(search(&mut client, json!({"query": "other", "limit": 100})).len(), 30);
}

#[test]
fn a_mode_finds_only_what_it_may_read() {
    let env = Env::new();
    let mut edit = env.mcp_with(&["--mode", "edit"]);
    for number in 0..300 {
        edit.write(&format!("hidden{number}"), "the combination");
        edit.call("set_key_attributes", json!({"key": format!("hidden{number}"), "system_tags": []})).ok();
    }
    edit.write("open", "one combination among many other words that are here to make it longer");
    assert_eq!(find(&mut edit, "combination").len(), 20);
    for mode in ["use", "read"] {
        assert_eq!(find(&mut env.mcp_with(&["--mode", mode]), "combination"), ["open"], "{mode}");
    }
}

#[test]
fn what_was_changed_deleted_or_is_over_is_found_no_more() {
    let env = Env::new();
    let mut client = env.mcp();
    client.write("k", "before");
    client.write("gone", "before");
    client.call("write_key", json!({"key": "short", "value": "before", "ttl_ms": 1})).ok();
    assert_eq!(find(&mut client, "before"), ["gone", "k"]);
    client.write("k", "after");
    client.call("delete_key", json!({"key": "gone"})).ok();
    assert!(find(&mut client, "before").is_empty());
    assert_eq!(find(&mut client, "after"), ["k"]);
}

#[test]
fn what_other_processes_wrote_is_found_at_once() {
    let env = Env::new();
    let (mut one, mut two) = (env.mcp(), env.mcp());
    one.write("k", "written by the first");
    assert_eq!(find(&mut two, "written"), ["k"]);
    two.write("l", "written by the second");
    assert_eq!(find(&mut one, "second"), ["l"]);
    assert!(env.cli(&["search", "second"]).ok().starts_with("l\twritten by the second"));
    let found = env.cli(&["search", "written", "by", "--limit", "1", "--json"]).json();
    assert_eq!(found["matches"].as_array().unwrap().len(), 1);
    assert_eq!(env.cli(&["search", "written", "--type", "json"]).ok(), "");
}

#[test]
fn a_copy_is_searched_for_what_it_holds() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    client.write("k", "original");
    assert_eq!(find(&mut client, "original"), ["k"]);
    let clone = json!({"name": "instance_clone", "args": {"instance": "default", "name": "copy"}});
    client.call("op_call", clone).ok();
    client.write("k", "changed");
    assert!(env.cli(&["-i", "copy", "search", "original"]).ok().starts_with("k\t"));
    assert_eq!(env.cli(&["-i", "copy", "search", "changed"]).ok(), "");
}

#[test]
fn what_is_purged_is_in_no_file() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    client.write("k", "canary5f1d0c is the secret");
    client.write("canary77aa named", "so");
    for number in 0..50 {
        client.write(&format!("k{number}"), "some other words");
    }
    assert_eq!(find(&mut client, "canary5f1d0c"), ["k"]);
    assert!(is_kept(&env, "canary5f1d0c"));
    client.write("k", "harmless");
    client.call("op_call", json!({"name": "purge_key", "args": {"key": "k"}})).ok();
    assert!(!is_kept(&env, "canary5f1d0c"), "the purged value is still in a file");
    client.call("delete_key", json!({"key": "canary77aa named"})).ok();
    client.call("op_call", json!({"name": "purge_key", "args": {"key": "canary77aa named"}})).ok();
    let index = std::fs::read(index(&env)).unwrap();
    assert!(!index.windows(10).any(|at| at == b"canary77aa"), "the index knows the name of a deleted key");
    assert_eq!(find(&mut client, "harmless"), ["k"]);
}

/// A process that looks for upkeep all the time.
fn eager(env: &Env, args: &[&str]) -> Client {
    let mut command = env.command();
    command.arg("mcp").args(args).env("MINDCACHE_UPKEEP_EVERY_MS", "50");
    let mut client = Client::start(command, Era::Legacy);
    client.handshake();
    client
}

#[test]
fn upkeep_feeds_the_index_and_takes_out_what_was_replaced() {
    let env = Env::new();
    let mut client = eager(&env, &["--mode", "edit"]);
    client.write("k", "quetzalcoatl");
    let holds = |word: &str| {
        let folder = index(&env).parent().unwrap().to_owned();
        let files = walk(&folder).into_iter().filter(|path| path.to_string_lossy().contains("search.db"));
        files.into_iter().any(|path| {
            std::fs::read(path).is_ok_and(|bytes| bytes.windows(word.len()).any(|at| at == word.as_bytes()))
        })
    };
    eventually("the word is indexed though nobody searches", || holds("quetzalcoatl"));
    client.write("k", "tezcatlipoca");
    eventually("the old word is gone", || holds("tezcatlipoca") && !holds("quetzalcoatl"));
}

#[test]
fn an_index_that_is_missing_or_damaged_is_made_anew() {
    let env = Env::new();
    let mut client = env.mcp();
    for number in 0..200 {
        client.write(&format!("k{number}"), &format!("word{number} among others {}", "filling ".repeat(20)));
    }
    assert_eq!(
        find(&mut client, "word7"),
        ["k7", "k70", "k71", "k72", "k73", "k74", "k75", "k76", "k77", "k78"]
            .map(str::to_owned)
            .into_iter()
            .chain(["k79".to_owned()])
            .collect::<Vec<_>>()
    );
    drop(client.close_stdin_and_wait());
    let path = index(&env);
    let whole = std::fs::read(&path).unwrap();
    let remove = || {
        for suffix in ["", "-wal", "-shm"] {
            drop(std::fs::remove_file(format!("{}{suffix}", path.display())));
        }
    };
    let halved = whole[..whole.len() / 2].to_vec();
    let mut holed = whole.clone();
    holed.iter_mut().skip(4096).for_each(|byte| *byte = 0x5a);
    for content in [None, Some(Vec::new()), Some(vec![0x5a; 20_000]), Some(halved), Some(holed)] {
        remove();
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        let mut client = env.mcp();
        assert_eq!(find(&mut client, "word42 and"), ["k42"]);
        client.write("later", "written afterwards");
        assert_eq!(find(&mut client, "afterwards"), ["later"]);
        drop(client.close_stdin_and_wait());
    }
}

#[test]
fn an_instance_that_was_put_back_from_a_backup_is_indexed_anew() {
    let env = Env::new();
    env.cli(&["set", "k", "first"]).ok();
    let database = index(&env).with_file_name("instance.db");
    let backup = std::fs::read(&database).unwrap();
    env.cli(&["set", "l", "second"]).ok();
    assert!(env.cli(&["search", "second"]).ok().starts_with('l'));
    std::fs::write(&database, backup).unwrap();
    env.cli(&["set", "m", "third"]).ok();
    assert_eq!(env.cli(&["search", "second"]).ok(), "");
    assert!(env.cli(&["search", "third"]).ok().starts_with('m'));
}

#[test]
fn a_process_killed_while_it_indexes_leaves_an_index_that_goes_on() {
    let env = Env::new();
    let mut writer = env.mcp();
    let write =
        |number: usize| json!({"key": format!("k{number}"), "value": format!("word{number} {}", "more ".repeat(200))});
    let sent: Vec<_> = (0..1500).map(|number| writer.send_call("write_key", write(number))).collect();
    assert!(writer.collect(&sent).into_values().all(|reply| reply.is_ok()));
    for _ in 0..5 {
        let mut victim = env.mcp();
        victim.send_call("search_keys", json!({"query": "word3"}));
        victim.kill9();
    }
    let settled = |client: &mut Client| {
        let found = client.call("search_keys", json!({"query": "nothing"})).ok();
        found["as_of_seq"] == found["head_seq"]
    };
    eventually("the index catches up", || settled(&mut writer));
    for number in [0, 750, 1499] {
        assert_eq!(find(&mut writer, &format!("word{number} xyz")), [format!("k{number}")]);
    }
}

#[test]
fn switched_off_it_says_so_and_keeps_nothing() {
    let env = Env::new();
    let mut client = eager(&env, &["--search", "off", "--mode", "edit"]);
    client.write("k", "canary5f1d0c");
    let refused = client.call("search_keys", json!({"query": "canary5f1d0c"})).error("unavailable");
    assert_eq!(refused["reason"], "off");
    assert!(!index(&env).exists());
    let found = env.cli(&["search", "canary5f1d0c"]).ok();
    assert!(found.starts_with("k\t") && index(&env).exists());
    client.write("k", "now");
    client.call("op_call", json!({"name": "purge_key", "args": {"key": "k"}})).ok();
    assert!(!index(&env).exists() && !is_kept(&env, "canary5f1d0c"));
    let message = env.cli(&["search", "x", "--search", "off"]).fails(6);
    assert!(message.contains("--search on"), "{message}");
}

#[test]
fn a_question_and_its_answer_have_their_lengths() {
    let env = Env::new();
    let mut client = env.mcp();
    client.write("k", "word");
    client.call("search_keys", json!({"query": "a".repeat(1000)})).ok();
    client.call("search_keys", json!({"query": "a".repeat(1001)})).error("invalid_argument");
    client.call("search_keys", json!({"query": "word", "limit": 100})).ok();
    client.call("search_keys", json!({"query": "word", "limit": 101})).error("invalid_argument");
}
