//! Edits of configs as text: what is not ours keeps every byte, twice is once, and taking out restores.

use proptest::prelude::*;

use super::{
    entry::{Entry, Wiring, held},
    file::{Config, alone},
    table::{CLIENTS, Client, Format, find},
};

fn stdio() -> Wiring {
    Wiring::Stdio { command: "/opt/mindcache".into(), args: vec!["mcp".into()] }
}

fn http() -> Wiring {
    Wiring::Http { url: "http://127.0.0.1:8787/mcp".into(), token: Some("t0ken".into()) }
}

fn put(client: &str, text: &str, wiring: &Wiring) -> Result<String, String> {
    let client = find(client).unwrap();
    Config { client, text }.with("mindcache", &Entry::new(client, wiring).unwrap())
}

fn take(client: &str, text: &str) -> String {
    Config { client: find(client).unwrap(), text }.without("mindcache").unwrap()
}

/// The text without the lines that an edit brought in.
fn is_kept(before: &str, after: &str) {
    let mut rest = after.lines();
    for line in before.lines() {
        let bare = line.trim_end_matches(',');
        assert!(rest.any(|each| each.trim_end_matches(',') == bare), "{line:?} of\n{before}\nis not in\n{after}");
    }
}

const VSCODE: &str = r#"{
	// What I use.
	"inputs": [{"type": "promptString", "id": "k", "password": true},],
	"servers": {
		"github": { "type": "http", "url": "https://api.example.com/mcp/" }, // keep me
		/* off for now
		"old": {}, */
		"files": {
			"command": "npx",
			"args": ["-y", "a\u0062c",],
		},
	},
}
"#;

const ZED: &str = "// Zed settings
{
  \"theme\": {
    \"mode\": \"system\", // as the desktop
    \"light\": \"One Light\"
  },
  \"buffer_font_size\": 15.0,
  \"big\": 123456789012345678901234567890
}
";

const CODEX: &str = "model = \"gpt-5\"   # mine
approval_policy = 'on-request'

[mcp_servers.github]   # theirs
command = \"npx\"
args = [
  \"-y\", # yes
  \"x\",
]
env = { \"A\" = \"1\" }

[mcp_servers.github.tools.search]
approval_mode = \"auto\"

[projects.\"/home/me/p\"]
trust_level = \"trusted\"
# the end
";

const CLAUDE: &str =
    r#"{"numStartups": 7, "mcpServers": {"a": {"command":  "x"}}, "projects": {"/p": {"mcpServers": {}}}}"#;

#[test]
fn what_others_wrote_stays_and_taking_out_restores() {
    for (client, text) in [
        ("vscode", VSCODE),
        ("zed", ZED),
        ("codex", CODEX),
        ("codex", "model = \"x\"\n"),
        ("cursor", "{\n  \"mcpServers\": {\n    \"a\": {}\n  }\n}"),
        ("gemini-cli", "{\r\n  \"a\": 1,\r\n  \"mcpServers\": {\r\n    \"b\": {}\r\n  }\r\n}\r\n"),
        ("windsurf", "\u{feff}{\n    \"mcpServers\": {\n        \"a\": {}\n    }\n}\n"),
    ] {
        for wiring in [stdio(), http()] {
            let with = put(client, text, &wiring).unwrap();
            is_kept(text, &with);
            assert_eq!(put(client, &with, &wiring).unwrap(), with, "twice is once: {client}");
            assert_eq!(take(client, &with), text, "{client}");
        }
    }
}

#[test]
fn an_object_on_one_line_stays_on_it() {
    for (client, text) in [
        ("claude-code", CLAUDE),
        ("cursor", "{ \"mcpServers\": { \"a\": {}, /* why */ }, }\n"),
        ("cursor", "{\n \"mcpServers\":{\"a\":{}},\n \"b\":1}"),
        ("windsurf", "\u{feff}{\"mcpServers\":{\"a\":{}}}"),
    ] {
        let with = put(client, text, &stdio()).unwrap();
        assert_eq!(with.lines().count(), text.lines().count(), "{with}");
        assert_eq!(put(client, &with, &stdio()).unwrap(), with);
        assert_eq!(take(client, &with), text);
    }
}

#[test]
fn an_edit_looks_like_what_is_around_it() {
    let with = put("vscode", VSCODE, &stdio()).unwrap();
    let ours = "\t\t\"mindcache\": {\n\t\t\t\"type\": \"stdio\",\n\t\t\t\"command\": \"/opt/mindcache\",";
    assert!(with.contains(ours), "{with}");
    let with = put("codex", CODEX, &stdio()).unwrap();
    assert!(with.contains("\n[mcp_servers.mindcache]\ncommand = \"/opt/mindcache\"\nargs = [\"mcp\"]\n"), "{with}");
}

#[test]
fn what_the_user_added_to_the_entry_stays_and_the_other_transport_goes() {
    let text = r#"{"mcpServers": {"mindcache": {"type": "stdio", "command": "/old", "args": [], "env": {"A": "1"}, "tools": ["one"]}}}"#;
    let with = put("copilot-cli", text, &http()).unwrap();
    let entry = Config { client: find("copilot-cli").unwrap(), text: &with }.servers().unwrap()["mindcache"].clone();
    assert_eq!(entry["env"]["A"], "1");
    assert_eq!(entry["tools"][0], "one");
    assert_eq!(entry["type"], "http");
    assert_eq!((entry.get("command"), entry.get("args")), (None, None));
    let text = "[mcp_servers.mindcache]\ncommand = \"/old\" # where\nargs = [\"mcp\"]\nstartup_timeout_sec = 20\n";
    assert_eq!(put("codex", text, &stdio()).unwrap(), text.replace("/old", "/opt/mindcache"));
    let with = put("codex", text, &http()).unwrap();
    assert!(
        with.contains("startup_timeout_sec") && with.contains("Bearer t0ken") && !with.contains("command"),
        "{with}"
    );
    let text = "mcp_servers = { a = { command = \"x\" } }\n";
    let with = put("codex", text, &stdio()).unwrap();
    assert!(with.starts_with("mcp_servers = { a = { command = \"x\" } , mindcache = {"), "{with}");
    assert_eq!(take("codex", &with), text);
}

#[test]
fn what_is_not_valid_is_refused_with_its_line() {
    for (client, text, line) in [
        ("cursor", "{\n  \"mcpServers\": {\n    \"a\": {}\n", "line 2"),
        ("claude-code", "{\n  // no comments here\n}", "line 2"),
        ("windsurf", "{\n  \"a\": 1,\n}", "line 3"),
        ("vscode", "{'servers': {}}", "line 1"),
        ("codex", "a = 1\nb = \n", "line 2"),
        ("vscode", "{\"servers\": []}", "\"servers\" is no object"),
        ("vscode", "[]", "no object"),
        ("vscode", "{\"servers\": {\"mindcache\": null}}", "\"mindcache\" is no object"),
        ("codex", "mcp_servers = 1\n", "mcp_servers is no table"),
        ("vscode", "{\"servers\": {}, \"servers\": {\"a\": {}}}", "twice"),
    ] {
        let error = put(client, text, &stdio()).unwrap_err();
        assert!(error.contains(line), "{client}: {error}");
    }
}

#[test]
fn a_fault_in_toml_does_not_tell_what_is_in_the_line() {
    let error = put("codex", "[x]\nbearer = \"s3cret\" oops\n", &stdio()).unwrap_err();
    assert!(error.contains("line 2") && !error.contains("s3cret"), "{error}");
}

#[test]
fn each_row_makes_entries_that_it_reads_again() {
    for client in CLIENTS {
        for wiring in [Some(stdio()), client.http.map(|_| http())].into_iter().flatten() {
            let entry = Entry::new(client, &wiring).unwrap();
            let text = alone(client, "mindcache", &entry).unwrap();
            assert!(text.contains(client.servers) && !text.contains('$'), "{text}");
            let whole = serde_json::Value::Object(entry.whole());
            let leads_to = ["$command", "$line", "$url"].into_iter().find_map(|at| held(client, &whole, at));
            assert!(leads_to.is_some(), "{}: {whole}", client.name);
            if client.format != Format::Yaml {
                let read = Config { client, text: &text }.servers().unwrap();
                assert_eq!(read["mindcache"], whole, "{}", client.name);
                assert_eq!(put(client.name, &text, &wiring).unwrap(), text);
            }
        }
        if let Some(shared) = client.http_shared {
            assert!(shared.contains("MINDCACHE_TOKEN") && client.project.is_some(), "{}", client.name);
        }
    }
}

fn is_json(client: &Client) -> bool {
    matches!(client.format, Format::Json | Format::Jsonc)
}

proptest! {
    /// Whatever stands in a config, and however it is set, nothing of it changes.
    #[test]
    fn any_config_comes_back(
        row in 0..CLIENTS.len(), names in proptest::collection::btree_set("[a-lé\"]{1,4}", 0..4),
        has_servers: bool, is_wide: bool, deep in 0..3_usize,
    ) {
        let client = &CLIENTS[row];
        prop_assume!(is_json(client));
        let mut inner = serde_json::json!({"command": "x", "args": ["\u{1F600}\\"]});
        for _ in 0..deep { inner = serde_json::json!({ "a": inner, "b": [1.50, null] }); }
        let servers: serde_json::Map<_, _> = names.iter().map(|name| (name.clone(), inner.clone())).collect();
        let mut top = serde_json::json!({ "z": inner, "a": [] });
        if has_servers && !servers.is_empty() { top[client.servers] = servers.into(); }
        let text = if is_wide { format!("{top:#}\n") } else { top.to_string() };
        let with = put(client.name, &text, &stdio()).unwrap();
        prop_assert_eq!(put(client.name, &with, &stdio()).unwrap(), with.clone());
        let back = take(client.name, &with);
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&back).unwrap(), top);
        if is_wide || has_servers && !names.is_empty() { prop_assert_eq!(back, text); }
    }
}
