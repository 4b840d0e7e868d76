//! The commands that a person types. They act in edit mode, as the user of this machine.

mod access;
mod backup;
pub mod bench;
mod beside;
mod child;
mod client;
mod clients;
mod complete;
mod config;
mod diff;
mod doctor;
mod edit;
mod examples;
mod history;
mod instances;
mod issuers;
mod keys;
mod mcp;
mod open;
mod output;
mod pages;
mod port;
mod progress;
#[cfg(test)]
mod reference;
mod search;
mod serve;
mod sql;
mod views;
mod watch;
mod whereabouts;
mod whole;
mod words;

use std::{ffi::OsString, process::ExitCode, sync::Arc, time::Duration};

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use serde_json::Value;

use crate::{
    config::Settings,
    kernel::{Caller, Kernel},
    model::{
        error::OpError,
        instance::InstanceRef,
        permission::{Mode, PrincipalKind},
    },
    ops::{
        self,
        operation::{Reply, Target},
    },
};

use output::{Failure, Output, is_closed_pipe};

/// Shared, live, durable working memory for AI agents
#[derive(Debug, Parser)]
#[command(name = "mindcache", version, after_help = EXIT_CODES)]
struct Cli {
    /// Instance, by name or id
    #[arg(short, long, global = true, display_order = 900, default_value = "default", value_name = "NAME", env = "MINDCACHE_INSTANCE", add = complete::instances())]
    instance: String,

    /// Print the structured result
    #[arg(long, global = true, display_order = 901)]
    json: bool,

    #[command(flatten)]
    settings: Settings,

    #[command(subcommand)]
    command: Command,
}

impl Cli {
    /// The name of the argument that says which instance.
    const INSTANCE: &str = "instance";
}

const EXIT_CODES: &str =
    "Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 conflict, 5 not permitted, 6 unavailable";

/// How long a batch that nobody waits for may hold up the end: one that waits for another process's lock would for ever.
const LAST_BATCH: Duration = Duration::from_secs(1);

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve one MCP client on stdin and stdout
    Mcp(mcp::McpArgs),
    /// Serve MCP over HTTP on this machine
    Serve(serve::ServeArgs),
    /// Show in the browser what the agents know, live; starts the server when none runs
    Open(open::OpenArgs),
    /// Print a key's value, exactly as it is
    Get(keys::GetArgs),
    /// Write a key: VALUE, a file, or standard input
    Set(keys::SetArgs),
    /// List keys, a name a line
    Ls(keys::LsArgs),
    /// Find keys by the words in them, best first
    Search(search::SearchArgs),
    /// Delete a key
    Rm(keys::RmArgs),
    /// Append to a key's text
    Append(edit::AppendArgs),
    /// Edit a key in your editor, or replace a piece of its text
    Edit(edit::EditArgs),
    /// Change a key's attributes, or show them when none is given
    Attr(keys::AttrArgs),
    /// Show what a key was: its versions, newest first
    History(history::HistoryArgs),
    /// Show what changed between two versions of a key
    Diff(diff::DiffArgs),
    /// Show changes as they happen, whichever process makes them
    Watch(watch::WatchArgs),
    /// Make a key again what it was at a version
    Restore(history::RestoreArgs),
    /// Take back the last change made on the command line; again, the one before
    Undo,
    /// Show the tools that a client of this mode sees
    Tools(views::ToolsArgs),
    /// Show the system prompt
    Prompt(views::PromptArgs),
    /// Make, list, copy, compare, restore and delete whole instances
    Instance(instances::InstanceArgs),
    #[command(flatten)]
    Access(access::AccessCommand),
    /// Write all keys to a file or standard output
    Export(port::ExportArgs),
    /// Bring in keys from a file: an export, or another memory
    Import(port::ImportArgs),
    /// Write the whole store into one file while others use it, or build a data folder from such a file
    Backup(backup::BackupArgs),
    /// Call any operation with its arguments as JSON
    Call(keys::CallArgs),
    /// Put mindcache into the config of a client on this machine
    Install(clients::InstallArgs),
    /// Take mindcache out of the config of a client
    Uninstall(clients::UninstallArgs),
    /// Print what is to be pasted into the config of a client
    PrintConfig(clients::PrintArgs),
    /// Write the JavaScript client as a folder that npm takes
    Client(client::ClientArgs),
    /// Look whether the store is well and clients would be answered; exits 0 only then
    Doctor(doctor::DoctorArgs),
    /// Show the settings and where each comes from: flags, environment, config.toml of the data folder
    Config(config::ConfigArgs),
    /// Ask an instance in SQL, read-only: the tables keys, key_tags, changes, of _catalog instances
    Sql(sql::SqlArgs),
    /// Measure this machine: start, writes, calls, scale, lists, push, sync
    Bench(bench::BenchArgs),
    /// Print what makes your shell complete commands, keys and instances
    Completions(complete::CompletionsArgs),
}

/// Runs the command line; the exit code says how it ended.
pub fn main() -> ExitCode {
    let cli = match complete::answer() {
        Ok(true) => return ExitCode::SUCCESS,
        Ok(false) => parse(),
        Err(error) => Err(error),
    };
    let cli = match cli {
        Ok(cli) => cli,
        Err(error) => {
            // clap prints help on stdout and mistakes on stderr, and knows the code of each.
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            return match error.print() {
                Ok(()) => ExitCode::from(code),
                Err(error) if is_closed_pipe(&error) => ExitCode::from(code),
                Err(_) => ExitCode::FAILURE,
            };
        }
    };
    cli.settings.start_log();
    let output = Output::new(cli.json);
    match run(cli, &output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => output.fail(&failure),
    }
}

/// The command line as clap knows it.
fn command() -> clap::Command {
    // A value that is set does not stand in a help: it may be nobody else's business, and the help is the same everywhere.
    let command = examples::shown(Cli::command()).mut_args(|arg| arg.hide_env_values(true));
    command.mut_subcommands(|command| command.mut_args(|arg| arg.hide_env_values(true)))
}

/// The names of all commands.
fn commands() -> Vec<String> {
    Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

/// Reads the command line, then the file of the data folder that it names: what the file says are its defaults.
fn matches(words: &[OsString]) -> Result<(ArgMatches, clap::Command, Option<config::File>), clap::Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(words);
    let matches = matches.map_err(|error| complete::with_near_commands(error, &command))?;
    let file = match Settings::path_of_file(&matches) {
        Ok(path) => config::File::read(path)?,
        Err(_) => None,
    };
    let Some(file) = file else { return Ok((matches, command, None)) };
    let command = file.applied(self::command())?;
    let matches = command.clone().try_get_matches_from(words);
    let matches = matches.map_err(|error| config::File::named(Some(&file), error))?;
    Ok((matches, command, Some(file)))
}

/// Reads the command line.
fn parse() -> Result<Cli, clap::Error> {
    let (matches, mut command, _) = matches(&std::env::args_os().collect::<Vec<_>>())?;
    let mut cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    matches.subcommand_name().unwrap_or_default().clone_into(&mut cli.settings.command);
    cli.settings.told = Settings::told_in(&matches, &command);
    Ok(cli)
}

fn run(cli: Cli, output: &Output) -> Result<(), Failure> {
    let Cli { settings, instance, command, .. } = cli;
    let command = match command {
        Command::Bench(args) => return Ok(bench::run(args)?),
        Command::Install(args) => return clients::install(&args, &settings, &instance, output),
        Command::Uninstall(args) => return clients::uninstall(&args, output),
        Command::PrintConfig(args) => return clients::print_config(&args, &settings, &instance, output),
        Command::Client(args) => return client::run(&args, output),
        Command::Completions(args) => return complete::completions(&args, output),
        Command::Config(args) => return config::run(&args, output),
        other => other,
    };
    let instance = InstanceRef::parse(&instance)?;
    if let Command::Open(args) = &command {
        return open::run(args, &settings, &instance, output);
    }
    let kernel = settings.kernel()?;
    if let Command::Serve(args) = command {
        return serve::run(args, &settings, kernel, output);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        if let Command::Mcp(args) = command {
            return Box::pin(mcp::run(args, &settings, kernel, instance)).await;
        }
        let session = Session::new(kernel, instance);
        let ended = match command {
            Command::Get(args) => keys::get(args, &session, output).await,
            Command::Set(args) => keys::set(args, &session, output).await,
            Command::Ls(args) => keys::ls(args, &session, output).await,
            Command::Search(args) => search::search(args, &session, output).await,
            Command::Rm(args) => keys::rm(args, &session, output).await,
            Command::Attr(args) => keys::attr(args, &session, output).await,
            Command::History(args) => history::history(args, &session, output).await,
            Command::Restore(args) => history::restore(args, &session, output).await,
            Command::Undo => history::undo(&session, output).await,
            Command::Tools(args) => views::tools(args, &session, output).await,
            Command::Prompt(args) => views::prompt(args, &session, output).await,
            Command::Instance(args) => instances::run(args, &session, output).await,
            Command::Access(command) => access::run(command, &session, output).await,
            Command::Doctor(args) => doctor::run(&args, &settings, &session, output).await,
            Command::Backup(args) => backup::run(&args, &settings, output),
            Command::Sql(args) => sql::run(&args, &settings, &session, output),
            Command::Export(args) => port::export(args, &session, output).await,
            Command::Import(args) => port::import(args, &session, output).await,
            Command::Call(args) => keys::call(args, &session, output).await,
            Command::Append(args) => edit::append(args, &session, output).await,
            Command::Edit(args) => edit::edit(args, &session, output).await,
            Command::Diff(args) => diff::diff(args, &session, output).await,
            Command::Watch(args) => watch::watch(args, &session, output).await,
            Command::Mcp(_)
            | Command::Serve(_)
            | Command::Open(_)
            | Command::Bench(_)
            | Command::Install(_)
            | Command::Uninstall(_)
            | Command::PrintConfig(_)
            | Command::Client(_)
            | Command::Completions(_)
            | Command::Config(_) => Ok(()),
        };
        match ended {
            Ok(()) => Ok(()),
            Err(failure) => Err(session.with_near_names(failure).await),
        }
    });
    runtime.shutdown_timeout(LAST_BATCH);
    ended
}

/// One command's way to the kernel.
struct Session {
    kernel: Arc<Kernel>,
    instance: InstanceRef,
    caller: Caller,
}

impl Session {
    fn new(kernel: Arc<Kernel>, instance: InstanceRef) -> Self {
        let run = uuid::Uuid::new_v4().simple().to_string();
        let caller = Caller::local(PrincipalKind::Human, Mode::Edit, "cli", run);
        Self { kernel, instance, caller }
    }

    /// The same command on another instance.
    fn on(&self, instance: InstanceRef) -> Self {
        Self { kernel: Arc::clone(&self.kernel), instance, caller: self.caller.clone() }
    }

    /// The same on the instance that an argument names.
    fn named(&self, instance: &str) -> Result<Self, OpError> {
        Ok(self.on(InstanceRef::parse(instance)?))
    }

    /// Makes the instance `default` on its first use; no other is made so.
    async fn begin(&self) -> Result<(), OpError> {
        if self.instance == InstanceRef::Name("default".into()) {
            let (_, created) = self.kernel.locate_or_create(&self.caller, &self.instance).await?;
            if created {
                tracing::info!("made the instance \"default\"");
            }
        }
        Ok(())
    }

    /// The same where an operation needs an instance: what is done in the catalog needs none, and a deleted `default`
    /// must not be replaced while it is undeleted.
    async fn begin_for(&self, operation: &str) -> Result<(), OpError> {
        match ops::find(operation) {
            Some(entry) if entry.meta.target != Target::Instance => Ok(()),
            _ => self.begin().await,
        }
    }

    /// Does an operation.
    async fn execute(&self, operation: &str, args: Value) -> Result<Reply, OpError> {
        self.begin_for(operation).await?;
        self.kernel.execute(&self.caller, &self.instance, operation, args).await
    }
}
