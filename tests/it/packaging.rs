//! What is handed out with the program carries its version and its tools, and names the licence of all that is in it.
//! `UPDATE_EXPECT=1` brings the files up to date.

use std::{collections::BTreeMap, fs, path::PathBuf, process::Command};

use serde_json::{Value, json};

use crate::harness::Env;

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Fails when a file is not what it should be, or makes it so when told to.
fn is_current(name: &str, expected: &str) {
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(file(name), expected).unwrap();
    }
    let found = if file(name).exists() { read(name) } else { String::new() };
    assert!(found == expected, "{name} is out of date: UPDATE_EXPECT=1 cargo test packaging");
}

fn manifest() -> (Value, String) {
    let text = read("packaging/mcpb/manifest.json");
    (serde_json::from_str(&text).unwrap(), text)
}

#[test]
fn the_bundle_has_this_version_and_these_tools() {
    let (mut manifest, _) = manifest();
    let env = Env::new();
    let tools = env.mcp().request("tools/list", json!({})).unwrap()["tools"].clone();
    let listed: Vec<Value> = tools
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| json!({"name": tool["name"], "description": tool["title"]}))
        .collect();
    assert!(listed.len() >= 10 && listed.iter().all(|tool| tool["description"].is_string()), "{listed:?}");
    manifest["version"] = VERSION.into();
    manifest["tools"] = listed.into();
    is_current("packaging/mcpb/manifest.json", &format!("{manifest:#}\n"));
}

#[test]
fn the_entry_of_the_registry_has_this_version() {
    let mut entry: Value = serde_json::from_str(&read("packaging/server.json")).unwrap();
    entry["version"] = VERSION.into();
    for package in entry["packages"].as_array_mut().unwrap() {
        package["version"] = VERSION.into();
        let variables = package["environmentVariables"].as_array().unwrap();
        let help = Env::new().cli(&["mcp", "--help"]).ok();
        for variable in variables {
            let name = variable["name"].as_str().unwrap();
            assert!(help.contains(&format!("env: {name}")), "{name} is no variable of mindcache mcp");
        }
    }
    let description = entry["description"].as_str().unwrap();
    assert!(description.len() <= 100, "the registry takes 100 characters");
    is_current("packaging/server.json", &format!("{entry:#}\n"));
}

#[test]
fn the_image_is_labelled_with_this_version() {
    let text = read("packaging/Dockerfile");
    let lines = text.lines().map(|line| match line.strip_prefix("ARG VERSION=") {
        Some(_) => format!("ARG VERSION={VERSION}\n"),
        None => format!("{line}\n"),
    });
    is_current("packaging/Dockerfile", &lines.collect::<String>());
    let rust = read("Cargo.toml").lines().find_map(|line| line.strip_prefix("rust-version = ").map(str::to_owned));
    let rust = rust.unwrap();
    assert!(text.contains(&format!("FROM rust:{}-", rust.trim_matches('"'))), "the image builds with rust {rust}");
}

/// A bundle is started as its manifest says, with what the user left at its default.
#[test]
fn the_bundle_starts_a_server_that_answers() {
    let (manifest, _) = manifest();
    let env = Env::new();
    let folder = env.path("bundle/server");
    fs::create_dir_all(&folder).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_mindcache"), folder.join("mindcache")).unwrap();
    let fill = |value: &Value| {
        let mut text = value.as_str().unwrap().replace("${__dirname}", env.path("bundle").to_str().unwrap());
        for (name, option) in manifest["user_config"].as_object().unwrap() {
            text = text.replace(&format!("${{user_config.{name}}}"), option["default"].as_str().unwrap());
        }
        text
    };
    let config = &manifest["server"]["mcp_config"];
    let mut command = env.command_of(fill(&config["command"]).as_ref());
    command.args(config["args"].as_array().unwrap().iter().map(fill));
    command.envs(config["env"].as_object().unwrap().iter().map(|(name, value)| (name.clone(), fill(value))));
    let mut client = crate::harness::mcp::Client::start(command, crate::harness::mcp::Era::Legacy);
    client.handshake();
    client.write("k", "v");
    assert_eq!(env.cli(&["get", "k"]).ok(), "v");
}

#[test]
fn what_has_changed_is_in_the_changelog() {
    let text = read("CHANGELOG.md");
    assert!(
        text.contains("\n## Unreleased\n") || text.contains(&format!("\n## {VERSION}")),
        "no heading for {VERSION}"
    );
}

/// The names and versions in the lock file: what is built in, and what tests use.
fn locked() -> Vec<(String, String)> {
    let lock = read("Cargo.lock");
    let packages = lock.split("[[package]]").skip(1).map(|package| {
        let field = |name: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
            line.unwrap_or_default().trim_matches('"').to_owned()
        };
        (field("name"), field("version"))
    });
    packages.filter(|(name, _)| name != "mindcache").collect()
}

/// The licences as the packages tell them; only asked for when the list is made anew.
fn told() -> BTreeMap<(String, String), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--format-version", "1", "--locked"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let metadata: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().replace('/', " OR ");
    packages.map(|each| ((text(&each["name"]), text(&each["version"])), text(&each["license"]))).collect()
}

const LICENCES: &str = "packaging/licenses.md";

#[test]
fn the_licence_of_each_dependency_is_listed_and_allowed() {
    let mut text = read(LICENCES);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        let told = told();
        let rows = locked().into_iter().map(|package| {
            let licence = told.get(&package).cloned().unwrap_or_default();
            format!("| {} | {} | {licence} |\n", package.0, package.1)
        });
        let head = "# Licences of the dependencies\n\nGenerated from the lock file, tools of the tests included: \
                    `UPDATE_EXPECT=1 cargo test packaging`.\n\n| package | version | licence |\n|---|---|---|\n";
        text = head.to_owned() + &rows.collect::<String>();
        fs::write(file(LICENCES), &text).unwrap();
    }
    let row = |line: &str| {
        let cells: Vec<String> = line.split('|').map(|cell| cell.trim().to_owned()).collect();
        Some((cells.get(1)?.clone(), cells.get(2)?.clone(), cells.get(3)?.clone()))
    };
    let rows: Vec<_> = text.lines().skip_while(|line| *line != "|---|---|---|").skip(1).filter_map(row).collect();
    let listed: Vec<_> = rows.iter().map(|(name, version, _)| (name.clone(), version.clone())).collect();
    assert_eq!(listed, locked(), "{LICENCES} is out of date: UPDATE_EXPECT=1 cargo test packaging");
    let deny = read("deny.toml");
    let allow = deny.lines().find_map(|line| line.strip_prefix("allow = [")).unwrap();
    let allow: Vec<&str> = allow.split('"').skip(1).step_by(2).collect();
    for (name, version, licence) in &rows {
        assert!(is_allowed(licence, &allow), "{name} {version} is under {licence:?}, which deny.toml does not allow");
    }
}

/// Whether an SPDX expression leaves a choice that is allowed. AND binds tighter than OR.
fn is_allowed(expression: &str, allow: &[&str]) -> bool {
    let whole = expression.trim();
    for (word, is_choice) in [(" OR ", true), (" AND ", false)] {
        let parts = split_outside(whole, word);
        if parts.len() > 1 {
            let mut parts = parts.into_iter().map(|part| is_allowed(part, allow));
            return if is_choice { parts.any(|part| part) } else { parts.all(|part| part) };
        }
    }
    match whole.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        Some(inner) => is_allowed(inner, allow),
        None => allow.contains(&whole),
    }
}

/// The parts between a word that stands outside of brackets.
fn split_outside<'t>(text: &'t str, word: &str) -> Vec<&'t str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_i32);
    for (at, c) in text.char_indices() {
        depth += i32::from(c == '(') - i32::from(c == ')');
        if depth == 0 && at >= start && text[at..].starts_with(word) {
            parts.push(&text[start..at]);
            start = at + word.len();
        }
    }
    parts.push(&text[start..]);
    parts
}

#[test]
fn an_expression_of_licences_is_read_as_it_is_meant() {
    let allow = ["MIT", "Apache-2.0", "Unicode-3.0"];
    for (expression, is) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("", false),
        ("GPL-3.0 OR MIT", true),
        ("MIT AND GPL-3.0", false),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("(MIT OR Apache-2.0) AND GPL-3.0", false),
        ("GPL-3.0 AND X OR MIT", true),
    ] {
        assert_eq!(is_allowed(expression, &allow), is, "{expression}");
    }
}
