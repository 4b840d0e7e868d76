//! How a client of this machine reaches this binary: by its path, or over HTTP with the token of the data folder.

use std::{
    env::consts::EXE_SUFFIX,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    config::Settings,
    model::{error::OpError, instance::InstanceRef, permission::Mode},
};

use super::{
    super::{output::Failure, serve},
    Scope,
    entry::Wiring,
};

/// What of an instance's name stays as it is in a URL.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What is wanted of an entry.
pub(super) struct Wanted<'a> {
    pub(super) instance: &'a str,
    pub(super) mode: Mode,
    /// The server's address; none for stdio.
    pub(super) http: Option<&'a str>,
    pub(super) scope: Scope,
    /// Nothing may be made for it, a token neither.
    pub(super) is_dry: bool,
}

impl Wanted<'_> {
    /// The way to this binary.
    pub(super) fn wiring(&self, settings: &Settings) -> Result<Wiring, Failure> {
        InstanceRef::parse(self.instance)?;
        let Some(server) = self.http else {
            return Ok(Wiring::Stdio { command: self.command()?, args: self.args(settings)? });
        };
        let url = self.url(server)?;
        if self.scope == Scope::Project {
            return Ok(Wiring::Http { url, token: None });
        }
        let data_dir = settings.data_dir()?;
        let token = match serve::known_token(&data_dir)? {
            Some(token) => token,
            None if self.is_dry => "…".into(),
            None => serve::token(&data_dir)?,
        };
        Ok(Wiring::Http { url, token: Some(token) })
    }

    /// A program that a desktop starts has not the PATH of a shell, so it gets the whole path. A file of a project is
    /// read on other machines, where the program is elsewhere.
    fn command(&self) -> anyhow::Result<String> {
        let (path, is_in_path) = this_binary()?;
        if self.scope == Scope::Project && is_in_path {
            return Ok("mindcache".into());
        }
        text(&path)
    }

    /// A client does not hand over the environment in which this command runs: what of it matters is an argument.
    fn args(&self, settings: &Settings) -> Result<Vec<String>, OpError> {
        let mut args = vec!["mcp".to_owned()];
        let mut add = |flag: &str, value: String| args.extend([flag.to_owned(), value]);
        if self.instance != "default" {
            add("--instance", self.instance.to_owned());
        }
        if self.mode != Mode::Use {
            add("--mode", self.mode.name().to_owned());
        }
        args.extend(settings.as_args()?);
        Ok(args)
    }

    fn url(&self, server: &str) -> Result<String, Failure> {
        let address = server.strip_prefix("http://").unwrap_or(server).trim_end_matches('/');
        let (host, port) = address.rsplit_once(':').unwrap_or((address, "80"));
        // The token of this data folder is for this machine's server, and nobody else is to be told it.
        if !["127.0.0.1", "localhost", "[::1]"].contains(&host) || port.parse::<u16>().is_err() {
            let text = format!("--http takes a server of this machine, such as http://127.0.0.1:8787, not {server}");
            return Err(Failure::Usage(text));
        }
        let mode = if self.mode == Mode::Use { "" } else { self.mode.name() };
        let mut path = String::new();
        if self.instance != "default" || !mode.is_empty() {
            path = format!("/i/{}", utf8_percent_encode(self.instance, ENCODED));
        }
        path.push_str("/mcp");
        if !mode.is_empty() {
            path = format!("{path}/{mode}");
        }
        Ok(format!("http://{address}{path}"))
    }
}

fn text(path: &Path) -> anyhow::Result<String> {
    Ok(path.to_str().with_context(|| format!("{} is not Unicode and cannot stand in a config", path.display()))?.into())
}

/// Where this binary is, and whether its name alone leads to it. The path is that of PATH if this binary is there: a
/// link that a package keeps outlives the folder of one version.
pub(super) fn this_binary() -> anyhow::Result<(PathBuf, bool)> {
    let running = std::env::current_exe().context("cannot find the running binary")?;
    match in_path("mindcache") {
        Some(found) if is_same(&found, &running) => Ok((found, true)),
        _ => Ok((running, false)),
    }
}

/// The program that a name leads to.
pub(super) fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    folders.map(|folder| folder.join(format!("{name}{EXE_SUFFIX}"))).find(|file| file.is_file())
}

/// Whether two paths lead to one file.
pub(super) fn is_same(one: &Path, other: &Path) -> bool {
    match (fs::canonicalize(one), fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}
