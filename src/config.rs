//! Settings: flags before environment before `config.toml`. Every flag has its `MINDCACHE_…` twin.

use std::{ffi::OsString, io::IsTerminal as _, path::PathBuf, sync::Arc, time::Duration};

use clap::{Args, parser::ValueSource};
use etcetera::BaseStrategy as _;
use jiff::tz::TimeZone;

use crate::{
    kernel::{Kernel, clock::SystemClock, duties::Care, most_open},
    model::error::{OpError, Reason},
    store::{
        sqlite::{DurabilitySetting, SqliteStore},
        upkeep::Retention,
    },
};

/// A part that can be switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Switch {
    /// It works.
    #[default]
    On,
    /// It is refused, and nothing is kept for it.
    Off,
}

/// Settings that every command takes. The short help of a command leaves them out.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Settings")]
pub struct Settings {
    /// Folder of the data [default: the platform's data folder]
    #[arg(long, global = true, hide_short_help = true, value_name = "DIR", env = "MINDCACHE_DATA_DIR")]
    pub data_dir: Option<PathBuf>,

    /// What an acknowledged write has survived: full = a power cut, normal = a crash of the program
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_enum,
        default_value_t,
        env = "MINDCACHE_DURABILITY",
        hide_possible_values = true
    )]
    pub durability: DurabilitySetting,

    /// What to log on stderr, such as info or mindcache=debug
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_name = "FILTER",
        default_value = "warn",
        env = "MINDCACHE_LOG"
    )]
    pub log: String,

    /// Time zone of $date and $time in templates, such as Europe/Paris
    #[arg(long, global = true, hide_short_help = true, value_name = "ZONE", default_value = "UTC", env = "MINDCACHE_TIME_ZONE", value_parser = zone)]
    pub time_zone: TimeZone,

    /// Days of history that are kept, 0 for all; the last state of each key always is
    #[arg(long, global = true, hide_short_help = true, value_name = "DAYS", default_value_t = Retention::default().days, env = "MINDCACHE_HISTORY_DAYS")]
    pub history_days: u32,

    /// Changes that the history of an instance keeps, 0 for all
    #[arg(long, global = true, hide_short_help = true, value_name = "ROWS", default_value_t = Retention::default().rows, env = "MINDCACHE_HISTORY_ROWS")]
    pub history_rows: u64,

    /// Bytes of values that the history of an instance keeps, 0 for all; large values are not counted
    #[arg(long, global = true, hide_short_help = true, value_name = "BYTES", default_value_t = Retention::default().bytes, env = "MINDCACHE_HISTORY_BYTES")]
    pub history_bytes: u64,

    /// Whether keys are indexed and can be searched
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_enum,
        default_value_t,
        env = "MINDCACHE_SEARCH",
        hide_possible_values = true,
        value_name = "on|off"
    )]
    pub search: Switch,

    /// Take a data folder on a network file system: safe only while no other machine uses it
    #[arg(long, global = true, hide_short_help = true, env = "MINDCACHE_ALLOW_NETWORK_FS")]
    pub allow_network_fs: bool,

    /// How often to look for upkeep; for tests
    #[arg(
        long,
        global = true,
        hide = true,
        value_name = "MS",
        default_value_t = 30_000,
        env = "MINDCACHE_UPKEEP_EVERY_MS"
    )]
    pub upkeep_every_ms: u64,

    /// After how long without use files are closed; for tests
    #[arg(
        long,
        global = true,
        hide = true,
        value_name = "MS",
        default_value_t = 300_000,
        env = "MINDCACHE_UPKEEP_IDLE_MS"
    )]
    pub upkeep_idle_ms: u64,

    /// The names of those that a flag or the environment says, not the file or nobody
    #[arg(skip)]
    pub told: Vec<String>,

    /// The command that runs: by it other processes tell who writes
    #[arg(skip)]
    pub command: String,

    /// Slow each commit, as a slow disk would; for benches
    #[arg(long, global = true, hide = true, default_value_t = 0, env = "MINDCACHE_BENCH_COMMIT_DELAY_MS")]
    pub bench_commit_delay_ms: u64,

    /// Write the counts of commits and changes to this file at the end; for benches
    #[arg(long, global = true, hide = true, value_name = "FILE", env = "MINDCACHE_BENCH_STATS")]
    pub bench_stats: Option<PathBuf>,
}

/// Raises the number of files that this process may have open to what the system allows it; answers that number.
#[cfg(unix)]
pub fn raise_descriptors() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    /// The most that macOS takes although it says that there is no limit.
    const MACOS_MOST: u64 = 10_240;
    let found = getrlimit(Resource::Nofile);
    for most in [found.maximum, found.maximum.map_or(Some(MACOS_MOST), |most| Some(most.min(MACOS_MOST)))] {
        if found.current == most || found.current.is_some_and(|now| most.is_some_and(|most| now > most)) {
            break;
        }
        if setrlimit(Resource::Nofile, Rlimit { current: most, maximum: found.maximum }).is_ok() {
            break;
        }
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// There is no such limit.
#[cfg(not(unix))]
pub fn raise_descriptors() -> u64 {
    u64::MAX
}

/// The platform's folder for the data. Errors: `unavailable` when there is no home folder to put it in.
fn platform_folder() -> Result<PathBuf, OpError> {
    match etcetera::base_strategy::choose_native_strategy() {
        Ok(platform) => Ok(platform.data_dir().join("mindcache")),
        Err(error) => Err(OpError::Unavailable {
            reason: Reason::Io,
            what: format!("there is no folder for the data ({error})"),
            remedy: "name one with --data-dir or MINDCACHE_DATA_DIR".into(),
        }),
    }
}

/// The absolute path in a variable of the environment that moves a folder; a relative one counts as none.
pub fn folder_variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
}

/// How a choice is written on the command line.
fn name_of(choice: impl clap::ValueEnum) -> String {
    choice.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// What a person edits text with: `VISUAL`, else `EDITOR`, else what the system has. A command line of a shell.
pub fn editor() -> OsString {
    let named = |name: &str| std::env::var_os(name).filter(|command| !command.is_empty());
    let usual = if cfg!(windows) { "notepad" } else { "vi" };
    named("VISUAL").or_else(|| named("EDITOR")).unwrap_or_else(|| usual.into())
}

/// The zone of an IANA name.
fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| format!("\"{name}\" is not a time zone; they look like Europe/Paris or UTC"))
}

impl Settings {
    /// Where the file with settings is, by a command line that may say where the data folder is. Errors: as `data_dir`.
    pub fn path_of_file(matches: &clap::ArgMatches) -> Result<PathBuf, OpError> {
        let named = matches.get_one::<PathBuf>("data_dir").cloned();
        Ok(named.map_or_else(platform_folder, Ok)?.join("config.toml"))
    }

    /// The names of the arguments of every command that a command line or the environment says.
    pub fn told_in(matches: &clap::ArgMatches, command: &clap::Command) -> Vec<String> {
        let is_told = |name: &str| {
            matches!(matches.value_source(name), Some(ValueSource::CommandLine | ValueSource::EnvVariable))
        };
        command.get_arguments().map(|arg| arg.get_id().to_string()).filter(|name| is_told(name)).collect()
    }

    /// The data folder. Errors: `unavailable` when there is no home folder to put it in.
    pub fn data_dir(&self) -> Result<PathBuf, OpError> {
        self.data_dir.clone().map_or_else(platform_folder, Ok)
    }

    /// The settings that a flag or the environment says, as flags for somebody else's start of this program: neither this
    /// command line nor its environment is there then, but the file is. Errors: `invalid_argument` for a folder whose name is not Unicode.
    pub fn as_args(&self) -> Result<Vec<String>, OpError> {
        let mut args = Vec::new();
        if let Some(folder) = &self.data_dir {
            let whole = std::path::absolute(folder).ok().and_then(|whole| whole.to_str().map(str::to_owned));
            let refused =
                || OpError::invalid("data_dir", "Unicode, to stand in a config", &folder.display().to_string());
            args.extend(["--data-dir".into(), whole.ok_or_else(refused)?]);
        }
        let zone = self.time_zone.iana_name().unwrap_or("UTC");
        for (flag, value) in [
            ("--durability", name_of(self.durability)),
            ("--time-zone", zone.to_owned()),
            ("--history-days", self.history_days.to_string()),
            ("--history-rows", self.history_rows.to_string()),
            ("--history-bytes", self.history_bytes.to_string()),
            ("--search", name_of(self.search)),
        ] {
            let is_told = self.told.iter().any(|name| name.replace('_', "-") == flag.trim_start_matches("--"));
            if is_told {
                args.extend([flag.to_owned(), value]);
            }
        }
        if self.allow_network_fs && self.told.iter().any(|name| name == "allow_network_fs") {
            args.push("--allow-network-fs".into());
        }
        Ok(args)
    }

    /// The store in the data folder. Touches nothing on the disk yet.
    pub fn store(&self) -> Result<SqliteStore, OpError> {
        let store = SqliteStore::new(self.data_dir()?, self.durability, self.bench_commit_delay_ms)?;
        Ok(store.named(format!("mindcache {}", self.command).trim_end()).with_network(self.allow_network_fs))
    }

    /// The kernel over the data folder. Touches nothing on the disk yet.
    pub fn kernel(&self) -> Result<Arc<Kernel>, OpError> {
        let store = self.store()?;
        let care = Care {
            files: most_open(raise_descriptors()),
            retention: Retention { days: self.history_days, rows: self.history_rows, bytes: self.history_bytes },
            every: Duration::from_millis(self.upkeep_every_ms),
            idle: Duration::from_millis(self.upkeep_idle_ms),
            search: self.search == Switch::On,
        };
        Ok(Kernel::with_care(Arc::new(store), Arc::new(SystemClock { zone: self.time_zone.clone() }), care))
    }

    /// Logs go to stderr: stdout belongs to the protocol and to results.
    pub fn start_log(&self) {
        // rmcp warns of each mistake of a client and calls it an error when one goes away while it listens; below
        // that it logs whole messages, values included.
        let of_rmcp = "rmcp=error,rmcp::service=off";
        let wanted = if self.log.contains("rmcp") { self.log.clone() } else { format!("{},{of_rmcp}", self.log) };
        let filter = tracing_subscriber::EnvFilter::try_new(wanted);
        let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(format!("warn,{of_rmcp}")));
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            .init();
    }
}
