//! Completion: `completions SHELL`, and the names of keys, instances and operations for it and for who mistypes one.
//!
//! The shell asks this program on each tab. It reads what is there and makes nothing: without a store there are no names.

use std::ffi::OsStr;

use clap::{
    Args, FromArgMatches as _, ValueEnum,
    error::{ContextKind, ContextValue, ErrorKind},
};
use clap_complete::{
    CompleteEnv, CompletionCandidate,
    engine::ArgValueCompleter,
    env::{Bash, EnvCompleter, Fish, Powershell, Zsh},
};
use serde_json::{Map, Value};

use crate::{
    config::Settings,
    model::{error::OpError, instance::InstanceRef},
    ops::{self, instances::catalog, keys::list, operation::Operation as _},
};

use super::{
    Cli, Session,
    config::File,
    output::{Failure, Output},
};

/// The variable by which a shell asks for names instead of running a command.
const ASKED: &str = "MINDCACHE_COMPLETE";
/// Most names that a shell is told.
const OFFERED: usize = 200;
/// Most names that are compared with a mistyped one, and most that are told.
const COMPARED: usize = 10_000;
const NEAR: usize = 3;
/// Names that are read at once.
const PAGE: usize = 1_000;

/// `completions`.
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
}

/// Prints what the shell is to read at its start.
pub(super) fn completions(args: &CompletionsArgs, output: &Output) -> Result<(), Failure> {
    let shell: &dyn EnvCompleter = match args.shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
        Shell::Powershell => &Powershell,
    };
    let mut script = Vec::new();
    shell.write_registration(ASKED, "mindcache", "mindcache", "mindcache", &mut script)?;
    output.raw(&script)
}

/// Answers a shell that asks for names; false when none does.
pub(super) fn answer() -> Result<bool, clap::Error> {
    CompleteEnv::with_factory(super::command).var(ASKED).try_complete(std::env::args_os(), None)
}

/// Completes names of keys.
pub(super) fn keys() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        asked(typed, async |session, prefix| session.key_names(prefix, OFFERED).await)
    })
}

/// Completes names of instances.
pub(super) fn instances() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| asked(typed, async |session, _| session.instance_names(OFFERED).await))
}

/// Completes names of operations.
pub(super) fn operations() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let typed = typed.to_str().unwrap_or_default();
        let listed = ops::registry().iter().filter(|entry| entry.meta.listing != ops::operation::Listing::Internal);
        let names = listed.map(|entry| entry.name).filter(|name| name.starts_with(typed));
        names.map(CompletionCandidate::new).collect::<Vec<_>>()
    })
}

/// Names that begin as typed, from the store and instance that the words before name. Whatever is wrong there, the
/// shell has nothing to offer, and the command will say it.
fn asked(
    typed: &OsStr,
    names: impl AsyncFn(&Session, &str) -> Result<Vec<String>, OpError>,
) -> Vec<CompletionCandidate> {
    let found = || {
        let typed = typed.to_str()?;
        let words = || std::env::args_os().skip_while(|word| word != "--").skip(1);
        let matches = super::command().ignore_errors(true).try_get_matches_from(words()).ok()?;
        let matches = match File::read(Settings::path_of_file(&matches).ok()?).ok()? {
            Some(file) => {
                file.applied(super::command()).ok()?.ignore_errors(true).try_get_matches_from(words()).ok()?
            }
            None => matches,
        };
        let settings = Settings::from_arg_matches(&matches).ok()?;
        if !settings.data_dir().ok()?.join("catalog").exists() {
            return None;
        }
        let instance = InstanceRef::parse(matches.get_one::<String>(Cli::INSTANCE)?).ok()?;
        let session = Session::new(settings.kernel().ok()?, instance);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        let mut names = runtime.block_on(names(&session, typed)).ok()?;
        names.retain(|name| name.starts_with(typed));
        Some(names)
    };
    found().unwrap_or_default().into_iter().map(CompletionCandidate::new).collect()
}

impl Session {
    /// Names of keys that begin so, in order. Makes no instance.
    async fn key_names(&self, prefix: &str, most: usize) -> Result<Vec<String>, OpError> {
        let call = Map::from_iter([("prefix".to_owned(), prefix.into()), ("limit".to_owned(), PAGE.min(most).into())]);
        self.names(list::List::NAME, call, ("keys", "key"), most).await
    }

    /// Names of instances.
    async fn instance_names(&self, most: usize) -> Result<Vec<String>, OpError> {
        self.names(catalog::List::NAME, Map::new(), ("instances", "name"), most).await
    }

    async fn names(
        &self,
        operation: &str,
        call: Map<String, Value>,
        (list, field): (&str, &str),
        most: usize,
    ) -> Result<Vec<String>, OpError> {
        let mut names = Vec::new();
        let mut pages = self.pages(operation, call);
        while names.len() < most
            && let Some(page) = pages.next().await?
        {
            let rows = page.result.get(list).and_then(Value::as_array).into_iter().flatten();
            names.extend(rows.filter_map(|row| row.get(field)?.as_str()).map(str::to_owned));
        }
        Ok(names)
    }

    /// The same failure; where a key or an instance was not found, with the names near it, nearest first.
    pub(super) async fn with_near_names(&self, failure: Failure) -> Failure {
        let error = match failure {
            Failure::Operation(error @ OpError::NotFound { .. }) => error,
            other => return other,
        };
        let near = self.near(&error).await;
        if near.is_empty() { error.into() } else { Failure::Mistyped(error, near) }
    }

    async fn near(&self, error: &OpError) -> Vec<String> {
        let OpError::NotFound { what, .. } = error else { return Vec::new() };
        let quoted = |kind: &str| what.strip_prefix(kind)?.strip_prefix(" \"")?.strip_suffix('"');
        let (name, names) = match (quoted("key"), quoted("instance")) {
            (Some(name), _) => (name, self.key_names("", COMPARED).await),
            (_, Some(name)) => (name, self.instance_names(COMPARED).await),
            _ => return Vec::new(),
        };
        nearest(name, names.unwrap_or_default())
    }
}

/// The refusal of a command that does not exist, with those near it: clap knows no swapped letters.
pub(super) fn with_near_commands(mut error: clap::Error, command: &clap::Command) -> clap::Error {
    if error.kind() != ErrorKind::InvalidSubcommand || error.get(ContextKind::SuggestedSubcommand).is_some() {
        return error;
    }
    if let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidSubcommand) {
        let commands = command.get_subcommands().filter(|one| !one.is_hide_set());
        let near = nearest(typed, commands.map(|one| one.get_name().to_owned()).collect());
        if !near.is_empty() {
            error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(near));
        }
    }
    error
}

/// Names that a slip or two away make this one, or that differ from it in their case alone.
pub(super) fn nearest(name: &str, names: Vec<String>) -> Vec<String> {
    let lower = name.to_lowercase();
    let slips = (lower.chars().count() / 3).clamp(1, 3);
    let mut near: Vec<(usize, String)> = names
        .into_iter()
        .filter(|other| other.chars().count().abs_diff(name.chars().count()) <= slips)
        .map(|other| (strsim::damerau_levenshtein(&lower, &other.to_lowercase()), other))
        .filter(|(distance, _)| *distance <= slips)
        .collect();
    near.sort();
    near.truncate(NEAR);
    near.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_is_well_formed() {
        super::super::command().debug_assert();
    }

    #[test]
    fn near_is_a_slip_or_two_and_the_case() {
        let names = || ["notes", "note", "motes", "Notes", "plan", "a", "b"].map(str::to_owned).to_vec();
        assert_eq!(nearest("ntoes", names()), ["Notes", "notes"]);
        assert_eq!(nearest("notess", names()), ["Notes", "notes", "motes"]);
        assert_eq!(nearest("PLAN", names()), ["plan"]);
        assert_eq!(nearest("c", names()), ["a", "b"]);
        assert_eq!(nearest("something else", names()), Vec::<String>::new());
    }
}
