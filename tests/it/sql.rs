//! `mindcache sql`: questions, and nothing but questions.

use crate::harness::Env;

fn store() -> Env {
    let env = Env::new();
    env.cli(&["set", "notes", "one\ttwo", "--tags", "a,b"]).ok();
    env.cli(&["set", "config", "{\"n\": 1}", "--type", "json"]).ok();
    env.cli(&["set", "config", "{\"n\": 2}"]).ok();
    env.cli(&["set", "gone", "x", "--ttl-ms", "1"]).ok();
    env
}

#[test]
fn keys_changes_and_tags_are_tables() {
    let env = store();
    let found = env.cli(&["sql", "SELECT key, type, version, value FROM keys ORDER BY key"]).ok();
    assert_eq!(found, "key\ttype\tversion\tvalue\nconfig\tjson\t3\t{\"n\": 2}\nnotes\ttext\t1\t\"one\\ttwo\"\n");
    let found = env.cli(&["--json", "sql", "SELECT tag FROM key_tags WHERE key = 'notes' ORDER BY tag"]).ok();
    assert_eq!(found, "{\"tag\":\"a\"}\n{\"tag\":\"b\"}\n");
    let found = env.cli(&["sql", "SELECT count(*), max(client) FROM changes WHERE id = 'config'"]).ok();
    assert!(found.ends_with("2\tcli\n"), "{found}");
    let found = env.cli(&["-i", "_catalog", "sql", "SELECT name FROM instances"]).ok();
    assert_eq!(found, "name\ndefault\n");
    assert_eq!(
        env.cli(&["sql", "SELECT json_extract(value, '$.n') AS n FROM keys WHERE type = 'json'"]).ok(),
        "n\n2\n"
    );
}

#[test]
fn nothing_can_be_written_and_no_other_file_be_reached() {
    let env = store();
    let other = env.path("other.db").display().to_string();
    for sql in [
        "DELETE FROM record",
        "UPDATE main.record SET body = '{}'",
        "CREATE TABLE t (a)",
        &format!("ATTACH '{other}' AS other"),
        &format!("VACUUM INTO '{other}'"),
        "PRAGMA user_version = 9",
        "PRAGMA query_only = 0",
        "BEGIN IMMEDIATE",
        "SELECT load_extension('x')",
        "nonsense",
        "",
        "SELECT 1; SELECT 2",
        "SELECT 1; DELETE FROM record",
    ] {
        env.cli(&["sql", sql]).fails(2);
    }
    assert!(!env.path("other.db").exists());
    assert_eq!(env.cli(&["get", "config"]).ok(), "{\"n\": 2}");
    env.cli(&["-i", "nowhere", "sql", "SELECT 1"]).fails(3);
    let error = env.cli(&["sql", "SELECT wrong FROM keys"]).fails(2);
    assert!(error.contains("no such column"), "SQLite's own words: {error}");
    assert_eq!(env.cli(&["sql", "SELECT 1 AS one; -- no more"]).ok(), "one\n1\n");
}
