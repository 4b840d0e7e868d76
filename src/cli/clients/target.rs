//! Which file a command is about.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::{
    super::output::Failure,
    Scope,
    places::Places,
    table::{Client, Files},
};

/// The config of a client. Fails for a project's where the client has none, and where several could be meant.
pub(super) fn config_path(client: &Client, scope: Scope, places: &Places) -> Result<PathBuf, Failure> {
    if scope == Scope::User {
        return Ok(user_path(client, places)?);
    }
    project_path(client)?.ok_or_else(|| {
        Failure::Usage(format!("{} has no config of a project; leave --scope project out", client.title))
    })
}

/// The user's config. Fails where several could be meant.
pub(super) fn user_path(client: &Client, places: &Places) -> anyhow::Result<PathBuf> {
    Ok(PathBuf::from(choose(places, &client.user, |path| Path::new(path).exists())?))
}

/// The config of the project in the current folder, if the client has such.
pub(super) fn project_path(client: &Client) -> anyhow::Result<Option<PathBuf>> {
    let Some(path) = client.project else { return Ok(None) };
    Ok(Some(std::env::current_dir()?.join(path)))
}

/// The first that is there, else the last.
fn choose(places: &Places, files: &Files, exists: impl Fn(&str) -> bool) -> anyhow::Result<String> {
    let mut candidates = places.candidates(files);
    let last = candidates.pop().context("the table of clients has a row without a file")?;
    let found: Vec<String> = candidates.into_iter().filter(|path| exists(path)).collect();
    if found.len() > 1 {
        anyhow::bail!("several configs could be meant: {}", found.join(", "));
    }
    Ok(found.into_iter().next().unwrap_or(last))
}

/// The file of rules of a client, if it has one.
pub(super) fn rules_path(client: &Client, scope: Scope, places: &Places) -> anyhow::Result<Option<PathBuf>> {
    let [user, project] = client.rules;
    Ok(match scope {
        Scope::User => user.and_then(|path| places.expand(path).pop()).map(PathBuf::from),
        Scope::Project => match project {
            Some(path) => Some(std::env::current_dir()?.join(path)),
            None => None,
        },
    })
}
