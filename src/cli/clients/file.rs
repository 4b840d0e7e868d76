//! A config file on the disk: read whole, changed in one step, with a copy of what was there beside it.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use super::{
    super::{beside::beside, output::Failure},
    entry::Entry,
    json,
    table::{Client, Format},
    toml,
};

/// Largest config that is read, in bytes; the largest known ones have some megabytes.
const MOST_BYTES: u64 = 64 * 1024 * 1024;
/// What the copy is called: the file's name and this.
const BACKUP: &str = ".mindcache.bak";

/// A file of a client, as it was when it was read.
#[derive(Debug)]
pub(super) struct ClientFile {
    /// Where it is, links followed.
    pub(super) path: PathBuf,
    /// What is in it; none when there is no such file.
    pub(super) text: Option<String>,
}

impl ClientFile {
    /// Reads it. Fails when it cannot be read, is no text or is larger than any config.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let told = |error: io::Error| anyhow::anyhow!("cannot read {}: {error}", path.display());
        let real = match fs::canonicalize(path) {
            Ok(real) => real,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                anyhow::ensure!(!path.is_symlink(), "{} is a link to a file that is not there", path.display());
                return Ok(Self { path: path.to_owned(), text: None });
            }
            Err(error) => return Err(told(error)),
        };
        let bytes = fs::metadata(&real).map_err(told)?.len();
        anyhow::ensure!(bytes <= MOST_BYTES, "{} has {bytes} bytes, too many for a config", path.display());
        let text = fs::read_to_string(&real).map_err(told)?;
        Ok(Self { path: real, text: Some(text) })
    }

    /// Makes it this text, keeping a copy of what was there; answers where that is. `is_private`: a new file is for
    /// this user alone, for it holds a secret.
    pub(super) fn replace(&self, text: &str, is_private: bool) -> Result<Option<PathBuf>, Failure> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder).map_err(|error| anyhow::anyhow!("cannot make {}: {error}", folder.display()))?;
        }
        let backup = self.backup()?;
        beside(&self.path, is_private, |file| {
            file.write_all(text.as_bytes())?;
            // A client that runs may have written in between.
            if Self::read(&self.path)?.text != self.text {
                let text = format!("{} has just been changed by someone else; try again", self.path.display());
                return Err(Failure::Other(anyhow::anyhow!(text)));
            }
            Ok(())
        })?;
        Ok(backup)
    }

    fn backup(&self) -> Result<Option<PathBuf>, Failure> {
        let Some(text) = &self.text else { return Ok(None) };
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(BACKUP);
        let copy = self.path.with_file_name(name);
        let mode = fs::metadata(&self.path)?.permissions();
        beside(&copy, true, |file| {
            file.write_all(text.as_bytes())?;
            Ok(file.get_ref().set_permissions(mode)?)
        })?;
        Ok(Some(copy))
    }
}

/// A config in its client's format.
pub(super) struct Config<'c> {
    pub(super) client: &'c Client,
    pub(super) text: &'c str,
}

impl Config<'_> {
    /// The servers in it by name. The error says where it is wrong.
    pub(super) fn servers(&self) -> Result<Map<String, Value>, String> {
        match self.value()?.get(self.client.servers) {
            None => Ok(Map::new()),
            Some(Value::Object(servers)) => Ok(servers.clone()),
            Some(_) => Err(format!("\"{}\" is no object", self.client.servers)),
        }
    }

    fn value(&self) -> Result<Value, String> {
        match self.client.format {
            Format::Json => json::value(self.text, false),
            Format::Jsonc => json::value(self.text, true),
            Format::Toml => toml::value(self.text),
            Format::Yaml => Err("YAML is not read".into()),
        }
    }

    /// The text with the entry in it.
    pub(super) fn with(&self, name: &str, entry: &Entry) -> Result<String, String> {
        let servers = self.client.servers;
        let text = match self.client.format {
            Format::Json => json::put(self.text, false, servers, name, entry),
            Format::Jsonc => json::put(self.text, true, servers, name, entry),
            Format::Toml => toml::put(self.text, servers, name, entry),
            Format::Yaml => Err("YAML is not edited".into()),
        }?;
        let is_there = |held: &Value| entry.fields.iter().all(|(field, value)| held.get(field) == Some(value));
        self.check(&text, name, |held| held.is_some_and(is_there))?;
        Ok(text)
    }

    /// The text without the entry.
    pub(super) fn without(&self, name: &str) -> Result<String, String> {
        let servers = self.client.servers;
        let text = match self.client.format {
            Format::Json => json::take(self.text, false, servers, name),
            Format::Jsonc => json::take(self.text, true, servers, name),
            Format::Toml => toml::take(self.text, servers, name),
            Format::Yaml => Err("YAML is not edited".into()),
        }?;
        self.check(&text, name, |held| held.is_none())?;
        Ok(text)
    }

    /// That an edit did what it should and nothing else, as a reader of the file sees it: a name that stands there
    /// twice, for one, is edited at its first place and read at its last.
    fn check(&self, text: &str, name: &str, is_done: impl FnOnce(Option<&Value>) -> bool) -> Result<(), String> {
        let servers = self.client.servers;
        let rest = |value: Value| {
            let mut value = value;
            let held = value.get_mut(servers).and_then(Value::as_object_mut).and_then(|list| list.shift_remove(name));
            if value.get(servers).and_then(Value::as_object).is_some_and(Map::is_empty)
                && let Some(top) = value.as_object_mut()
            {
                top.shift_remove(servers);
            }
            (held, value)
        };
        let (held, after) = rest(Config { client: self.client, text }.value()?);
        let (_, before) = rest(self.value()?);
        if is_done(held.as_ref()) && before == after {
            return Ok(());
        }
        Err(format!("it cannot be edited safely: does \"{servers}\" or \"{name}\" stand there twice?"))
    }
}

/// A whole config with nothing but this entry, to be pasted.
pub(super) fn alone(client: &Client, name: &str, entry: &Entry) -> Result<String, String> {
    let text = match client.format {
        Format::Json | Format::Jsonc => {
            let servers = Value::Object([(name.to_owned(), entry.whole().into())].into_iter().collect());
            format!("{:#}\n", Value::Object([(client.servers.to_owned(), servers)].into_iter().collect()))
        }
        Format::Toml => Config { client, text: "" }.with(name, entry)?,
        // JSON within a line is YAML.
        Format::Yaml => {
            let whole = entry.whole();
            let fields = whole.iter().map(|(field, value)| format!("    {field}: {value}\n"));
            format!("{}:\n  {name}:\n{}", client.servers, fields.collect::<String>())
        }
    };
    Ok(text)
}
