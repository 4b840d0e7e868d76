//! `config.toml`: what it says becomes the defaults of the command line, so that flags and environment go before it and
//! each value is read as that of its flag.

use std::{fs, io, path::PathBuf};

use clap::{Command, error::ErrorKind};
use toml_edit::{DocumentMut, Item, Value};

use super::{DATA_DIR, Setting, TABLES, settings};
use crate::{cli::complete, model::limits};

/// The file, read.
#[derive(Debug)]
pub(in crate::cli) struct File {
    path: PathBuf,
    document: DocumentMut,
}

impl File {
    /// Reads it; nothing where there is none. Errors: what cannot be read, is too large or is no TOML.
    pub(in crate::cli) fn read(path: PathBuf) -> Result<Option<Self>, clap::Error> {
        let text = match fs::metadata(&path) {
            Ok(found) if found.len() > limits::CONFIG_FILE_BYTES => {
                return Err(refused(&path, &format!("it has more than {} bytes", limits::CONFIG_FILE_BYTES)));
            }
            Ok(_) => fs::read_to_string(&path),
            Err(error) => Err(error),
        };
        match text {
            Ok(text) => {
                let document =
                    text.parse().map_err(|error: toml_edit::TomlError| refused(&path, &error.to_string()))?;
                Ok(Some(Self { path, document }))
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(refused(&path, &error.to_string())),
        }
    }

    /// Whether it says a setting.
    pub(super) fn says(&self, table: Option<&str>, name: &str) -> bool {
        let table = table.map_or(Some(self.document.as_item()), |table| self.document.get(table));
        table.and_then(|table| table.get(name)).is_some()
    }

    /// The command line with what the file says as its defaults. Errors: what is no setting, and what it cannot be.
    pub(in crate::cli) fn applied(&self, mut command: Command) -> Result<Command, clap::Error> {
        let known = settings(&command);
        for (name, item) in self.document.iter() {
            if let (Some(table), true) = (item.as_table_like(), TABLES.contains(&name)) {
                for (within, item) in table.iter() {
                    let setting = self.setting(&known, Some(name), within)?;
                    let values = self.values(setting, item)?;
                    command = command.mut_subcommand(name, |command| with_default(command, setting, values));
                }
            } else {
                let setting = self.setting(&known, None, name)?;
                let values = self.values(setting, item)?;
                command = with_default(command, setting, values);
            }
        }
        Ok(command)
    }

    fn setting<'s>(&self, known: &'s [Setting], table: Option<&str>, name: &str) -> Result<&'s Setting, clap::Error> {
        if let Some(setting) = known.iter().find(|setting| setting.table == table && setting.name == name) {
            return Ok(setting);
        }
        if name == DATA_DIR {
            return Err(refused(&self.path, "data_dir cannot stand in the file of the data folder itself"));
        }
        let whole = table.map(|table| format!("{table}.")).unwrap_or_default() + name;
        let near = complete::nearest(&whole, known.iter().map(Setting::path).collect());
        let near = near.first().map(|near| format!("; is {near} meant?")).unwrap_or_default();
        Err(refused(&self.path, &format!("{whole} is no setting{near}; `mindcache config --template` shows all")))
    }

    /// What an item says, as words of the command line.
    fn values(&self, setting: &Setting, item: &Item) -> Result<Vec<String>, clap::Error> {
        let word = |value: &Value| match value {
            Value::String(text) if !setting.is_switch() => Some(text.value().clone()),
            Value::Integer(number) if !setting.is_switch() => Some(number.value().to_string()),
            Value::Boolean(is) if setting.is_switch() => Some(is.value().to_string()),
            _ => None,
        };
        let words = match item.as_value() {
            Some(Value::Array(values)) if setting.takes_several() => values.iter().map(word).collect(),
            Some(value) => word(value).map(|word| vec![word]),
            None => None,
        };
        let wanted = match (setting.is_switch(), setting.takes_several()) {
            (true, _) => "true or false",
            (_, true) => "a text, or a list of texts",
            _ => "a text or a number",
        };
        words.ok_or_else(|| refused(&self.path, &format!("{} is to be {wanted}", setting.path())))
    }

    /// An error of reading what the file said, with the file in it: nothing on the command line is wrong.
    pub(in crate::cli) fn named(file: Option<&Self>, error: clap::Error) -> clap::Error {
        match (file, error.kind()) {
            (Some(file), ErrorKind::InvalidValue | ErrorKind::ValueValidation) => {
                let text = error.to_string();
                let first = text.lines().next().unwrap_or_default();
                refused(&file.path, first.trim_start_matches("error: "))
            }
            _ => error,
        }
    }
}

fn with_default(command: Command, setting: &Setting, values: Vec<String>) -> Command {
    command.mut_arg(setting.arg.get_id(), |arg| arg.default_values(values))
}

fn refused(path: &std::path::Path, why: &str) -> clap::Error {
    clap::Error::raw(ErrorKind::ValueValidation, format!("{}: {why}\n", path.display()))
}
