//! The pages of `docs/` that are made from the code: `operations.md` from the registry, `errors.md` from the errors,
//! `config.md` from the command line. `UPDATE_EXPECT=1 cargo test --lib reference` writes them anew.

use std::fmt::Write as _;

use clap::CommandFactory as _;
use serde_json::{Map, Value};

use super::{Cli, output::Failure};
use crate::{
    face::http,
    model::{
        error::{OpError, Reason},
        permission::Mode,
    },
    ops::{
        self,
        operation::{Entry, Listing},
    },
};

const MODES: [Mode; 3] = [Mode::Read, Mode::Use, Mode::Edit];

/// A schema's type in words: `string, 1 to 256 characters`.
fn told(schema: &Value) -> String {
    let word = |name: &str| schema.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |name: &str| schema.get(name).and_then(Value::as_u64);
    let choices = schema.get("enum").and_then(Value::as_array);
    let kind = match (choices, schema.get("type")) {
        (Some(choices), _) => {
            choices.iter().filter_map(Value::as_str).map(|choice| format!("`{choice}`")).collect::<Vec<_>>().join(", ")
        }
        (None, Some(Value::Array(kinds))) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        (None, Some(Value::String(kind))) if kind == "array" => match schema.pointer("/items/type") {
            Some(Value::String(items)) => format!("array of {items}s"),
            _ => "array".into(),
        },
        (None, _) => word("type"),
    };
    let bounds = |least: Option<u64>, most: Option<u64>, of: &str| match (least.filter(|least| *least > 0), most) {
        (Some(least), Some(most)) => format!(", {least} to {most}{of}"),
        (None, Some(most)) => format!(", at most {most}{of}"),
        (Some(least), None) => format!(", at least {least}{of}"),
        (None, None) => String::new(),
    };
    let size = bounds(number("minLength"), number("maxLength"), " characters")
        + &bounds(number("minItems"), number("maxItems"), " items")
        + &bounds(number("minimum"), number("maximum"), "");
    kind + &size
}

fn members(schema: &Map<String, Value>) -> Vec<(&str, &Value, bool)> {
    let required = schema.get("required").and_then(Value::as_array);
    let is_required = |name: &str| required.is_some_and(|all| all.iter().any(|each| each == name));
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten().map(|(name, schema)| (name.as_str(), schema, is_required(name))).collect()
}

fn operation(entry: &Entry, page: &mut String) -> std::fmt::Result {
    let modes: Vec<_> =
        MODES.into_iter().filter(|mode| entry.allowed(*mode)).map(|mode| format!("`{}`", mode.name())).collect();
    let tool = if entry.meta.listing == Listing::Search { "through `op_call`" } else { "a tool" };
    writeln!(
        page,
        "\n## {}\n\n{}\n\nModes: {}. {}.",
        entry.name,
        entry.description(),
        modes.join(", "),
        capital(tool)
    )?;
    let input = entry.input_schema();
    let arguments = members(&input);
    if !arguments.is_empty() {
        writeln!(page, "\n| argument | | what |\n|---|---|---|")?;
    }
    for (name, schema, is_required) in arguments {
        let mark = if is_required { "" } else { "?" };
        let what = schema.get("description").and_then(Value::as_str).unwrap_or_default();
        writeln!(page, "| `{name}{mark}` | {} | {} |", told(schema), what.replace('|', "\\|"))?;
    }
    let output = entry.output_schema();
    let results: Vec<_> = members(&output)
        .into_iter()
        .map(|(name, _, is_required)| format!("`{name}{}`", if is_required { "" } else { "?" }))
        .collect();
    if !results.is_empty() {
        writeln!(page, "\nResult: {}.", results.join(", "))?;
    }
    Ok(())
}

fn capital(text: &str) -> String {
    text.get(..1).unwrap_or_default().to_uppercase() + text.get(1..).unwrap_or_default()
}

#[test]
fn the_page_of_operations_is_that_of_the_registry() {
    let mut page = String::from(
        "# Operations\n\nEverything that can be done, with its arguments (`?`: may be left out) and its result. The same \
         everywhere: as an MCP\ntool or through `op_call`, and as `mindcache call NAME '{…}'` on the command line. \
         `schemas/operations.json` has the whole\nschemas. This page is made from the registry.\n",
    );
    for entry in ops::registry().iter().filter(|entry| entry.meta.listing != Listing::Internal) {
        operation(entry, &mut page).unwrap();
    }
    expect_test::expect_file!["../../docs/operations.md"].assert_eq(&page);
}

/// One error of each code, and when it comes.
fn errors() -> Vec<(OpError, &'static str)> {
    let unavailable = OpError::Unavailable {
        reason: Reason::DiskFull,
        what: "cannot write the store".into(),
        remedy: "free some space, then try again".into(),
    };
    let remedy = || "list_keys shows the keys that exist".to_owned();
    vec![
        (OpError::invalid("limit", "at most 1000", "5000"), "an argument breaks a rule, which is named with what came"),
        (
            OpError::PermissionDenied {
                what: "write_key of \"rules\" in mode use".into(),
                remedy: "Ask a person".into(),
            },
            "the mode, the tags of the key, a read-only instance or what was given to the caller do not allow it",
        ),
        (
            OpError::Unauthenticated { what: "the API key has expired".into(), remedy: remedy() },
            "nobody knows who is calling: the key or token is unknown, was revoked, or has expired",
        ),
        (OpError::no_key("notes"), "there is no such thing, or it is not for this caller to see"),
        (OpError::AlreadyExists { what: "instance \"a\"".into(), remedy: remedy() }, "the name is taken"),
        (
            OpError::VersionMismatch { what: "key \"notes\"".into(), expected: 3, current: 5 },
            "`if_version` names another version than the stored one: somebody changed it",
        ),
        (
            OpError::IdempotencyMismatch { key: "k1".into(), operation: "another".into() },
            "an idempotency key comes again with other arguments",
        ),
        (OpError::LogTruncated { floor: 900 }, "the log no longer goes back so far: read anew, then go on"),
        (
            OpError::TooLarge { what: "the value".into(), got_bytes: 2, limit_bytes: 1, remedy: "Send less".into() },
            "a size is over its limit",
        ),
        (OpError::waiting("the instance", 1), "too many calls wait already: try again"),
        (unavailable, "the store cannot do it now, or not at all; `reason` says why"),
    ]
}

#[test]
fn the_page_of_errors_is_that_of_the_codes() {
    let mut page = String::from(
        "# Errors\n\nA refusal changes nothing. Its text says what happened, to which thing, and what to do next; its code and \
         members are\nfor programs. MCP tools answer with `isError` and `structuredContent.error`, HTTP with \
         `application/problem+json`, the\ncommand line with the text on stderr (`--json`: the object on stdout) and an exit \
         code.\n\n| code | when | members | HTTP | exit |\n|---|---|---|---|---|\n",
    );
    for (error, when) in errors() {
        let status = http::status(&error).as_u16();
        let members: Vec<_> = error.to_json().keys().skip(2).map(|name| format!("`{name}`")).collect();
        let (code, exit) = (error.code(), Failure::Operation(error).code());
        writeln!(page, "| `{code}` | {when} | {} | {status} | {exit} |", members.join(", ")).unwrap();
    }
    page += "\nReasons of `unavailable`: ";
    let reasons = [
        (Reason::DiskFull, "no space is left"),
        (Reason::ReadOnly, "the folder or file cannot be written"),
        (Reason::NetworkFileSystem, "the data folder is on a network file system"),
        (Reason::Damaged, "a file is not what it should be"),
        (Reason::Newer, "a newer version has upgraded the file: restart this client"),
        (Reason::Busy, "another process holds the store for longer than callers wait; it is named"),
        (Reason::Io, "the operating system reported an error"),
        (Reason::NotKept, "what is asked for is not kept any more; 410 over HTTP"),
        (Reason::Off, "a setting switches it off"),
        (Reason::Stopped, "this process is ending"),
    ];
    let reasons: Vec<_> = reasons.iter().map(|(reason, what)| format!("`{}` ({what})", reason.name())).collect();
    page += &reasons.join(", ");
    page += ".\n\nExit code 0 is done, 1 any other failure, 2 also a command line that makes no sense. A tool name that is none, and \
             arguments\nthat are no object, are JSON-RPC errors (-32602).\n";
    expect_test::expect_file!["../../docs/errors.md"].assert_eq(&page);
}

/// A line for each flag that has a name in the environment.
fn flags(command: &clap::Command, prefix: &str, is_global: bool, page: &mut String) {
    for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
        let (Some(long), Some(variable)) = (argument.get_long(), argument.get_env()) else { continue };
        if argument.is_global_set() != is_global {
            continue;
        }
        let value =
            argument.get_value_names().and_then(|names| names.first()).filter(|_| argument.get_action().takes_values());
        let value = value.map(|name| format!(" {name}")).unwrap_or_default();
        let default: Vec<_> = argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        let default = if default.is_empty() { String::new() } else { format!("`{}`", default.join(",")) };
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let variable = variable.to_string_lossy();
        let help = help.replace('|', "\\|");
        page.extend(["| `", prefix, "--", long, &value, "` | `", &variable, "` | ", &default, " | ", &help, " |\n"]);
    }
}

#[test]
fn the_page_of_settings_is_that_of_the_command_line() {
    let mut command = Cli::command();
    command.build();
    let mut page = String::from(
        "# Configuration\n\nA flag goes before its environment variable, and that before `config.toml` in the data folder, where a setting has \
         the name\nof its variable without `MINDCACHE_`, in small letters (`time_zone = \"Europe/Paris\"`); those of `mcp` and `serve` stand in\ntables of \
         these names (`[serve]`, then `hosts = [\"mind.example.com\"]`). `mindcache config` shows what holds and who says it,\n\
         `mindcache config --template` prints a file to begin with, `schemas/config.json` is its schema. The data folder itself,\nand \
         secrets, are for flags and the environment alone. A name that is none, or a value that cannot be, stops every command.\n\nWhat is the same for every command:\n\n\
         | flag | environment | default | what |\n|---|---|---|---|\n",
    );
    flags(&command, "", true, &mut page);
    page += "\nOf single commands:\n\n| flag | environment | default | what |\n|---|---|---|---|\n";
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        flags(sub, &format!("{} ", sub.get_name()), false, &mut page);
    }
    expect_test::expect_file!["../../docs/config.md"].assert_eq(&page);
}
