//! Settings: flags before environment. Every flag has its `MINDCACHE_…` twin.

use std::{io::IsTerminal as _, path::PathBuf, sync::Arc};

use clap::Args;
use etcetera::BaseStrategy as _;
use jiff::tz::TimeZone;

use crate::{
    kernel::{Kernel, clock::SystemClock},
    model::error::{OpError, Reason},
    store::sqlite::{DurabilitySetting, SqliteStore},
};

/// Settings that every command takes.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// Folder of the data [default: the platform's data folder]
    #[arg(long, global = true, value_name = "DIR", env = "MINDCACHE_DATA_DIR")]
    pub data_dir: Option<PathBuf>,

    /// What an acknowledged write has survived: full = a power cut, normal = a crash of the program
    #[arg(long, global = true, value_enum, default_value_t, env = "MINDCACHE_DURABILITY", hide_possible_values = true)]
    pub durability: DurabilitySetting,

    /// What to log on stderr, such as info or mindcache=debug
    #[arg(long, global = true, value_name = "FILTER", default_value = "warn", env = "MINDCACHE_LOG")]
    pub log: String,

    /// Time zone of $date and $time in templates, such as Europe/Paris
    #[arg(long, global = true, value_name = "ZONE", default_value = "UTC", env = "MINDCACHE_TIME_ZONE", value_parser = zone)]
    pub time_zone: TimeZone,

    /// Slow each commit, as a slow disk would; for benches
    #[arg(long, global = true, hide = true, default_value_t = 0, env = "MINDCACHE_BENCH_COMMIT_DELAY_MS")]
    pub bench_commit_delay_ms: u64,

    /// Write the counts of commits and changes to this file at the end; for benches
    #[arg(long, global = true, hide = true, value_name = "FILE", env = "MINDCACHE_BENCH_STATS")]
    pub bench_stats: Option<PathBuf>,
}

/// The zone of an IANA name.
fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| format!("\"{name}\" is not a time zone; they look like Europe/Paris or UTC"))
}

impl Settings {
    /// The data folder. Errors: `unavailable` when there is no home folder to put it in.
    pub fn data_dir(&self) -> Result<PathBuf, OpError> {
        if let Some(folder) = &self.data_dir {
            return Ok(folder.clone());
        }
        match etcetera::base_strategy::choose_native_strategy() {
            Ok(platform) => Ok(platform.data_dir().join("mindcache")),
            Err(error) => Err(OpError::Unavailable {
                reason: Reason::Io,
                what: format!("there is no folder for the data ({error})"),
                remedy: "name one with --data-dir or MINDCACHE_DATA_DIR".into(),
            }),
        }
    }

    /// The kernel over the data folder. Touches nothing on the disk yet.
    pub fn kernel(&self) -> Result<Arc<Kernel>, OpError> {
        let store = SqliteStore::new(self.data_dir()?, self.durability, self.bench_commit_delay_ms)?;
        Ok(Kernel::new(Arc::new(store), Arc::new(SystemClock { zone: self.time_zone.clone() })))
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
