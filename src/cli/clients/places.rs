//! Where clients keep their files: a pure function of the platform, the home folder and a few variables.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context as _;

use crate::config::folder_variable;

use super::table::Files;

/// What decides where files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Platform {
    /// And the other Unixes.
    Linux,
    MacOs,
    Windows,
}

/// The variables that move a folder, with the bases that they decide and where these are without it.
const MOVED: [(&str, &str, &str); 6] = [
    ("{xdg}", "XDG_CONFIG_HOME", "~/.config"),
    ("{codex}", "CODEX_HOME", "~/.codex"),
    ("{copilot}", "COPILOT_HOME", "~/.copilot"),
    ("{claude}", "CLAUDE_CONFIG_DIR", "~"),
    ("{claude-rules}", "CLAUDE_CONFIG_DIR", "~/.claude"),
    ("{roaming}", "APPDATA", "~/AppData/Roaming"),
];

/// A machine's folders.
#[derive(Debug)]
pub(super) struct Places {
    platform: Platform,
    home: String,
    variables: BTreeMap<&'static str, String>,
    /// The folders of Claude Desktop's store packages, whole.
    claude_packages: Vec<String>,
}

impl Places {
    /// Those of this machine. Fails when there is no home folder.
    pub(super) fn of_this_machine() -> anyhow::Result<Self> {
        let platform = match std::env::consts::OS {
            "macos" => Platform::MacOs,
            "windows" => Platform::Windows,
            _ => Platform::Linux,
        };
        let home = etcetera::home_dir().context("there is no home folder")?;
        let home = home.to_str().context("the name of the home folder is not Unicode")?.to_owned();
        let names = MOVED.iter().map(|(_, variable, _)| *variable).chain(["LOCALAPPDATA"]);
        let variables: BTreeMap<_, _> =
            names.filter_map(|name| Some((name, folder_variable(name)?.to_str()?.to_owned()))).collect();
        let mut places = Self { platform, home, variables, claude_packages: Vec::new() };
        if platform == Platform::Windows {
            places.claude_packages = places.packages("Claude_");
        }
        Ok(places)
    }

    /// The folders of store packages whose name begins so.
    fn packages(&self, beginning: &str) -> Vec<String> {
        let local = self.variables.get("LOCALAPPDATA").map(|folder| Path::new(folder).join("Packages"));
        let entries = local.and_then(|folder| std::fs::read_dir(folder).ok());
        let paths = entries.into_iter().flatten().flatten().map(|entry| entry.path());
        let ours = paths.filter(|path| {
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(beginning))
        });
        ours.filter_map(|path| path.to_str().map(str::to_owned)).collect()
    }

    /// Where a file may be, best first; the last is where it is made.
    pub(super) fn candidates(&self, files: &Files) -> Vec<String> {
        let paths = match self.platform {
            Platform::Linux => files.linux,
            Platform::MacOs => files.macos,
            Platform::Windows => files.windows,
        };
        paths.iter().flat_map(|path| self.expand(path)).collect()
    }

    /// The paths of one pattern: one, or one for each package.
    pub(super) fn expand(&self, path: &str) -> Vec<String> {
        let (base, rest) = path.split_once('/').unwrap_or((path, ""));
        let roots = match base {
            "{claude-package}" => self.claude_packages.clone(),
            "{config}" => vec![self.base(match self.platform {
                Platform::Linux => "{xdg}",
                Platform::MacOs => "~/Library/Application Support",
                Platform::Windows => "{roaming}",
            })],
            other => vec![self.base(other)],
        };
        roots.into_iter().map(|root| if rest.is_empty() { root } else { self.join(&root, rest) }).collect()
    }

    fn base(&self, base: &str) -> String {
        if let Some((_, variable, otherwise)) = MOVED.iter().find(|(name, _, _)| *name == base) {
            return self.variables.get(variable).cloned().unwrap_or_else(|| self.base(otherwise));
        }
        match base.split_once('/') {
            Some((_, rest)) => self.join(&self.home, rest),
            None => self.home.clone(),
        }
    }

    fn join(&self, root: &str, rest: &str) -> String {
        match self.platform {
            Platform::Windows => format!("{root}\\{}", rest.replace('/', "\\")),
            Platform::Linux | Platform::MacOs => format!("{root}/{rest}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::find;
    use super::*;

    fn places(platform: Platform, variables: &[(&'static str, &str)], packages: &[&str]) -> Places {
        let home = if platform == Platform::Windows { r"C:\Users\me" } else { "/home/me" };
        Places {
            platform,
            home: home.into(),
            variables: variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
            claude_packages: packages.iter().map(|package| (*package).to_owned()).collect(),
        }
    }

    fn last(places: &Places, client: &str) -> String {
        places.candidates(&find(client).unwrap().user).pop().unwrap()
    }

    #[test]
    fn each_client_is_where_its_platform_has_it() {
        let linux = places(Platform::Linux, &[], &[]);
        let mac = places(Platform::MacOs, &[], &[]);
        let windows = places(Platform::Windows, &[("APPDATA", r"D:\Roaming")], &[]);
        let support = "/home/me/Library/Application Support";
        for (client, on_linux, on_mac, on_windows) in [
            (
                "claude-desktop",
                "/home/me/.config/Claude/claude_desktop_config.json".to_owned(),
                format!("{support}/Claude/claude_desktop_config.json"),
                r"D:\Roaming\Claude\claude_desktop_config.json",
            ),
            (
                "claude-code",
                "/home/me/.claude.json".into(),
                "/home/me/.claude.json".into(),
                r"C:\Users\me\.claude.json",
            ),
            (
                "vscode",
                "/home/me/.config/Code/User/mcp.json".into(),
                format!("{support}/Code/User/mcp.json"),
                r"D:\Roaming\Code\User\mcp.json",
            ),
            (
                "zed",
                "/home/me/.config/zed/settings.json".into(),
                "/home/me/.config/zed/settings.json".into(),
                r"D:\Roaming\Zed\settings.json",
            ),
            (
                "codex",
                "/home/me/.codex/config.toml".into(),
                "/home/me/.codex/config.toml".into(),
                r"C:\Users\me\.codex\config.toml",
            ),
            (
                "goose",
                "/home/me/.config/goose/config.yaml".into(),
                "/home/me/.config/goose/config.yaml".into(),
                r"D:\Roaming\Block\goose\config\config.yaml",
            ),
        ] {
            let found = [&linux, &mac, &windows].map(|places| last(places, client));
            assert_eq!(found, [on_linux, on_mac, on_windows.to_owned()]);
        }
        let without = places(Platform::Windows, &[], &[]);
        assert_eq!(last(&without, "vscode"), r"C:\Users\me\AppData\Roaming\Code\User\mcp.json");
    }

    #[test]
    fn variables_move_folders() {
        let moved = places(
            Platform::Linux,
            &[("XDG_CONFIG_HOME", "/x"), ("CODEX_HOME", "/c"), ("COPILOT_HOME", "/p"), ("CLAUDE_CONFIG_DIR", "/l")],
            &[],
        );
        for (client, path) in [
            ("claude-desktop", "/x/Claude/claude_desktop_config.json"),
            ("opencode", "/x/opencode/opencode.json"),
            ("codex", "/c/config.toml"),
            ("copilot-cli", "/p/mcp-config.json"),
            ("claude-code", "/l/.claude.json"),
        ] {
            assert_eq!(last(&moved, client), path);
        }
        assert_eq!(moved.expand("{claude-rules}/CLAUDE.md"), ["/l/CLAUDE.md"]);
    }

    #[test]
    fn a_store_package_of_claude_comes_before_the_usual_folder() {
        let packaged = places(Platform::Windows, &[], &[r"C:\P\Claude_a", r"C:\P\Claude_b"]);
        let found = packaged.candidates(&find("claude-desktop").unwrap().user);
        let tail = r"LocalCache\Roaming\Claude\claude_desktop_config.json";
        assert_eq!(found[..2], [format!(r"C:\P\Claude_a\{tail}"), format!(r"C:\P\Claude_b\{tail}")]);
        assert_eq!(found.len(), 3);
    }
}
