//! What others wrote: the first MindCache, and other memories.

use serde_json::json;

use crate::harness::Env;

#[test]
fn legacy_booleans_become_system_tags() {
    let env = Env::new();
    let old = json!({
        "a": {"value": "x", "attributes": {"type": "text", "readonly": true, "visible": true, "hardcoded": false,
            "template": true, "tags": ["t"]}},
        "b": {"value": {"n": 1}, "attributes": {"type": "json", "readonly": false, "visible": false, "hardcoded": false,
            "template": false, "tags": []}},
        "c": {"value": "QUJD", "attributes": {"type": "image", "contentType": "image/png", "hardcoded": true,
            "readonly": true, "visible": true, "template": false, "tags": []}},
    });
    let file = env.file("old.json", old.to_string().as_bytes());
    env.cli(&["import", &file]).ok();
    let tags = |key: &str| env.cli(&["get", key, "--json"]).json()["system_tags"].clone();
    assert_eq!(tags("a"), json!(["SystemPrompt", "ApplyTemplate"]));
    assert_eq!(tags("b"), json!(["LLMWrite"]));
    assert_eq!(tags("c"), json!(["SystemPrompt", "protected"]));
    assert_eq!(env.cli(&["get", "c"]).stdout, b"ABC");
    assert_eq!(env.cli(&["get", "b"]).ok(), "{\"n\":1}");
}

#[test]
fn a_markdown_export_of_the_first_mindcache_is_imported() {
    let env = Env::new();
    let old = "# MindCache STM Export\n\nExport Date: 2025-12-14\n\n---\n\n## STM Entries\n\n### txt\n- **Type**: `text`\n\
               - **Readonly**: `true`\n- **Visible**: `true`\n- **Template**: `false`\n- **Z-Index**: `4`\n\
               - **Tags**: `t1`, `t2`\n- **Value**:\n```\nhello\n```\n\n---\n\n*End of MindCache Export*";
    // Known by what is in it, whatever it is called.
    let file = env.file("old.txt", old.as_bytes());
    env.cli(&["import", &file]).ok();
    let key = env.cli(&["get", "txt", "--json"]).json();
    assert_eq!((&key["value"], &key["tags"], &key["z_index"]), (&json!("hello"), &json!(["t1", "t2"]), &json!(4)));
    assert_eq!(key["system_tags"], json!(["SystemPrompt"]));
}

#[test]
fn a_markdown_file_of_an_agent_becomes_a_key() {
    let env = Env::new();
    let text = "# Rules\n\n### not a key\n- **Value**: `x`\n";
    let file = env.file("CLAUDE.md", text.as_bytes());
    env.cli(&["import", &file]).ok();
    assert_eq!(env.cli(&["ls"]).ok(), "CLAUDE\n");
    assert_eq!(env.cli(&["get", "CLAUDE"]).ok(), text);
    assert_eq!(env.cli(&["get", "CLAUDE", "--json"]).json()["content_type"], "text/markdown");
}

#[test]
fn a_folder_of_notes_becomes_keys() {
    let env = Env::new();
    std::fs::create_dir_all(env.path("notes/sub/.hidden")).unwrap();
    env.file("notes/a.md", b"# A");
    env.file("notes/sub/b.md", b"B");
    env.file("notes/sub/.hidden/c.md", b"C");
    env.file("notes/picture.png", b"P");
    env.cli(&["import", env.path("notes").to_str().unwrap()]).ok();
    assert_eq!(env.cli(&["ls"]).ok(), "a\nsub/b\n");
    env.file("notes/sub/d.md", b"\xff");
    let said = env.cli(&["import", env.path("notes").to_str().unwrap(), "--replace"]).fails(2);
    assert!(said.contains("d.md"), "{said}");
    assert_eq!(env.cli(&["ls"]).ok(), "a\nsub/b\n");
}

#[test]
fn the_graph_of_the_reference_server_becomes_keys() {
    let env = Env::new();
    let graph = "{\"type\":\"entity\",\"name\":\"Mira\",\"entityType\":\"person\",\"observations\":[\"runs\"]}\n\
                 {\"type\":\"relation\",\"from\":\"Mira\",\"to\":\"Acme\",\"relationType\":\"works_at\"}\n";
    let file = env.file("memory.jsonl", graph.as_bytes());
    env.cli(&["import", &file]).ok();
    let key = env.cli(&["get", "Mira", "--json"]).json();
    assert_eq!((&key["type"], &key["tags"]), (&json!("json"), &json!(["person"])));
    assert!(key["value"].as_str().unwrap().contains("works_at"), "{key}");
}
