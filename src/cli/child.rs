//! This very binary, started once more as a server.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context as _, anyhow, bail};

/// How long a server may take to say its first line.
const PATIENCE: Duration = Duration::from_secs(10);
/// Variables beside `MINDCACHE_…` that settings are in.
const OTHER_SETTINGS: [&str; 3] = ["ENVIRONMENT", "ADMIN_TOKEN", "CLERK_SECRET_KEY"];

/// This binary, to be run with other arguments and the settings of this environment.
pub(super) fn same_binary() -> anyhow::Result<Command> {
    Ok(Command::new(std::env::current_exe().context("cannot find the running binary")?))
}

/// The same with none of the settings of this environment: what is looked at or measured is what the arguments say.
pub(super) fn same_binary_alone() -> anyhow::Result<Command> {
    let mut command = same_binary()?;
    let names = std::env::vars_os().map(|(name, _)| name);
    for name in names.filter(|name| name.to_string_lossy().starts_with("MINDCACHE_")) {
        command.env_remove(name);
    }
    for name in OTHER_SETTINGS {
        command.env_remove(name);
    }
    Ok(command)
}

/// A server that ends with its handle, unless it is left.
pub(super) struct Running(Option<Child>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            // It may have ended by itself.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

impl Running {
    /// Starts it with its output in a pipe, and says nothing of its own of what it logs.
    pub(super) fn start(mut command: Command, stdin: Stdio) -> anyhow::Result<Self> {
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::null());
        Ok(Self(Some(command.spawn().context("the server did not start")?)))
    }

    /// The process.
    pub(super) fn child(&mut self) -> anyhow::Result<&mut Child> {
        self.0.as_mut().context("the server was left")
    }

    /// The first line of its output, in time.
    pub(super) fn first_line(&mut self) -> anyhow::Result<String> {
        let stdout = self.child()?.stdout.take().context("the server has no output")?;
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            let read = BufReader::new(stdout).read_line(&mut line);
            // Nobody may be waiting any more.
            drop(sender.send(read.map(|_| line)));
        });
        let line = receiver.recv_timeout(PATIENCE).map_err(|_| anyhow!("the server said nothing in 10 s"))??;
        if line.is_empty() {
            bail!("the server ended at once");
        }
        Ok(line)
    }

    /// Where a `serve` listens, as it says.
    pub(super) fn address(&mut self) -> anyhow::Result<SocketAddr> {
        let line = self.first_line()?;
        let (_, address) = line.trim().split_once("http://").context("the server does not say where it listens")?;
        Ok(address.parse()?)
    }

    /// Lets it go on when this process ends.
    pub(super) fn leave(mut self) {
        drop(self.0.take());
    }
}
