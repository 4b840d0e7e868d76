//! What the clients of this machine have of mindcache: which configs there are, and whether they lead to this binary.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::{config::Settings, store::sqlite::Fault};

use super::{
    super::serve,
    entry::held,
    file::{ClientFile, Config},
    places::Places,
    table::{CLIENTS, Client, Format},
    target::{project_path, user_path},
    wire::{in_path, is_same},
};

/// The name under which an entry stands unless told otherwise.
pub(super) const NAME: &str = "mindcache";

/// What was found of a client.
#[derive(Debug)]
pub(in crate::cli) struct Found {
    pub(in crate::cli) client: &'static Client,
    pub(in crate::cli) path: PathBuf,
    /// Whether there is such a file.
    pub(in crate::cli) is_there: bool,
    /// How mindcache stands in it: an entry's name and what it leads to.
    pub(in crate::cli) entries: Vec<(String, String)>,
    pub(in crate::cli) faults: Vec<Fault>,
}

impl Found {
    /// In a word or two.
    pub(super) fn state(&self) -> &'static str {
        match self {
            Self { faults, .. } if !faults.is_empty() => "WRONG",
            Self { is_there: false, .. } => "no config",
            Self { client: Client { format: Format::Yaml, .. }, .. } => "not looked into",
            Self { entries, .. } if entries.is_empty() => "not installed",
            Self { .. } => "installed",
        }
    }

    /// As a program gets it.
    pub(super) fn to_json(&self) -> Value {
        let faults: Vec<Value> =
            self.faults.iter().map(|fault| json!({"what": fault.what, "remedy": fault.remedy})).collect();
        let entries: Vec<&String> = self.entries.iter().map(|(name, _)| name).collect();
        json!({
            "client": self.client.name, "title": self.client.title, "path": self.path, "state": self.state(),
            "entries": entries, "faults": faults,
        })
    }
}

/// Looks at the config of the user of each client, and at those of the project in the current folder that are there.
pub(in crate::cli) fn look(settings: &Settings) -> anyhow::Result<Vec<Found>> {
    let places = Places::of_this_machine()?;
    let mut found: Vec<Found> = Vec::new();
    for client in CLIENTS {
        found.push(match user_path(client, &places) {
            Ok(path) => examine(client, path, settings),
            Err(error) => {
                let faults = vec![Fault::new(format!("{error:#}"), "remove the packages that are not used")];
                Found { client, path: PathBuf::new(), is_there: true, entries: Vec::new(), faults }
            }
        });
    }
    for client in CLIENTS {
        let Some(path) = project_path(client)? else { continue };
        // Two clients may read one file, and the folder may be the home folder.
        if path.exists() && found.iter().all(|other| other.path != path) {
            found.push(examine(client, path, settings));
        }
    }
    Ok(found)
}

fn examine(client: &'static Client, path: PathBuf, settings: &Settings) -> Found {
    let mut found = Found { client, path, is_there: true, entries: Vec::new(), faults: Vec::new() };
    let read = ClientFile::read(&found.path);
    let text = match read {
        Ok(ClientFile { text: Some(text), .. }) => text,
        Ok(ClientFile { text: None, .. }) => {
            found.is_there = false;
            return found;
        }
        Err(error) => {
            found.faults.push(Fault::new(error.to_string(), "make it a file that you can read"));
            return found;
        }
    };
    if client.format == Format::Yaml {
        return found;
    }
    match (Config { client, text: &text }.servers()) {
        Ok(servers) => {
            for (name, entry) in servers.iter().filter(|(name, entry)| is_ours(client, name, entry)) {
                let (leads_to, fault) = lead(client, entry, settings);
                found.entries.push((name.clone(), leads_to));
                found.faults.extend(fault.map(|what| {
                    let again = format!("mindcache install --client {}", client.name);
                    let again = if name == NAME { again } else { format!("{again} --name {name}") };
                    Fault::new(format!("entry \"{name}\": {what}"), format!("{again}, or remove the entry"))
                }));
            }
        }
        Err(error) => {
            let what = format!("{} is not valid: {error}", found.path.display());
            found
                .faults
                .push(Fault::new(what, format!("mend it; {} may not start any server till then", client.title)));
        }
    }
    found
}

fn command<'e>(client: &Client, entry: &'e Value) -> Option<&'e str> {
    let whole = held(client, entry, "$line").and_then(|line| line.get(0));
    whole.or_else(|| held(client, entry, "$command"))?.as_str()
}

fn is_ours(client: &Client, name: &str, entry: &Value) -> bool {
    let stem = command(client, entry).and_then(|command| Path::new(command).file_stem());
    name == NAME || stem.is_some_and(|stem| stem == NAME)
}

/// What an entry leads to, and what is wrong with that.
fn lead(client: &Client, entry: &Value, settings: &Settings) -> (String, Option<String>) {
    if let Some(command) = command(client, entry) {
        let leads_to = command.to_owned();
        let is_path = Path::new(command).components().count() > 1;
        let file = if is_path { Some(PathBuf::from(command)) } else { in_path(command) };
        let Some(file) = file.filter(|file| file.is_file()) else {
            return (leads_to, Some(format!("there is no program {command}")));
        };
        let is_this = std::env::current_exe().is_ok_and(|this| is_same(&file, &this));
        let fault = (!is_this).then(|| format!("{command} is another program than the one that runs now"));
        return (leads_to, fault);
    }
    let Some(url) = held(client, entry, "$url").and_then(Value::as_str) else {
        return (String::new(), Some("it has no command and no address".into()));
    };
    let bearer = held(client, entry, "$bearer").and_then(Value::as_str);
    let token = bearer.map(|bearer| bearer.trim_start_matches("Bearer ")).filter(|token| !token.contains('{'));
    let known = settings.data_dir().ok().and_then(|folder| serve::known_token(&folder).ok().flatten());
    let is_wrong = token.is_some_and(|token| known.is_none_or(|known| known != token));
    (url.to_owned(), is_wrong.then(|| "its token is not that of this data folder".into()))
}
