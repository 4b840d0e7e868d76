//! `mindcache bench`: what mindcache promises in figures, measured as a client meets it.
//!
//! Each bench starts this same binary as a server on a fresh data folder and speaks to it over
//! its pipes or HTTP; what it compares with is measured in the same run, in turn with it. Figures are
//! printed and never asserted: believe ratios and CPU time, a wall time only on a quiet machine.

mod browse;
mod calls;
mod client;
mod cold;
mod command;
mod echo;
mod figures;
mod flight;
mod instances;
mod lists;
mod port;
mod push;
mod report;
mod rest;
mod scale;
mod scratch;
mod search;
mod summary;
mod sync;
mod texts;
mod usage;
mod workload;
mod write;

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::{Map, Value};

use echo::Transport;
use report::Report;
use summary::Summary;

/// Keys of the larger store of `cold`.
const COLD_KEYS: u64 = 10_000;
/// Keys of the larger store of `scale`.
const SCALE_KEYS: u64 = 100_000;

/// Measure cold start, durable writes, calls, growth, lists, push, REST and sync on this machine
#[derive(Debug, clap::Args)]
pub struct BenchArgs {
    /// What to measure; without it everything in short, and one table of what matters
    #[command(subcommand)]
    which: Option<Which>,
    /// Print one JSON object instead of tables
    #[arg(long, global = true)]
    json: bool,
    /// A tenth of the keys and fewer runs: shows that the benches run, not how fast the store is
    #[arg(long, global = true)]
    quick: bool,
    /// Make the data folders here, on the disk to be measured (default: the system's temporary
    /// folder, which may be memory)
    #[arg(long, global = true, value_name = "DIR", env = "MINDCACHE_BENCH_DIR")]
    dir: Option<PathBuf>,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum Which {
    /// Everything at full length, a table each
    All,
    /// Start to the reply to tools/list with 1,000 and with many keys stored; a `get` beside a bare process
    Cold {
        /// How many keys are many
        #[arg(long, value_name = "N", default_value_t = COLD_KEYS)]
        #[arg(value_parser = clap::value_parser!(u64).range(1_000..=1_000_000))]
        keys: u64,
    },
    /// Durable writes per second with 1, 8 and 64 callers, beside the disk's own flush
    Write {
        /// Make each commit so many milliseconds slower, as a slow disk would
        #[arg(long, value_name = "N", default_value_t = 0)]
        #[arg(value_parser = clap::value_parser!(u64).range(..=1_000))]
        commit_delay_ms: u64,
    },
    /// CPU and time of a read and a write over stdio and HTTP, beside an echo tool on the same MCP library
    Calls,
    /// List page, read, write and tag page with 1,000 and with many keys
    Scale {
        /// How many keys the large store has
        #[arg(long, value_name = "N", default_value_t = SCALE_KEYS)]
        #[arg(value_parser = clap::value_parser!(u64).range(1_000..=1_000_000))]
        keys: u64,
    },
    /// Pages of keys by rank, part of the name and last change among many, beside bare SQLite queries; writes while they are browsed
    Browse {
        /// How many keys there are
        #[arg(long, value_name = "N", default_value_t = SCALE_KEYS)]
        #[arg(value_parser = clap::value_parser!(u64).range(1_000..=1_000_000))]
        keys: u64,
    },
    /// Memory, open files and the first write of 1,000 instances that are subscribed to and idle
    Instances,
    /// Time and size of tools/list with 10 and 500 keys
    Lists,
    /// A question to 100,000 keys beside a bare FTS5 table, and what the index costs writers
    Search,
    /// Import and export of 100,000 keys beside bare SQLite: time and memory
    Port,
    /// From a write's reply to the notification of a subscribed client, and what listening costs
    Push,
    /// Reads, durable writes and lists over /v1 beside bare handlers, and with 10,000 API keys and instances beside 10
    Rest,
    /// Durable sets, pings, fan-out, idle and stalled sockets over /sync, beside bare flushes and a bare broadcast
    Sync {
        /// Only this part
        part: Option<sync::Part>,
    },
    /// The echo tool that `calls` measures beside
    #[command(hide = true)]
    EchoServer {
        /// Use the library's pipe transport instead of its plain `stdio()`
        #[arg(long)]
        pipes: bool,
        /// Serve over HTTP on a free port, which is printed
        #[arg(long, conflicts_with = "pipes")]
        http: bool,
    },
    /// The bare handlers that `rest` measures beside
    #[command(hide = true)]
    BareServer {
        /// What is written goes into a file of this folder
        #[arg(long, value_name = "DIR")]
        folder: PathBuf,
    },
    /// The bare broadcast that `sync` measures beside
    #[command(hide = true)]
    BroadcastServer,
}

/// What all benches share of the command line.
struct Plan {
    quick: bool,
    dir: PathBuf,
}

impl Plan {
    /// So many keys, or a tenth of them when it should be quick.
    fn keys(&self, keys: u64) -> u64 {
        if self.quick { keys / 10 } else { keys }
    }
}

impl Which {
    /// All that measure something.
    fn each() -> [Self; 12] {
        [
            Self::Cold { keys: COLD_KEYS },
            Self::Write { commit_delay_ms: 0 },
            Self::Calls,
            Self::Scale { keys: SCALE_KEYS },
            Self::Browse { keys: SCALE_KEYS },
            Self::Instances,
            Self::Lists,
            Self::Search,
            Self::Port,
            Self::Push,
            Self::Rest,
            Self::Sync { part: None },
        ]
    }

    /// Nothing for the servers, which measure nothing, and for all: they are measured one after the other.
    fn measure(&self, plan: &Plan) -> anyhow::Result<Vec<Report>> {
        let one = |report| vec![report];
        match self {
            Self::Cold { keys } => Ok(vec![cold::run(plan, *keys)?, command::run(plan)?]),
            Self::Write { commit_delay_ms } => write::run(plan, *commit_delay_ms).map(one),
            Self::Calls => calls::run(plan),
            Self::Scale { keys } => scale::run(plan, *keys).map(one),
            Self::Browse { keys } => browse::run(plan, *keys).map(one),
            Self::Instances => instances::run(plan).map(one),
            Self::Lists => lists::run(plan).map(one),
            Self::Search => search::run(plan).map(one),
            Self::Port => port::run(plan).map(one),
            Self::Push => push::run(plan),
            Self::Rest => rest::run(plan),
            Self::All => Ok(Vec::new()),
            Self::EchoServer { pipes, http } => echo::run(Transport::of(*pipes, *http)).map(|()| Vec::new()),
            Self::BareServer { folder } => rest::bare::run(folder).map(|()| Vec::new()),
            Self::Sync { part } => sync::run(plan, *part),
            Self::BroadcastServer => sync::broadcast::run().map(|()| Vec::new()),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Cold { .. } => "cold",
            Self::Write { .. } => "write",
            Self::Calls => "calls",
            Self::Scale { .. } => "scale",
            Self::Browse { .. } => "browse",
            Self::Instances => "instances",
            Self::Lists => "lists",
            Self::Search => "search",
            Self::Port => "port",
            Self::Push => "push",
            Self::Rest => "rest",
            Self::EchoServer { .. } => "echo-server",
            Self::BareServer { .. } => "bare-server",
            Self::Sync { .. } => "sync",
            Self::BroadcastServer => "broadcast-server",
        }
    }
}

/// Runs one bench or all and prints what it found. Must be called outside an async runtime:
/// the clients block, and the echo server builds a runtime of its own.
pub fn run(args: BenchArgs) -> anyhow::Result<()> {
    let in_short = args.which.is_none();
    let plan = Plan { quick: args.quick || in_short, dir: args.dir.unwrap_or_else(std::env::temp_dir) };
    let all = Which::each();
    let chosen = match &args.which {
        None | Some(Which::All) => &all[..],
        Some(one) => std::slice::from_ref(one),
    };
    let mut found = Vec::new();
    for which in chosen {
        if in_short && !args.json {
            note(which.name())?;
        }
        let reports = which.measure(&plan).with_context(|| format!("bench {}", which.name()))?;
        if !args.json && !in_short {
            // Each table as soon as it is known: all of them take minutes.
            reports.iter().try_for_each(|report| report.write_table(&mut io::stdout().lock()))?;
        }
        found.extend(reports);
    }
    if found.is_empty() {
        return Ok(());
    }
    let summary = in_short.then(|| Summary::of(&found));
    if args.json {
        let mut all: Map<String, Value> =
            found.iter().map(|report| (report.name.to_owned(), report.to_json())).collect();
        all.extend(summary.map(|summary| ("summary".to_owned(), summary.to_json())));
        writeln!(io::stdout().lock(), "{}", Value::Object(all))?;
    } else if let Some(summary) = summary {
        summary.write_table(&mut io::stdout().lock())?;
    }
    Ok(())
}

/// Says what is being measured, to a person who waits for the table.
fn note(name: &str) -> io::Result<()> {
    let mut stderr = io::stderr().lock();
    if stderr.is_terminal() { writeln!(stderr, "measuring {name} …") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        bench: BenchArgs,
    }

    fn parsed(line: &[&str]) -> BenchArgs {
        Line::try_parse_from([&["bench"], line].concat()).unwrap().bench
    }

    #[test]
    fn flags_stand_before_or_behind_the_bench() {
        assert!(parsed(&[]).which.is_none());
        let args = parsed(&["--quick", "write", "--commit-delay-ms", "5", "--json"]);
        assert!(args.quick && args.json);
        assert!(matches!(args.which, Some(Which::Write { commit_delay_ms: 5 })));
        let args = parsed(&["cold", "--dir", "/there"]);
        assert_eq!(args.dir, Some(PathBuf::from("/there")));
        assert!(Line::try_parse_from(["bench", "write", "--commit-delay-ms", "1001"]).is_err());
    }

    #[test]
    fn the_echo_server_is_there_and_not_shown() {
        assert!(matches!(
            parsed(&["echo-server", "--pipes"]).which,
            Some(Which::EchoServer { pipes: true, http: false })
        ));
        assert!(matches!(
            parsed(&["echo-server", "--http"]).which,
            Some(Which::EchoServer { pipes: false, http: true })
        ));
        let help = <Line as clap::CommandFactory>::command().render_long_help().to_string();
        assert!(help.contains("scale") && !help.contains("-server"), "{help}");
    }

    #[test]
    fn quick_is_a_tenth() {
        let plan = |quick| Plan { quick, dir: PathBuf::new() };
        assert_eq!((plan(true).keys(10_000), plan(false).keys(10_000)), (1_000, 10_000));
    }
}
