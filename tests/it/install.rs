//! `mindcache install`, `uninstall` and `print-config`: for each client into an empty and a filled config, twice, and out
//! again. Every client's files are in the test's own home.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};

use crate::harness::Env;

/// Each client with its config below the home folder.
const CLIENTS: [(&str, &str); 12] = [
    ("claude-desktop", ".config/Claude/claude_desktop_config.json"),
    ("claude-code", ".claude.json"),
    ("cursor", ".cursor/mcp.json"),
    ("vscode", ".config/Code/User/mcp.json"),
    ("codex", ".codex/config.toml"),
    ("gemini-cli", ".gemini/settings.json"),
    ("copilot-cli", ".copilot/mcp-config.json"),
    ("windsurf", ".codeium/windsurf/mcp_config.json"),
    ("antigravity", ".gemini/antigravity/mcp_config.json"),
    ("cline", ".config/Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json"),
    ("zed", ".config/zed/settings.json"),
    ("opencode", ".config/opencode/opencode.json"),
];

fn binary() -> String {
    env!("CARGO_BIN_EXE_mindcache").to_owned()
}

/// Puts a file below the home folder.
fn home_file(env: &Env, name: &str, text: &str) -> PathBuf {
    let path = env.path(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

/// The object of servers of a client, with another server in it.
fn filled(client: &str) -> String {
    match client {
        "codex" => "# mine\nmodel = \"m\"\n\n[mcp_servers.other]\ncommand = \"x\"   # theirs\n".into(),
        "vscode" => "{\n\t// mine\n\t\"servers\": {\n\t\t\"other\": { \"url\": \"https://example.com\" }, // theirs\n\t},\n}\n".into(),
        "zed" => "// mine\n{\n  \"context_servers\": {\n    \"other\": { \"command\": \"x\" } // theirs\n  },\n  \"tab_size\": 4,\n}\n".into(),
        "opencode" => "{\n  \"mcp\": {\n    \"other\": {\"type\": \"local\", \"command\": [\"x\"]}\n  }\n}".into(),
        _ => "{\"first\":1,\n    \"mcpServers\": { \"other\": {\"command\":  \"x\", \"args\": [\"\\u0061\"]} },\n\"last\": 1.50 }".into(),
    }
}

#[test]
fn each_client_gets_it_once_and_gives_it_back() {
    for (client, file) in CLIENTS {
        let env = Env::new();
        let path = env.path(file);
        let said = env.cli(&["install", "--client", client]).ok();
        assert!(said.contains(path.to_str().unwrap()), "{client}: {said}");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(&binary()) && text.contains("mcp"), "{client}: {text}");
        assert!(env.cli(&["install", "--client", client]).ok().contains("nothing was changed"), "{client}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        env.cli(&["uninstall", "--client", client]).ok();
        assert!(!fs::read_to_string(&path).unwrap().contains("mindcache"), "{client}");
        assert!(env.cli(&["uninstall", "--client", client]).ok().contains("has no \"mindcache\""), "{client}");

        let before = filled(client);
        fs::write(&path, &before).unwrap();
        let dry = env.cli(&["install", "--client", client, "--dry-run"]).ok();
        assert!(dry.contains("DRY RUN") && dry.contains(&binary()), "{client}: {dry}");
        assert_eq!(fs::read_to_string(&path).unwrap(), before);
        let told = env.cli(&["--json", "install", "--client", client]).json();
        assert_eq!(told["changed"], true, "{client}: {told}");
        let backup = told["backups"][0].as_str().unwrap();
        assert_eq!(fs::read_to_string(backup).unwrap(), before, "{client}");
        let with = fs::read_to_string(&path).unwrap();
        assert!(with.contains(&binary()) && with.contains("other"), "{client}: {with}");
        assert_eq!(env.cli(&["--json", "install", "--client", client]).json()["changed"], false, "{client}");
        env.cli(&["uninstall", "--client", client, "--dry-run"]).ok();
        assert_eq!(fs::read_to_string(&path).unwrap(), with);
        env.cli(&["uninstall", "--client", client]).ok();
        assert_eq!(fs::read_to_string(&path).unwrap(), before, "{client}: as it was, byte for byte");
        let left: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().flatten().map(|entry| entry.path()).collect();
        assert!(left.iter().all(|path| !path.to_string_lossy().contains(".new-")), "nothing is left: {left:?}");
    }
}

#[test]
fn a_client_whose_config_is_not_edited_gets_it_printed() {
    let env = Env::new();
    let said = env.cli(&["install", "--client", "goose"]).ok();
    assert!(said.contains("extensions:\n  mindcache:\n") && said.contains(&format!("cmd: \"{}\"", binary())), "{said}");
    assert!(!env.path(".config").exists());
    env.cli(&["uninstall", "--client", "goose"]).ok();
}

#[test]
fn every_client_is_listed_and_another_is_refused_with_the_nearest() {
    let env = Env::new();
    let listed = env.cli(&["--json", "install", "--list"]).json();
    let names: Vec<&str> =
        listed["clients"].as_array().unwrap().iter().map(|client| client["client"].as_str().unwrap()).collect();
    let known: Vec<&str> = CLIENTS.iter().map(|(name, _)| *name).chain(["goose"]).collect();
    assert_eq!(names, known);
    env.cli(&["install", "--client", "cursor"]).ok();
    let said = env.cli(&["install", "--list"]).ok();
    let line = said.lines().find(|line| line.starts_with("cursor ")).unwrap();
    assert!(line.contains(" installed ") && line.contains(".cursor/mcp.json"), "{line}");
    assert!(env.cli(&["install", "--client", "curser"]).fails(2).contains("cursor"));
    env.cli(&["install"]).fails(2);
    env.cli(&["install", "--client", "cursor", "--name", "a b"]).fails(2);
    assert!(!env.data().exists(), "none of this makes a store");
}

#[test]
fn what_is_wanted_of_the_server_is_in_the_entry() {
    let env = Env::new();
    env.cli(&["-i", "team", "install", "--client", "cursor", "--mode", "edit", "--name", "team"]).ok();
    let config: Value = serde_json::from_slice(&fs::read(env.path(".cursor/mcp.json")).unwrap()).unwrap();
    let data = env.data();
    let args = json!(["mcp", "--instance", "team", "--mode", "edit", "--data-dir", data.to_str().unwrap()]);
    assert_eq!(config["mcpServers"]["team"]["args"], args);
    assert_eq!(config["mcpServers"]["team"]["command"], binary());
    // What was asked for here is not known to whom the client starts, unless it is said.
    let mut command = env.command();
    command.env("MINDCACHE_SEARCH", "off").env("MINDCACHE_TIME_ZONE", "Europe/Paris");
    command.args(["print-config", "--durability", "normal", "--history-days", "7", "--allow-network-fs"]);
    let config = crate::harness::run(command, b"").json();
    let said = config["mcpServers"]["mindcache"]["args"].as_array().unwrap()[3..].to_vec();
    let expected = "--durability normal --time-zone Europe/Paris --history-days 7 --search off --allow-network-fs";
    assert_eq!(said, expected.split(' ').collect::<Vec<_>>());
    env.cli(&["-i", "a/b", "install", "--client", "cursor"]).fails(2);
}

#[test]
fn an_entry_starts_a_server_that_answers() {
    let env = Env::new();
    env.cli(&["set", "k", "v"]).ok();
    let config = env.cli(&["print-config", "--client", "claude-desktop"]).json();
    let entry = &config["mcpServers"]["mindcache"];
    let mut command = env.command_of(std::path::Path::new(entry["command"].as_str().unwrap()));
    // What a desktop starts knows nothing of the shell's environment.
    command.env_remove("MINDCACHE_DATA_DIR").env_remove("PATH");
    command.args(entry["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap()));
    let mut client = crate::harness::mcp::Client::start(command, crate::harness::mcp::Era::Legacy);
    client.handshake();
    assert_eq!(client.call("read_key", json!({"key": "k"})).ok()["value"], "v");
}

#[test]
fn an_invalid_config_is_refused_with_its_line_and_left_as_it_is() {
    for (client, file) in CLIENTS {
        let env = Env::new();
        let text = "{\n  \"a\": 1,\n  \"b\" 2\n}\n";
        let path = home_file(&env, file, text);
        for command in ["install", "uninstall"] {
            let said = env.cli(&[command, "--client", client]).fails(1);
            let line = if client == "codex" { "line 1" } else { "line 3" };
            assert!(said.contains(line) && said.contains("left as it is"), "{client}: {said}");
        }
        env.cli(&["install", "--client", client, "--dry-run"]).fails(1);
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        let beside = fs::read_dir(path.parent().unwrap()).unwrap().flatten().count();
        assert_eq!(beside, 1, "{client}: no backup of what is not touched");
    }
}

#[test]
fn over_http_the_token_goes_into_the_config_and_is_shown_only_when_asked_for() {
    for (client, file) in CLIENTS.iter().filter(|(client, _)| *client != "claude-desktop") {
        let env = Env::new();
        let dry = env.cli(&["install", "--client", client, "--http", "--dry-run"]).ok();
        assert!(dry.contains("127.0.0.1:8787/mcp") && !env.data().exists(), "{client}: {dry}");
        let mut said = env.cli(&["install", "--client", client, "--http"]).ok();
        let token = fs::read_to_string(env.data().join("token")).unwrap();
        let token = token.trim();
        let text = fs::read_to_string(env.path(file)).unwrap();
        assert!(text.contains(&format!("Bearer {token}")) && text.contains("http://127.0.0.1:8787/mcp"), "{text}");
        said += &env.cli(&["install", "--client", client, "--http", "--dry-run"]).ok();
        said += &env.cli(&["--json", "install", "--client", client, "--http=http://localhost:1"]).ok();
        said += &env.cli(&["install", "--list"]).ok();
        said += &env.cli(&["doctor"]).ok();
        assert!(!said.contains(token), "{client}: {said}");
        let printed = env.cli(&["print-config", "--client", client, "--http"]).ok();
        assert!(printed.contains(token), "{client}: {printed}");
        // Back to stdio: nothing of the other way stays.
        env.cli(&["install", "--client", client]).ok();
        let text = fs::read_to_string(env.path(file)).unwrap();
        assert!(!text.contains(token) && !text.contains("http") && text.contains(&binary()), "{client}: {text}");
    }
}

#[test]
fn an_entry_over_http_is_answered_by_that_server() {
    let env = Env::new();
    let server = env.serve(&[]);
    let address = format!("http://{}", server.address);
    let args = ["-i", "a b", "print-config", "--http", &address, "--mode", "edit"];
    let entry = env.cli(&args).json()["mcpServers"]["mindcache"].clone();
    assert_eq!(entry["url"], format!("{address}/i/a%20b/mcp/edit"));
    let bearer = entry["headers"]["Authorization"].as_str().unwrap();
    assert_eq!(bearer, format!("Bearer {}", server.token()));
    env.cli(&["instance", "create", "a b"]).ok();
    let path = entry["url"].as_str().unwrap().strip_prefix(&address).unwrap();
    let mut client = server.mcp_at(path);
    let listed = client.request("tools/list", &json!({})).unwrap();
    assert!(listed.to_string().contains("set_key_attributes"), "edit mode: {listed}");
}

#[test]
fn the_token_goes_to_no_other_machine_and_into_no_shared_file() {
    let env = Env::new();
    for url in
        ["https://example.com/mcp", "http://example.com:80", "http://127.0.0.1.example.com:1", "http://localhost:x"]
    {
        assert!(env.cli(&["install", "--client", "cursor", "--http", url]).fails(2).contains("this machine"), "{url}");
    }
    assert!(env.cli(&["install", "--client", "claude-desktop", "--http"]).fails(2).contains("leave --http out"));
    let project = ["install", "--scope", "project", "--http", "--client"];
    for client in ["cursor", "vscode", "claude-code", "gemini-cli", "codex", "opencode"] {
        env.cli(&[&project[..], &[client]].concat()).ok();
    }
    assert!(!env.data().exists(), "no token is made for it");
    for file in [".cursor/mcp.json", ".vscode/mcp.json", ".mcp.json", ".gemini/settings.json", ".codex/config.toml"] {
        assert!(fs::read_to_string(env.path(file)).unwrap().contains("MINDCACHE_TOKEN"), "{file}");
    }
    assert!(env.cli(&[&project[..], &["zed"]].concat()).fails(2).contains("scope"));
    assert!(env.cli(&["install", "--scope", "project", "--client", "windsurf"]).fails(2).contains("project"));
}

#[test]
fn in_a_project_the_command_is_a_name_where_it_leads_to_this_binary() {
    let env = Env::new();
    let bin = env.path("bin");
    fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(binary(), bin.join("mindcache")).unwrap();
    let install = |scope: &str, file: &str| {
        let mut command = env.command();
        command.env("PATH", &bin).args(["install", "--client", "claude-code", "--scope", scope]);
        crate::harness::run(command, b"").ok();
        let config: Value = serde_json::from_slice(&fs::read(env.path(file)).unwrap()).unwrap();
        config["mcpServers"]["mindcache"]["command"].clone()
    };
    assert_eq!(install("project", ".mcp.json"), "mindcache");
    assert_eq!(install("user", ".claude.json"), bin.join("mindcache").to_str().unwrap(), "the link outlives a version");
}

#[test]
fn modes_and_links_stay() {
    use std::os::unix::fs::PermissionsExt as _;
    let env = Env::new();
    let mode = |path: &PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let real = home_file(&env, "dotfiles/claude.json", "{}\n");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    let link = env.path(".claude.json");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let told = env.cli(&["--json", "install", "--client", "claude-code"]).json();
    assert!(link.is_symlink() && fs::read_to_string(&real).unwrap().contains("mindcache"));
    let backup = PathBuf::from(told["backups"][0].as_str().unwrap());
    assert_eq!((mode(&real), mode(&backup)), (0o640, 0o640));
    assert!(env.cli(&["install", "--client", "claude-code", "--http"]).ok().contains("WARNING"));
    fs::remove_file(&real).unwrap();
    assert!(env.cli(&["install", "--client", "claude-code"]).fails(1).contains("link"));
    env.cli(&["install", "--client", "cursor", "--http"]).ok();
    assert_eq!(mode(&env.path(".cursor/mcp.json")), 0o600, "a token is for its owner");
}

#[test]
fn the_rules_are_added_between_marks_and_taken_out() {
    let env = Env::new();
    let path = home_file(&env, ".codex/AGENTS.md", "# Mine\n");
    let dry = env.cli(&["install", "--client", "codex", "--rules", "--dry-run"]).ok();
    assert!(dry.contains("search_keys") && fs::read_to_string(&path).unwrap() == "# Mine\n", "{dry}");
    env.cli(&["install", "--client", "codex", "--rules"]).ok();
    let with = fs::read_to_string(&path).unwrap();
    assert!(with.starts_with("# Mine\n") && with.contains("if_version"), "{with}");
    env.cli(&["install", "--client", "codex", "--rules"]).ok();
    assert_eq!(fs::read_to_string(&path).unwrap(), with);
    env.cli(&["uninstall", "--client", "codex"]).ok();
    assert_eq!(fs::read_to_string(&path).unwrap(), "# Mine\n");
    let said = env.cli(&["install", "--client", "zed", "--rules"]).ok();
    assert!(said.contains("yourself") && said.contains("search_keys"), "{said}");
    env.cli(&["install", "--client", "claude-code", "--rules", "--scope", "project"]).ok();
    assert!(fs::read_to_string(env.path("CLAUDE.md")).unwrap().contains("mindcache"));
}

#[test]
fn the_rules_name_tools_that_exist() {
    let env = Env::new();
    let said = env.cli(&["install", "--client", "zed", "--rules", "--dry-run"]).ok();
    let tools = env.cli(&["tools"]).ok();
    for tool in ["get_system_prompt", "list_keys", "search_keys", "edit_key", "append_key"] {
        assert!(said.contains(tool) && tools.contains(tool), "{tool}");
    }
}

#[test]
fn doctor_looks_at_the_clients() {
    let env = Env::new();
    assert!(env.cli(&["doctor"]).ok().contains("clients: none found"));
    home_file(&env, ".cursor/mcp.json", "{}");
    env.cli(&["install", "--client", "codex"]).ok();
    let said = env.cli(&["doctor"]).ok();
    assert!(said.contains("ok     Cursor: ") && said.contains("mindcache install --client cursor"), "{said}");
    assert!(
        said.contains("ok     Codex: ") && said.contains(&format!("\"mindcache\" leads to {}", binary())),
        "{said}"
    );
    let faults = |text: &str| {
        home_file(&env, ".cursor/mcp.json", text);
        let output = env.cli(&["doctor"]);
        assert_eq!(output.code, 1, "{}", output.stderr);
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(faults("{\n\n  \"mcpServers\": \n}").contains("is not valid: "));
    assert!(faults(r#"{"mcpServers": {"m": {"command": "/gone/mindcache"}}}"#).contains("no program /gone/mindcache"));
    let sh = fs::canonicalize("/bin/sh").unwrap();
    let other = json!({"mcpServers": {"mindcache": {"command": sh}}}).to_string();
    assert!(faults(&other).contains("another program"));
    let said = faults(
        r#"{"mcpServers": {"mindcache": {"url": "http://127.0.0.1:1/mcp", "headers": {"Authorization": "Bearer s3cret"}}}}"#,
    );
    assert!(said.contains("its token is not") && !said.contains("s3cret"), "{said}");
    env.cli(&["install", "--client", "cursor", "--http"]).ok();
    env.cli(&["doctor"]).ok();
}
