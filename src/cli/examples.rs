//! An example or two for each command, below its help.

/// Each command and what one may type.
const EXAMPLES: &[(&str, &str)] = &[
    (
        "mcp",
        "mindcache mcp                          what a client's config starts\nmindcache mcp --instance team --mode read",
    ),
    ("serve", "mindcache serve\nmindcache serve --listen 127.0.0.1:0    on any free port, which it prints"),
    ("open", "mindcache open\nmindcache open -i team --print            the link, for another browser of this machine"),
    ("get", "mindcache get notes\nmindcache get logo > logo.png\nmindcache -i team get plan --json"),
    (
        "set",
        "mindcache set notes \"Ask Mira.\" --tags team,people\nmindcache set logo --file logo.png\ngit log -5 | mindcache set recent --ttl-ms 3600000\nmindcache set config '{\"port\": 8787}' --type json --if-version 0",
    ),
    ("ls", "mindcache ls\nmindcache ls projects/ --tag open --json"),
    ("search", "mindcache search database port\nmindcache search 'deploy*' --tag infra"),
    ("rm", "mindcache rm scratch\nmindcache undo                         brings it back"),
    ("append", "mindcache append log \"$(date): deployed\"\nmake 2>&1 | mindcache append build-log"),
    (
        "edit",
        "mindcache edit notes                   in $VISUAL or $EDITOR\nmindcache edit notes --old 8787 --new 9000\nEDITOR='code --wait' mindcache edit plan",
    ),
    (
        "attr",
        "mindcache attr notes\nmindcache attr notes --system-tags SystemPrompt,LLMRead --description \"What every agent must know\"",
    ),
    ("history", "mindcache history notes\nmindcache history notes --limit 5 --json"),
    (
        "diff",
        "mindcache diff notes                   what the last change did\nmindcache diff notes 12                from version 12 to now\nmindcache diff notes 12 15",
    ),
    (
        "watch",
        "mindcache watch\nmindcache watch --prefix projects/\nmindcache watch --json --since 120     everything after change 120, then live",
    ),
    ("restore", "mindcache history notes\nmindcache restore notes 12"),
    ("undo", "mindcache undo"),
    (
        "config",
        "mindcache config\nmindcache config --json\nmindcache config --template > config.toml    then take away the # of what you set",
    ),
    ("tools", "mindcache tools --mode read"),
    ("prompt", "mindcache prompt\nmindcache prompt --style v1"),
    (
        "instance",
        "mindcache instance create team\nmindcache instance snapshot default --note \"before the clean-up\"\nmindcache instance diff team default --values",
    ),
    (
        "key",
        "mindcache key create scraper --scope instance:tweets --permission read,write\nmindcache key list\nmindcache key revoke 0ad0a8a6-2d6c-4b6e-9f0f-0e6c6b6f4a11",
    ),
    (
        "share",
        "mindcache -i team share add ann@example.com write\nmindcache share add group:readers read --project work",
    ),
    (
        "project",
        "mindcache project create work\nmindcache call instance_create '{\"name\": \"notes\", \"project\": \"work\"}'",
    ),
    ("group", "mindcache group create readers\nmindcache group add readers ann@example.com"),
    ("user", "mindcache user create ann@example.com --name Ann"),
    ("delegate", "mindcache delegate create reviewer --permission write\nmindcache delegate list"),
    ("access", "mindcache access log --limit 20"),
    (
        "export",
        "mindcache export keys.json\nmindcache export --all backup.mindcache\nmindcache export --project team team.mindcache",
    ),
    ("backup", "mindcache backup store.tar\nmindcache --data-dir ~/restored backup --restore store.tar"),
    ("import", "mindcache import keys.json\nmindcache import --dry-run ~/project/CLAUDE.md"),
    ("call", "mindcache call op_search '{\"query\": \"\"}'\nmindcache call log_read '{\"since\": 0}'"),
    (
        "install",
        "mindcache install --list\nmindcache install --client cursor --dry-run\nmindcache install --client claude-code --rules",
    ),
    ("uninstall", "mindcache uninstall --client cursor"),
    ("print-config", "mindcache print-config --client zed"),
    ("client", "mindcache client --out vendor/mindcache && npm install ./vendor/mindcache"),
    ("doctor", "mindcache doctor\nmindcache doctor --deep --json"),
    ("sql", "mindcache sql \"SELECT key, version FROM keys WHERE type = 'json'\""),
    (
        "bench",
        "mindcache bench                        everything in short, one table\nmindcache bench write --dir ~/data\nmindcache bench --json",
    ),
    (
        "completions",
        "bash:        echo 'source <(mindcache completions bash)' >> ~/.bashrc\nzsh:         echo 'source <(mindcache completions zsh)' >> ~/.zshrc\nfish:        mindcache completions fish > ~/.config/fish/completions/mindcache.fish\npowershell:  mindcache completions powershell >> $PROFILE",
    ),
];

/// The commands with their examples.
pub(super) fn shown(command: clap::Command) -> clap::Command {
    command.mut_subcommands(|command| {
        let found = EXAMPLES.iter().find(|(name, _)| *name == command.get_name());
        match found {
            Some((_, lines)) => {
                let lines: Vec<String> = lines.lines().map(|line| format!("  {line}")).collect();
                command.after_help(format!("Examples:\n{}", lines.join("\n")))
            }
            None => command,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_an_example_and_each_example_a_command() {
        let command = super::super::command();
        let commands: Vec<&str> =
            command.get_subcommands().filter(|one| !one.is_hide_set()).map(clap::Command::get_name).collect();
        for name in &commands {
            assert!(EXAMPLES.iter().any(|(each, _)| each == name), "add examples for `{name}` to src/cli/examples.rs");
        }
        for (name, _) in EXAMPLES {
            assert!(commands.contains(name), "{name} is no command");
        }
    }
}
