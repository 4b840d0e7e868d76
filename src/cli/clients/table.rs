//! The clients that mindcache can be put into: one row each. A new client is a row here and nothing else.
//!
//! A path begins with a base (`~`, `{config}`, …) that `src/cli/clients/places.rs` knows. An entry is written as JSON with
//! placeholders for what differs: `$command`, `$args`, `$line` (command and arguments in one list), `$url`, `$bearer`.

/// How a client's config is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Format {
    /// JSON that the client reads strictly.
    Json,
    /// JSON with comments and trailing commas.
    Jsonc,
    /// TOML.
    Toml,
    /// YAML: shown, never edited, for no editor of it keeps what a person wrote.
    Yaml,
}

/// Where a file may be, by platform: the first that exists, else the last.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) linux: &'static [&'static str],
    pub(super) macos: &'static [&'static str],
    pub(super) windows: &'static [&'static str],
}

impl Files {
    const fn everywhere(paths: &'static [&'static str]) -> Self {
        Self { linux: paths, macos: paths, windows: paths }
    }
}

/// A client.
#[derive(Debug)]
pub(in crate::cli) struct Client {
    /// What it is called on the command line.
    pub(in crate::cli) name: &'static str,
    /// What people call it.
    pub(in crate::cli) title: &'static str,
    pub(in crate::cli) format: Format,
    /// The object in the config that holds the servers.
    pub(super) servers: &'static str,
    /// The config of the user.
    pub(super) user: Files,
    /// The config of a project, from its folder; such files are shared with others.
    pub(super) project: Option<&'static str>,
    /// The entry of a program that the client starts.
    pub(super) stdio: &'static str,
    /// The entry of a server over HTTP.
    pub(super) http: Option<&'static str>,
    /// The same for a file that is shared: the token comes from the environment.
    pub(super) http_shared: Option<&'static str>,
    /// Fields that a new entry gets besides; those of an existing one are the user's.
    pub(super) defaults: &'static str,
    /// The file of standing instructions of the user, and of a project.
    pub(super) rules: [Option<&'static str>; 2],
    /// What is left to do by hand.
    pub(super) note: &'static str,
}

/// All of them, in the order in which they are listed.
pub(in crate::cli) const CLIENTS: &[Client] = &[
    Client {
        name: "claude-desktop",
        title: "Claude Desktop",
        format: Format::Json,
        servers: "mcpServers",
        user: Files {
            linux: &["{config}/Claude/claude_desktop_config.json"],
            macos: &["{config}/Claude/claude_desktop_config.json"],
            // As a store package it sees a folder of its own in place of the usual one.
            windows: &[
                "{claude-package}/LocalCache/Roaming/Claude/claude_desktop_config.json",
                "{config}/Claude/claude_desktop_config.json",
            ],
        },
        project: None,
        stdio: r#"{"command": "$command", "args": "$args"}"#,
        http: None,
        http_shared: None,
        defaults: "{}",
        rules: [None, None],
        note: "Quit Claude Desktop fully and start it again.",
    },
    Client {
        name: "claude-code",
        title: "Claude Code",
        format: Format::Json,
        servers: "mcpServers",
        user: Files::everywhere(&["{claude}/.claude.json"]),
        project: Some(".mcp.json"),
        stdio: r#"{"type": "stdio", "command": "$command", "args": "$args"}"#,
        http: Some(r#"{"type": "http", "url": "$url", "headers": {"Authorization": "$bearer"}}"#),
        http_shared: Some(
            r#"{"type": "http", "url": "$url", "headers": {"Authorization": "Bearer ${MINDCACHE_TOKEN}"}}"#,
        ),
        defaults: "{}",
        rules: [Some("{claude-rules}/CLAUDE.md"), Some("CLAUDE.md")],
        note: "One that is running writes this file too: start it again and look at /mcp.",
    },
    Client {
        name: "cursor",
        title: "Cursor",
        format: Format::Jsonc,
        servers: "mcpServers",
        user: Files::everywhere(&["~/.cursor/mcp.json"]),
        project: Some(".cursor/mcp.json"),
        stdio: r#"{"command": "$command", "args": "$args"}"#,
        http: Some(r#"{"url": "$url", "headers": {"Authorization": "$bearer"}}"#),
        http_shared: Some(r#"{"url": "$url", "headers": {"Authorization": "Bearer ${env:MINDCACHE_TOKEN}"}}"#),
        defaults: "{}",
        rules: [None, Some("AGENTS.md")],
        note: "Switch it on under Settings > Tools & MCP if it is not.",
    },
    Client {
        name: "vscode",
        title: "VS Code",
        format: Format::Jsonc,
        servers: "servers",
        user: Files::everywhere(&["{config}/Code/User/mcp.json"]),
        project: Some(".vscode/mcp.json"),
        stdio: r#"{"type": "stdio", "command": "$command", "args": "$args"}"#,
        http: Some(r#"{"type": "http", "url": "$url", "headers": {"Authorization": "$bearer"}}"#),
        http_shared: Some(
            r#"{"type": "http", "url": "$url", "headers": {"Authorization": "Bearer ${env:MINDCACHE_TOKEN}"}}"#,
        ),
        defaults: "{}",
        rules: [None, Some(".github/copilot-instructions.md")],
        note: "Start it with `MCP: List Servers`.",
    },
    Client {
        name: "codex",
        title: "Codex",
        format: Format::Toml,
        servers: "mcp_servers",
        user: Files::everywhere(&["{codex}/config.toml"]),
        project: Some(".codex/config.toml"),
        stdio: r#"{"command": "$command", "args": "$args"}"#,
        http: Some(r#"{"url": "$url", "http_headers": {"Authorization": "$bearer"}}"#),
        http_shared: Some(r#"{"url": "$url", "bearer_token_env_var": "MINDCACHE_TOKEN"}"#),
        defaults: "{}",
        rules: [Some("{codex}/AGENTS.md"), Some("AGENTS.md")],
        note: "Start Codex again.",
    },
    Client {
        name: "gemini-cli",
        title: "Gemini CLI",
        format: Format::Jsonc,
        servers: "mcpServers",
        user: Files::everywhere(&["~/.gemini/settings.json"]),
        project: Some(".gemini/settings.json"),
        stdio: r#"{"command": "$command", "args": "$args"}"#,
        http: Some(r#"{"httpUrl": "$url", "headers": {"Authorization": "$bearer"}}"#),
        http_shared: Some(r#"{"httpUrl": "$url", "headers": {"Authorization": "Bearer ${MINDCACHE_TOKEN}"}}"#),
        defaults: "{}",
        rules: [Some("~/.gemini/GEMINI.md"), Some("GEMINI.md")],
        note: "Start it again and look at /mcp.",
    },
    Client {
        name: "copilot-cli",
        title: "Copilot CLI",
        format: Format::Json,
        servers: "mcpServers",
        user: Files::everywhere(&["{copilot}/mcp-config.json"]),
        project: Some(".mcp.json"),
        stdio: r#"{"type": "stdio", "command": "$command", "args": "$args"}"#,
        http: Some(r#"{"type": "http", "url": "$url", "headers": {"Authorization": "$bearer"}}"#),
        http_shared: None,
        defaults: r#"{"tools": ["*"]}"#,
        rules: [Some("{copilot}/copilot-instructions.md"), Some(".github/copilot-instructions.md")],
        note: "Start it again and look at /mcp show.",
    },
    Client {
        name: "windsurf",
        title: "Windsurf",
        format: Format::Json,
        servers: "mcpServers",
        user: Files::everywhere(&["~/.codeium/windsurf/mcp_config.json"]),
        project: None,
        stdio: r#"{"command": "$command", "args": "$args"}"#,
        http: Some(r#"{"serverUrl": "$url", "headers": {"Authorization": "$bearer"}}"#),
        http_shared: None,
        defaults: "{}",
        rules: [Some("~/.codeium/windsurf/memories/global_rules.md"), None],
        note: "Press refresh in the list of MCP servers.",
    },
    Client {
        name: "antigravity",
        title: "Antigravity",
        format: Format::Json,
        servers: "mcpServers",
        user: Files::everywhere(&["~/.gemini/config/mcp_config.json", "~/.gemini/antigravity/mcp_config.json"]),
        project: None,
        stdio: r#"{"command": "$command", "args": "$args"}"#,
        http: Some(r#"{"serverUrl": "$url", "headers": {"Authorization": "$bearer"}}"#),
        http_shared: None,
        defaults: "{}",
        rules: [Some("~/.gemini/GEMINI.md"), None],
        note: "Press refresh in the list of MCP servers.",
    },
    Client {
        name: "cline",
        title: "Cline",
        format: Format::Json,
        servers: "mcpServers",
        user: Files::everywhere(&[
            "~/.cline/data/settings/cline_mcp_settings.json",
            "{config}/Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json",
        ]),
        project: None,
        stdio: r#"{"command": "$command", "args": "$args"}"#,
        http: Some(r#"{"type": "streamableHttp", "url": "$url", "headers": {"Authorization": "$bearer"}}"#),
        http_shared: None,
        defaults: r#"{"disabled": false}"#,
        rules: [Some("~/Documents/Cline/Rules/mindcache.md"), Some(".clinerules/mindcache.md")],
        note: "It is in the list of MCP servers at once.",
    },
    Client {
        name: "zed",
        title: "Zed",
        format: Format::Jsonc,
        servers: "context_servers",
        user: Files {
            linux: &["{xdg}/zed/settings.json"],
            macos: &["~/.config/zed/settings.json"],
            windows: &["{config}/Zed/settings.json"],
        },
        project: Some(".zed/settings.json"),
        stdio: r#"{"source": "custom", "command": "$command", "args": "$args"}"#,
        http: Some(r#"{"source": "custom", "type": "http", "url": "$url", "headers": {"Authorization": "$bearer"}}"#),
        http_shared: None,
        defaults: "{}",
        // Zed takes the first of several files: to make one may hide another.
        rules: [None, None],
        note: "Zed takes it up at once.",
    },
    Client {
        name: "opencode",
        title: "opencode",
        format: Format::Jsonc,
        servers: "mcp",
        user: Files::everywhere(&["{xdg}/opencode/opencode.jsonc", "{xdg}/opencode/opencode.json"]),
        project: Some("opencode.json"),
        stdio: r#"{"type": "local", "command": "$line"}"#,
        http: Some(r#"{"type": "remote", "url": "$url", "headers": {"Authorization": "$bearer"}}"#),
        http_shared: Some(
            r#"{"type": "remote", "url": "$url", "headers": {"Authorization": "Bearer {env:MINDCACHE_TOKEN}"}}"#,
        ),
        defaults: r#"{"enabled": true}"#,
        rules: [Some("{xdg}/opencode/AGENTS.md"), Some("AGENTS.md")],
        note: "Start opencode again.",
    },
    Client {
        name: "goose",
        title: "Goose",
        format: Format::Yaml,
        servers: "extensions",
        user: Files {
            linux: &["{xdg}/goose/config.yaml"],
            macos: &["~/.config/goose/config.yaml"],
            windows: &["{config}/Block/goose/config/config.yaml"],
        },
        project: None,
        stdio: r#"{"name": "mindcache", "type": "stdio", "cmd": "$command", "args": "$args"}"#,
        http: Some(
            r#"{"name": "mindcache", "type": "streamable_http", "uri": "$url", "headers": {"Authorization": "$bearer"}}"#,
        ),
        http_shared: None,
        defaults: r#"{"enabled": true, "timeout": 300}"#,
        rules: [None, Some(".goosehints")],
        note: "Start Goose again.",
    },
];

/// The client of a name.
pub(in crate::cli) fn find(name: &str) -> Option<&'static Client> {
    CLIENTS.iter().find(|client| client.name == name)
}
