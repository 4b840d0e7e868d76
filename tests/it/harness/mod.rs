//! How the tests reach mindcache: the built binary in a folder of its own, and nothing else.
//!
//! Every process that a test starts is killed when its handle is dropped. Waiting is receiving with a deadline.

pub(crate) mod audit;
pub(crate) mod chance;
pub(crate) mod connection;
pub(crate) mod http;
pub(crate) mod http_client;
pub(crate) mod link;
pub(crate) mod mcp;
pub(crate) mod normal;
mod pipes;

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use http::Server;
use mcp::{Client, Era};

/// How long anything may take before its test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// What a command printed and how it ended.
#[derive(Debug)]
#[must_use]
pub(crate) struct Output {
    /// Standard output, as it came.
    pub(crate) stdout: Vec<u8>,
    /// Standard error, as text.
    pub(crate) stderr: String,
    /// The exit code; -1 after a signal.
    pub(crate) code: i32,
}

impl Output {
    /// Standard output as text, after an exit with 0.
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "the command failed: {}", self.stderr);
        String::from_utf8(self.stdout).expect("standard output is UTF-8")
    }

    /// Standard output as JSON, after an exit with 0.
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.ok()).expect("standard output is JSON")
    }

    /// The message of a command that must fail with this code: it stands on standard error, alone.
    pub(crate) fn fails(self, code: i32) -> String {
        let Self { stdout, stderr, code: got } = self;
        assert_eq!(got, code, "stdout: {}, stderr: {stderr}", String::from_utf8_lossy(&stdout));
        assert!(stdout.is_empty(), "a failure prints nothing on standard output: {}", String::from_utf8_lossy(&stdout));
        assert!(!stderr.trim().is_empty(), "a failure says what happened");
        stderr
    }
}

/// A folder of its own for one test, and the processes started on it.
pub(crate) struct Env {
    dir: TempDir,
}

impl Env {
    /// An empty folder; the data folder in it does not exist yet.
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::Builder::new().prefix("mindcache-it-").tempdir().expect("a temporary folder") }
    }

    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A path beside the data folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file beside the data folder and returns its path as text.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path(name);
        std::fs::write(&path, bytes).expect("the file can be written");
        path.to_str().expect("the path is text").to_owned()
    }

    /// The program with an empty environment but for what a process needs and the data folder.
    pub(crate) fn command(&self) -> Command {
        self.command_of(Path::new(env!("CARGO_BIN_EXE_mindcache")))
    }

    /// Another program in the same environment: a tracer that starts the program, for example.
    pub(crate) fn command_of(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.dir.path()).env("MINDCACHE_DATA_DIR", self.data());
        command.current_dir(self.dir.path());
        for name in ["PATH", "TMPDIR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
    }

    /// Another program that finds the program by its name.
    pub(crate) fn command_that_finds_it(&self, program: &str) -> Command {
        let mut command = self.command_of(Path::new(program));
        let ours = Path::new(env!("CARGO_BIN_EXE_mindcache")).parent().map(Path::to_owned);
        let others = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(ours.into_iter().chain(std::env::split_paths(&others)));
        command.env("PATH", path.expect("no folder's name has a colon"));
        command
    }

    /// Runs a command to its end without input.
    pub(crate) fn cli(&self, args: &[&str]) -> Output {
        self.cli_with_stdin(args, b"")
    }

    /// Runs a command to its end with this input.
    pub(crate) fn cli_with_stdin(&self, args: &[&str], stdin: &[u8]) -> Output {
        let mut command = self.command();
        command.args(args);
        run(command, stdin)
    }

    /// A client of `mindcache mcp` after the handshake of 2025-11-25.
    pub(crate) fn mcp(&self) -> Client {
        self.mcp_with(&[])
    }

    /// The same with more arguments, such as `["--mode", "edit"]`.
    pub(crate) fn mcp_with(&self, args: &[&str]) -> Client {
        let mut client = self.mcp_bare(args);
        client.handshake();
        client
    }

    /// A client of 2026-07-28: no handshake, every request says its version itself.
    pub(crate) fn mcp_modern(&self, args: &[&str]) -> Client {
        Client::start(self.mcp_command(args), Era::Modern)
    }

    /// A process of `mindcache mcp` to which nothing has been said yet.
    pub(crate) fn mcp_bare(&self, args: &[&str]) -> Client {
        Client::start(self.mcp_command(args), Era::Legacy)
    }

    fn mcp_command(&self, args: &[&str]) -> Command {
        let mut command = self.command();
        command.arg("mcp").args(args);
        command
    }

    /// `mindcache serve` on a free port of the loopback.
    pub(crate) fn serve(&self, args: &[&str]) -> Server {
        let mut command = self.command();
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(args);
        Server::start(command, self.data())
    }
}

/// Runs a command to its end; one that takes longer than the deadline is killed and the test fails.
pub(crate) fn run(mut command: Command, stdin: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let pid = child.id();
    let mut pipe = child.stdin.take().expect("standard input is a pipe");
    let input = stdin.to_vec();
    // A program that does not read its input closes the pipe: no fault of the test.
    thread::spawn(move || drop(pipe.write_all(&input)));
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || drop(sender.send(child.wait_with_output())));
    let Ok(output) = receiver.recv_timeout(DEADLINE) else {
        kill(pid);
        panic!("{command:?} did not end within {DEADLINE:?}");
    };
    let output = output.expect("its output can be read");
    Output {
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        code: output.status.code().unwrap_or(-1),
    }
}

/// Kills a process that another thread is talking to or waiting for.
pub(crate) fn kill(pid: u32) {
    signal(pid, "KILL");
}

/// Sends a signal: `STOP`, `CONT`, `KILL`.
pub(crate) fn signal(pid: u32, name: &str) {
    drop(Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status());
}

/// Asks again and again until it is so; for what nothing tells of, such as a file that is closed.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let (_never_sends, never) = mpsc::channel::<()>();
    let pause = Duration::from_millis(20);
    let mut left = DEADLINE;
    while !is_so() {
        left = left.checked_sub(pause).unwrap_or_else(|| panic!("not within {DEADLINE:?}: {what}"));
        assert!(never.recv_timeout(pause).is_err(), "nothing is ever sent");
    }
}

/// Says why a test did nothing.
pub(crate) fn skip(reason: &str) {
    say(&format!("skipped: {reason}"));
}

/// Says what a test measured or drew; seen when it fails, or with `--nocapture`.
#[expect(clippy::print_stderr, reason = "figures and seeds are for whoever looks into a failure")]
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}
