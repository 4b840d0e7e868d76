//! Ten thousand sockets over a thousand instances, of which nobody asks anything: memory and open files.

use std::ffi::OsStr;
use std::fs;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::cli::bench::figures::{grouped, number};
use crate::cli::bench::instances::{SOON, open_databases, wait_until_closed};
use crate::cli::bench::report::{Column, Ratio, Report};
use crate::cli::bench::usage::pss_mib;
use crate::cli::bench::{Plan, figures};
use crate::config::raise_descriptors;
use crate::kernel::{most_connections, most_open};

use super::socket::Socket;
use super::stand::{Stand, name};

const COLUMNS: &[Column] = &[
    Column { key: "pss_mib", heading: "PSS MiB", decimals: 1 },
    Column { key: "kib_per_socket", heading: "KiB/socket", decimals: 1 },
    Column { key: "open_files", heading: "open files", decimals: 0 },
    Column { key: "databases_open", heading: "open databases", decimals: 0 },
];
/// Sockets that connect at the same time.
const TOGETHER: usize = 64;
/// Places that are left for others.
const SPARE: u64 = 100;
/// Descriptors of an instance in use.
const OF_INSTANCE: u64 = 6;

/// Connects all, waits until the files of the instances are closed, and looks.
pub(super) fn run(plan: &Plan) -> anyhow::Result<Report> {
    let (instances, wanted) = if plan.quick { (20, 200) } else { (1_000, 10_000) };
    // The server has as many descriptors as this process, which needs one for each socket, too.
    let descriptors = raise_descriptors();
    let sockets = wanted.min(u64::try_from(most_connections(descriptors))?.saturating_sub(SPARE));
    let env = SOON.map(|(name, text)| (name, OsStr::new(text)));
    let stand = Stand::new(plan, instances, &env)?;
    let pid = stand.server.pid();
    wait_until_closed(&stand.server, 2)?;
    let base = (pss_mib(pid), open_files(pid), open_databases(pid));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let connecting = async {
        let open = |turn: u64| {
            let (door, name) = (stand.door.clone(), name(turn % instances));
            async move { door.synced(&name).await }
        };
        let open = stream::iter((0..sockets).map(open)).buffer_unordered(TOGETHER);
        open.map_ok(|socket| drop(tokio::spawn(answering(socket)))).try_collect::<Vec<()>>().await
    };
    runtime.block_on(connecting)?;
    let busy = (pss_mib(pid), open_files(pid), open_databases(pid));
    wait_until_closed(&stand.server, 2)?;
    let idle = (pss_mib(pid), open_files(pid), open_databases(pid));
    let each = |now: Option<f64>| Some((now? - base.0?) * 1024.0 / number(sockets));
    let row = |(pss, files, databases): (Option<f64>, Option<u64>, Option<u64>), each| {
        vec![pss, each, files.map(number), databases.map(number)]
    };
    let most_open = u64::try_from(most_open(descriptors))?;
    let room = number(sockets + most_open * OF_INSTANCE);
    let ratio = |key, label: &str, value, aim| Ratio { key, label: label.to_owned(), value, aim };
    Ok(Report {
        name: "sync_idle",
        about: format!(
            "{} sockets over {} instances without keys, memory beyond the process without them",
            grouped(sockets),
            grouped(instances)
        ),
        columns: COLUMNS,
        rows: vec![
            ("no sockets, files closed".to_owned(), row(base, None)),
            ("just connected".to_owned(), row(busy, each(busy.0))),
            ("idle".to_owned(), row(idle, each(idle.0))),
        ],
        ratios: vec![
            ratio("kib_per_socket", "KiB for each idle socket", each(idle.0), "at most 20"),
            ratio(
                "files",
                "most open files over sockets and the files of as many instances as may be open",
                figures::ratio(busy.1.max(idle.1).map(number), Some(room)),
                "at most 1",
            ),
        ],
    })
}

/// Answers the server's pings, as a client does that has nothing to say.
async fn answering(mut socket: Socket) {
    while let Some(Ok(_)) = socket.ws.next().await {}
}

fn open_files(pid: u32) -> Option<u64> {
    u64::try_from(fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count()).ok()
}
