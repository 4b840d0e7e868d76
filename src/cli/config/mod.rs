//! `mindcache config`: the settings, and where each comes from; `config.toml` of the data folder, where they may stand.
//!
//! A setting is a flag that has a variable in the environment. Its name in the file is that of the variable without
//! `MINDCACHE_`, in small letters; those of `mcp` and `serve` stand in tables of these names.

mod file;

use std::{borrow::Cow, ffi::OsString, fmt::Write as _};

use clap::{Arg, ArgMatches, Args, Command, parser::ValueSource};
use serde_json::{Value, json};

use super::output::{ASIDE, Failure, NAMED, Output};
use crate::config::Settings;

pub(super) use file::File;

/// What the variables of settings begin with.
const PREFIX: &str = "MINDCACHE_";
/// The commands with settings of their own that stand in the file.
const TABLES: [&str; 2] = ["mcp", "serve"];
/// The setting that says where the file is: it cannot stand in it.
const DATA_DIR: &str = "data_dir";

/// `config`.
#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    /// Print a config.toml with every setting in it, each switched off by # and with what it is for
    #[arg(long)]
    template: bool,
}

/// A setting.
struct Setting {
    /// The command that it belongs to; none for those of every command.
    table: Option<&'static str>,
    /// What it is called in the file.
    name: String,
    /// Its flag.
    arg: Arg,
}

impl Setting {
    /// Its name with that of its table.
    fn path(&self) -> String {
        self.table.map(|table| format!("{table}.")).unwrap_or_default() + &self.name
    }

    /// How it is written in the file at its default; where it has none, as an example.
    fn sample(&self) -> String {
        let defaults = self.arg.get_default_values();
        let word = defaults.first().map(|value| value.to_string_lossy());
        match word {
            _ if self.is_switch() => "false".into(),
            _ if self.takes_several() => "[]".into(),
            Some(word) if word.parse::<u64>().is_ok() => word.into_owned(),
            Some(word) => json!(word).to_string(),
            None => json!("").to_string(),
        }
    }

    fn takes_several(&self) -> bool {
        matches!(self.arg.get_action(), clap::ArgAction::Append)
    }

    fn is_switch(&self) -> bool {
        !self.arg.get_action().takes_values()
    }

    /// What it is as it stands, and who says it.
    fn told(
        &self,
        of_all: &ArgMatches,
        of_commands: &[(&str, ArgMatches)],
        file: Option<&File>,
    ) -> (Value, &'static str) {
        let of_table = self.table.and_then(|table| of_commands.iter().find(|(name, _)| *name == table));
        let matches = of_table.map_or(of_all, |(_, matches)| matches);
        let id = self.arg.get_id().as_str();
        let said = match matches.value_source(id) {
            Some(ValueSource::CommandLine) => "flag",
            Some(ValueSource::EnvVariable) => "environment",
            _ if file.is_some_and(|file| file.says(self.table, &self.name)) => "file",
            _ => "default",
        };
        (self.value(matches, id), said)
    }

    fn value(&self, matches: &ArgMatches, id: &str) -> Value {
        if self.is_switch() {
            return matches.get_flag(id).into();
        }
        let raw = matches.get_raw(id).into_iter().flatten();
        let texts: Vec<Cow<'_, str>> = raw.map(|value| value.to_string_lossy()).collect();
        if self.takes_several() { json!(texts) } else { json!(texts.last()) }
    }
}

/// Every setting that may stand in the file, those of every command first.
fn settings(command: &Command) -> Vec<Setting> {
    let of = |table: Option<&'static str>, command: &Command| -> Vec<Setting> {
        let args = command.get_arguments().filter(|arg| !arg.is_hide_set() && arg.get_id() != DATA_DIR);
        let named = args.filter_map(|arg| {
            let name = arg.get_env()?.to_str()?.strip_prefix(PREFIX)?.to_ascii_lowercase();
            Some(Setting { table, name, arg: arg.clone() })
        });
        named.collect()
    };
    let of_tables = TABLES.into_iter().filter_map(|table| Some(of(Some(table), command.find_subcommand(table)?)));
    std::iter::once(of(None, command)).chain(of_tables).flatten().collect()
}

/// Prints every setting with who says it.
pub(super) fn run(args: &ConfigArgs, output: &Output) -> Result<(), Failure> {
    let plain = super::command();
    if args.template {
        return output.raw(template(&settings(&plain)).as_bytes());
    }
    let (of_all, command, file) = super::matches(&std::env::args_os().collect::<Vec<_>>()).map_err(usage)?;
    let mut of_commands = Vec::new();
    for table in TABLES {
        let mut command = command.clone();
        let words = [OsString::from("mindcache"), table.into()];
        let matches =
            command.try_get_matches_from_mut(words).map_err(|error| usage(File::named(file.as_ref(), error)))?;
        of_commands.extend(matches.subcommand().map(|(_, matches)| (table, matches.clone())));
    }
    let told = settings(&plain).into_iter().map(|setting| {
        let (value, said) = setting.told(&of_all, &of_commands, file.as_ref());
        (setting.path(), value, said)
    });
    if output.is_json() {
        let told: Vec<_> =
            told.map(|(name, value, from)| json!({"name": name, "value": value, "from": from})).collect();
        let path = Settings::path_of_file(&of_all)?;
        return output.structured(&json!({"file": path.to_string_lossy(), "exists": file.is_some(), "settings": told}));
    }
    let absent = if file.is_some() { "" } else { " (there is none yet)" };
    output.line(&format!("{}{absent}", Settings::path_of_file(&of_all)?.display()))?;
    for (name, value, said) in told {
        let shown = match value {
            Value::String(text) => text,
            Value::Null => "-".into(),
            Value::Array(values) if values.is_empty() => "-".into(),
            other => other.to_string(),
        };
        let said = if said == "default" { output.paint(ASIDE, said) } else { output.paint(NAMED, said) };
        output.line(&format!("{name:<22} {shown:<24} {said}"))?;
    }
    Ok(())
}

fn usage(error: clap::Error) -> Failure {
    Failure::Usage(error.to_string().trim_start_matches("error: ").trim_end().to_owned())
}

/// The file with every setting at its default, switched off.
fn template(settings: &[Setting]) -> String {
    let mut page = String::from(
        "# Settings of mindcache. A flag on the command line goes before the environment, and that before this file.\n",
    );
    let mut table = None;
    for setting in settings {
        if setting.table != table {
            table = setting.table;
            page.extend(["\n[", table.unwrap_or_default(), "]\n"]);
        }
        let help = setting.arg.get_help().map(ToString::to_string).unwrap_or_default();
        // Writing into a String never fails.
        _ = write!(page, "\n# {}\n# {} = {}\n", help.replace('\n', "\n# "), setting.name, setting.sample());
    }
    page
}

#[cfg(test)]
mod tests {
    use std::any::TypeId;

    use super::*;

    impl Setting {
        fn schema(&self) -> Value {
            let kind = self.arg.get_value_parser().type_id();
            let is_number = [TypeId::of::<u64>(), TypeId::of::<u32>()].iter().any(|number| kind == *number);
            let choices: Vec<_> =
                self.arg.get_possible_values().iter().map(|choice| choice.get_name().to_owned()).collect();
            let mut schema = match () {
                () if self.is_switch() => json!({"type": "boolean"}),
                () if self.takes_several() => {
                    json!({"type": ["string", "array"], "items": {"type": "string"}})
                }
                () if is_number => json!({"type": "integer", "minimum": 0}),
                () if choices.is_empty() => json!({"type": "string"}),
                () => json!({"type": "string", "enum": choices}),
            };
            let default: Vec<_> = self.arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
            if let (false, [default]) = (self.is_switch(), default.as_slice()) {
                schema["default"] = default.parse::<u64>().map_or_else(|_| json!(default), |number| json!(number));
            }
            schema["description"] = self.arg.get_help().map(ToString::to_string).into();
            schema
        }
    }

    /// `schemas/config.json` is that of the command line: `UPDATE_EXPECT=1 cargo test` writes it anew.
    #[test]
    fn the_published_schema_is_that_of_the_command_line() {
        let mut schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "config.toml of a mindcache data folder",
            "type": "object", "properties": {}, "additionalProperties": false,
        });
        for setting in settings(&super::super::command()) {
            let properties = match setting.table {
                None => &mut schema["properties"],
                Some(table) => {
                    let table = &mut schema["properties"][table];
                    if table.is_null() {
                        *table = json!({"type": "object", "properties": {}, "additionalProperties": false});
                    }
                    &mut table["properties"]
                }
            };
            properties[&setting.name] = setting.schema();
        }
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        expect_test::expect_file!["../../../schemas/config.json"].assert_eq(&text);
    }

    /// What the template says is a file that can be read, and says what is so without it.
    #[test]
    fn the_template_with_everything_switched_on_is_a_valid_file() {
        let command = super::super::command();
        let page = template(&settings(&command));
        let on: String = page
            .lines()
            .map(|line| {
                match line.strip_prefix("# ").filter(|line| {
                    line.split_once(" = ")
                        .is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
                }) {
                    Some(setting) => setting.to_owned() + "\n",
                    None => line.to_owned() + "\n",
                }
            })
            .collect();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        std::fs::write(&path, &on).unwrap();
        let file = File::read(path).unwrap().unwrap();
        assert!(settings(&command).iter().all(|setting| file.says(setting.table, &setting.name)), "{on}");
        let applied = file.applied(command).unwrap();
        for words in [&["mindcache", "serve"], &["mindcache", "mcp"]] {
            applied.clone().try_get_matches_from(words).unwrap();
        }
    }
}
