//! `mindcache install`, `uninstall` and `print-config`: mindcache in the configs of the clients of this machine.

mod entry;
mod file;
mod json;
mod look;
mod places;
mod rules;
mod table;
mod target;
#[cfg(test)]
mod tests;
mod told;
mod toml;
mod wire;

use std::path::Path;

use clap::{Args, ValueEnum, builder::PossibleValuesParser};
use serde_json::{Value, json};

use crate::{config::Settings, model::permission::Mode};

use super::{
    mcp::mode,
    output::{Failure, Output},
};
use entry::{Entry, Wiring};
use file::{ClientFile, Config, alone};
use places::Places;
use target::{config_path, rules_path};
use told::Told;
use wire::Wanted;

pub(super) use look::{Found, look};
pub(super) use table::Format;
use table::{CLIENTS, Client, find};

/// Whose config it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Scope {
    /// The user's, for all projects
    #[default]
    User,
    /// The project's in the current folder, shared with whoever has the project
    Project,
}

/// Which entry.
#[derive(Debug, Args)]
struct Which {
    /// Whose config: the user's, or the project's in the current folder
    #[arg(long, value_enum, default_value_t)]
    scope: Scope,
    /// What the server is called in the config
    #[arg(long, default_value = look::NAME, value_parser = server_name)]
    name: String,
}

/// How the client is to reach mindcache.
#[derive(Debug, Args)]
struct How {
    /// What the client may do: read, use or edit
    #[arg(long, default_value = "use", value_parser = mode)]
    mode: Mode,
    /// Ask a server that `mindcache serve` runs, instead of starting one
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "http://127.0.0.1:8787")]
    http: Option<String>,
}

/// `install`.
#[derive(Debug, Args)]
pub(super) struct InstallArgs {
    /// The client, by its name in --list
    #[arg(long, required_unless_present = "list", value_parser = PossibleValuesParser::new(names()), hide_possible_values = true)]
    client: Option<String>,
    /// Show the clients, where their configs are, and what stands there
    #[arg(long, conflicts_with = "client")]
    list: bool,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    how: How,
    /// Also tell the client's model what mindcache is for, when to read and when to write, in its file of rules
    #[arg(long)]
    rules: bool,
    /// Show what would be written
    #[arg(long)]
    dry_run: bool,
}

/// `uninstall`.
#[derive(Debug, Args)]
pub(super) struct UninstallArgs {
    /// The client, by its name in `install --list`
    #[arg(long, value_parser = PossibleValuesParser::new(names()), hide_possible_values = true)]
    client: String,
    #[command(flatten)]
    which: Which,
    /// Show what would be taken out
    #[arg(long)]
    dry_run: bool,
}

/// `print-config`.
#[derive(Debug, Args)]
pub(super) struct PrintArgs {
    /// The client, by its name in `install --list` [default: what most clients understand]
    #[arg(long, value_parser = PossibleValuesParser::new(names()), hide_possible_values = true)]
    client: Option<String>,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    how: How,
}

fn names() -> impl Iterator<Item = &'static str> {
    CLIENTS.iter().map(|client| client.name)
}

/// A name that every client takes, and that leaves room for the names of tools.
fn server_name(name: &str) -> Result<String, String> {
    let is_fine = (1..=32).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    if is_fine { Ok(name.into()) } else { Err("1 to 32 letters, digits, - and _".into()) }
}

fn client(name: &str) -> Result<&'static Client, Failure> {
    find(name).ok_or_else(|| Failure::Usage(format!("there is no client {name}; see install --list")))
}

/// Fails with what is wrong in a file, in which nothing was changed.
fn refused(path: &Path, reason: &str) -> Failure {
    Failure::Other(anyhow::anyhow!("{} is left as it is: {reason}", path.display()))
}

/// Refuses a way to reach mindcache that this client does not know, before anything is made for it.
fn check_way(client: &Client, how: &How, scope: Scope) -> Result<(), Failure> {
    let reason = match (how.http.is_some(), scope) {
        (true, Scope::User) if client.http.is_none() => {
            "takes servers over HTTP by its own settings only, and only from a public https address; leave --http out"
        }
        (true, Scope::Project) if client.http_shared.is_none() => {
            "cannot take the token from the environment, and in the file of a project everybody would have it; leave \
             --scope project out"
        }
        _ => return Ok(()),
    };
    Err(Failure::Usage(format!("{} {reason}", client.title)))
}

/// Puts mindcache into the config of a client.
pub(super) fn install(args: &InstallArgs, settings: &Settings, instance: &str, output: &Output) -> Result<(), Failure> {
    let Some(name) = args.client.as_deref() else { return list(settings, output) };
    let client = client(name)?;
    let (scope, server) = (args.which.scope, args.which.name.as_str());
    let places = Places::of_this_machine()?;
    let path = config_path(client, scope, &places)?;
    let how = &args.how;
    let wanted = Wanted { instance, mode: how.mode, http: how.http.as_deref(), scope, is_dry: args.dry_run };
    check_way(client, how, scope)?;
    let wiring = wanted.wiring(settings)?;
    let made = Entry::new(client, &wiring)?;
    let shown = alone(client, server, &Entry::new(client, &wiring.masked())?).map_err(anyhow::Error::msg)?;
    let mut told = Told::new(client, &path, args.dry_run);
    if client.format == Format::Yaml {
        told.line(format!("{}: put this into {} yourself, which is not edited here:", client.title, path.display()));
        told.line(shown.trim_end().to_owned());
    } else {
        let file = ClientFile::read(&path)?;
        let before = file.text.as_deref().unwrap_or_default();
        let after = if before.trim().is_empty() {
            alone(client, server, &made)
        } else {
            Config { client, text: before }.with(server, &made)
        };
        let after = after.map_err(|reason| refused(&path, &reason))?;
        if after == before {
            told.line(format!("{}: {} has it already; nothing was changed.", client.title, path.display()));
        } else if args.dry_run {
            told.line(format!("{}: {} would have this:", client.title, path.display()));
            told.line(shown.trim_end().to_owned());
            told.is_changed = true;
        } else {
            let has_token = matches!(wiring, Wiring::Http { token: Some(_), .. });
            let backup = file.replace(&after, has_token)?;
            told.line(format!("{}: put \"{server}\" into {}.", client.title, path.display()));
            if file.text.is_none() {
                told.line(format!("  The file is new: is {} on this machine?", client.title));
            }
            told.changed(backup.as_deref());
            if has_token && is_open_to_others(&file.path) {
                told.line(format!("  WARNING: others can read the token there: chmod 600 {}", file.path.display()));
            }
            told.line(format!("  {}", client.note));
        }
    }
    if args.rules {
        put_rules(client, scope, &places, &mut told)?;
    }
    told.end(output)
}

/// Takes mindcache out of the config of a client, and what it is told out of its file of rules.
pub(super) fn uninstall(args: &UninstallArgs, output: &Output) -> Result<(), Failure> {
    let client = client(&args.client)?;
    let (scope, server) = (args.which.scope, args.which.name.as_str());
    let places = Places::of_this_machine()?;
    let path = config_path(client, scope, &places)?;
    let mut told = Told::new(client, &path, args.dry_run);
    let file = ClientFile::read(&path)?;
    let before = file.text.as_deref().unwrap_or_default();
    let config = Config { client, text: before };
    if client.format == Format::Yaml {
        told.line(format!("{}: take \"{server}\" out of {} yourself.", client.title, path.display()));
    } else if !config.servers().map_err(|reason| refused(&path, &reason))?.contains_key(server) {
        told.line(format!("{}: {} has no \"{server}\".", client.title, path.display()));
    } else {
        let after = config.without(server).map_err(|reason| refused(&path, &reason))?;
        told.line(format!("{}: {} \"{server}\" out of {}.", client.title, told.verb("took", "take"), path.display()));
        let backup = if args.dry_run { None } else { file.replace(&after, false)? };
        told.changed(backup.as_deref());
    }
    take_rules(client, scope, &places, &mut told)?;
    told.end(output)
}

/// Prints what is to be pasted into a config, the token included.
pub(super) fn print_config(
    args: &PrintArgs,
    settings: &Settings,
    instance: &str,
    output: &Output,
) -> Result<(), Failure> {
    let client = client(args.client.as_deref().unwrap_or("claude-code"))?;
    let how = &args.how;
    let scope = args.which.scope;
    let wanted = Wanted { instance, mode: how.mode, http: how.http.as_deref(), scope, is_dry: false };
    check_way(client, how, scope)?;
    let made = Entry::new(client, &wanted.wiring(settings)?)?;
    let text = alone(client, &args.which.name, &made).map_err(anyhow::Error::msg)?;
    if output.is_json() {
        let path = config_path(client, scope, &Places::of_this_machine()?)?;
        return output.structured(&json!({"client": client.name, "path": path, "config": text}));
    }
    output.raw(text.as_bytes())
}

fn put_rules(client: &Client, scope: Scope, places: &Places, told: &mut Told) -> Result<(), Failure> {
    let Some(path) = rules_path(client, scope, places)? else {
        told.line(format!("{} has no file of rules here: put this into its instructions yourself:", client.title));
        told.line(rules::TEXT.trim_end().to_owned());
        return Ok(());
    };
    let file = ClientFile::read(&path)?;
    let before = file.text.as_deref().unwrap_or_default();
    let after = rules::put(before).map_err(|reason| refused(&path, &reason))?;
    if after == before {
        told.line(format!("  {} tells its model of mindcache already.", path.display()));
        return Ok(());
    }
    let backup = if told.is_dry { None } else { file.replace(&after, false)? };
    told.line(format!(
        "  {} what its model is told of mindcache to {}.",
        told.verb("Added", "Would add"),
        path.display()
    ));
    told.changed(backup.as_deref());
    if told.is_dry {
        told.line(rules::TEXT.trim_end().to_owned());
    }
    Ok(())
}

fn take_rules(client: &Client, scope: Scope, places: &Places, told: &mut Told) -> Result<(), Failure> {
    let Some(path) = rules_path(client, scope, places)? else { return Ok(()) };
    let file = ClientFile::read(&path)?;
    let Some(after) =
        rules::take(file.text.as_deref().unwrap_or_default()).map_err(|reason| refused(&path, &reason))?
    else {
        return Ok(());
    };
    let backup = if told.is_dry { None } else { file.replace(&after, false)? };
    told.line(format!("  {} its model is told out of {}.", told.verb("Took what", "Would take what"), path.display()));
    told.changed(backup.as_deref());
    Ok(())
}

fn list(settings: &Settings, output: &Output) -> Result<(), Failure> {
    let found = look(settings)?;
    if output.is_json() {
        let clients: Vec<Value> = found.iter().map(Found::to_json).collect();
        return output.structured(&json!({ "clients": clients }));
    }
    for found in &found {
        output.line(&format!("{:<15} {:<16} {}", found.client.name, found.state(), found.path.display()))?;
    }
    Ok(())
}

#[cfg(unix)]
fn is_open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_: &Path) -> bool {
    false
}
