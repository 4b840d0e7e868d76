//! `mindcache mcp`: one client on stdin and stdout, until it closes its end.

use std::{sync::Arc, time::Duration};

use clap::Args;
use rmcp::ServiceExt as _;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    config::Settings,
    face::mcp::{Mount, Server, stdio},
    kernel::{Kernel, clock::pause},
    model::{instance::InstanceRef, permission::Mode},
};

use super::output::Failure;

/// How long the last answers may take after the client has closed its end: it may still be reading.
const LAST_ANSWERS: Duration = Duration::from_secs(10);
/// How long they may take after a signal.
const GRACE: Duration = Duration::from_millis(300);

/// `mcp`.
#[derive(Debug, Args)]
pub(super) struct McpArgs {
    /// What the client may do: read, use or edit
    #[arg(long, default_value = "use", env = "MINDCACHE_MODE", value_parser = mode)]
    mode: Mode,
}

/// The mode of a word.
pub(super) fn mode(word: &str) -> Result<Mode, String> {
    [Mode::Read, Mode::Use, Mode::Edit]
        .into_iter()
        .find(|mode| mode.name() == word)
        .ok_or_else(|| "the modes are read, use and edit".into())
}

/// Serves until the end of the input or a signal. Nothing is done before `initialize` is answered but reading
/// the command line: the store is opened by the first request that needs it.
pub(super) async fn run(
    args: McpArgs,
    settings: &Settings,
    kernel: Arc<Kernel>,
    instance: InstanceRef,
) -> Result<(), Failure> {
    let end_of_input = CancellationToken::new();
    let stop = stop_signal()?;
    let server =
        Server::new(Arc::clone(&kernel), Mount { instance, project: None, mode: args.mode }, end_of_input.clone());
    let transport = stdio::stdio(end_of_input.clone());
    kernel.keep_well();
    let serving = async {
        match Box::pin(server.serve(transport)).await {
            Ok(running) => {
                if let Err(error) = running.waiting().await {
                    tracing::warn!(%error, "the session ended badly");
                }
            }
            // A client that leaves before it has said hello is no failure.
            Err(error) => tracing::debug!(%error, "no session began"),
        }
    };
    // The end of the input answers what merely waits, so that nothing is in flight for long: rmcp would take seconds
    // to end otherwise. What writes is answered when it is durable.
    let ending = async {
        let grace = tokio::select! {
            () = end_of_input.cancelled() => LAST_ANSWERS,
            () = stop => GRACE,
        };
        pause(grace).await;
    };
    tokio::select! {
        () = serving => {}
        () = ending => {}
    }
    if let Some(path) = &settings.bench_stats {
        let (commits, writes) = kernel.stats().read();
        std::fs::write(path, format!("{}\n", json!({"commits": commits, "writes": writes})))?;
    }
    Ok(())
}

/// Ends with SIGINT or SIGTERM.
#[cfg(unix)]
pub(super) fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Ends with Ctrl-C.
#[cfg(not(unix))]
pub(super) fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
