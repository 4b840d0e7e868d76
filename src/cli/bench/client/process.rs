//! A server as a process: this binary, started with other arguments and ended with its handle.
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::BufReader;
use std::path::PathBuf;
use std::process::{ChildStdin, ChildStdout, Stdio};
use std::time::Instant;

use anyhow::Context as _;

use super::watchdog::{Pulse, Watchdog};
use crate::cli::{bench::scratch::Scratch, child::same_binary_alone};

/// A process just started. It is killed when its watchdog is dropped.
pub(super) struct Process {
    /// Just before it was started.
    pub(super) started: Instant,
    pub(super) pid: u32,
    pub(super) watchdog: Watchdog,
    pub(super) pulse: Pulse,
    pub(super) stdin: ChildStdin,
    pub(super) stdout: BufReader<ChildStdout>,
    pub(super) log: Log,
}

/// What a server writes to stderr.
pub(super) struct Log(PathBuf);

impl Process {
    /// Starts this binary with `args` on the scratch folder's store.
    pub(super) fn start(scratch: &Scratch, args: &[&str], env: &[(&str, &OsStr)]) -> anyhow::Result<Self> {
        let path = scratch.file("stderr.log");
        let stderr = OpenOptions::new().create(true).append(true).open(&path)?;
        let mut command = same_binary_alone()?;
        command.args(args).env("MINDCACHE_DATA_DIR", scratch.store());
        command.envs(env.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr);
        let watchdog = Watchdog::new();
        let started = Instant::now();
        let mut child = command.spawn().context("cannot start the server to be measured")?;
        let pid = child.id();
        let ends = child.stdin.take().zip(child.stdout.take());
        let pulse = watchdog.guard(child);
        let (stdin, stdout) = ends.context("the server was started without pipes")?;
        Ok(Self { started, pid, watchdog, pulse, stdin, stdout: BufReader::new(stdout), log: Log(path) })
    }
}

impl Log {
    /// The end of what the server said on stderr, for an error's text.
    pub(super) fn last_words(&self) -> String {
        let said = fs::read(&self.0).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let lines: Vec<&str> = said.lines().rev().take(5).collect();
        if lines.is_empty() {
            return String::new();
        }
        format!("; it last said:\n{}", lines.into_iter().rev().collect::<Vec<_>>().join("\n"))
    }
}
