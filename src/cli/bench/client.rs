//! A blocking MCP client over the pipes of a server it started: raw JSON-RPC, a line a message.
//! No SDK on this side, so that what is measured is the server.
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::scratch::Scratch;
use super::watchdog::{Pulse, Watchdog};

/// A server that does not end this long after its input did is killed and reported.
const EXIT_WITHIN: Duration = Duration::from_secs(10);
const EXIT_LOOK: Duration = Duration::from_micros(100);

/// What would make a bench measure something else than it says.
const NOT_INHERITED: &[&str] = &[
    "MINDCACHE_INSTANCE",
    "MINDCACHE_MODE",
    "MINDCACHE_LOG",
    "MINDCACHE_BENCH_STATS",
    "MINDCACHE_BENCH_COMMIT_DELAY_MS",
];

/// This very binary, to be run with other arguments.
pub(super) fn same_binary() -> anyhow::Result<Command> {
    let binary = std::env::current_exe().context("cannot find the running binary")?;
    let mut command = Command::new(binary);
    for name in NOT_INHERITED {
        command.env_remove(name);
    }
    Ok(command)
}

/// One `tools/call`.
#[derive(Serialize)]
pub(super) struct Call {
    pub(super) name: &'static str,
    pub(super) arguments: Value,
}

/// A server started by the bench; killed when dropped before `close`.
pub(super) struct Server {
    started: Instant,
    watchdog: Watchdog,
    requests: Option<Requests>,
    replies: Replies,
    pid: u32,
}

/// The writing end: messages are put in line, then flushed.
pub(super) struct Requests {
    stdin: ChildStdin,
    line: Vec<u8>,
    next_id: u64,
}

/// The reading end. `line` holds the last reply.
pub(super) struct Replies {
    stdout: BufReader<ChildStdout>,
    line: Vec<u8>,
    pulse: Pulse,
    stderr: PathBuf,
}

/// A successful reply: to which request, and when its line was complete.
pub(super) struct Reply {
    pub(super) id: u64,
    pub(super) arrived: Instant,
}

#[derive(Serialize)]
struct Request<'a, P> {
    jsonrpc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    method: &'a str,
    params: P,
}

#[derive(Deserialize)]
struct Message<'a> {
    id: Option<u64>,
    method: Option<IgnoredAny>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Outcome {
    #[serde(default, rename = "isError")]
    is_error: Option<bool>,
}

impl Server {
    /// `mindcache mcp` on the scratch folder's store.
    pub(super) fn mindcache(scratch: &Scratch, env: &[(&str, &OsStr)]) -> anyhow::Result<Self> {
        Self::start(scratch, &["mcp"], env)
    }

    /// Starts this binary with `args`; its clock runs from just before that.
    pub(super) fn start(scratch: &Scratch, args: &[&str], env: &[(&str, &OsStr)]) -> anyhow::Result<Self> {
        let stderr = scratch.file("stderr.log");
        let log = OpenOptions::new().create(true).append(true).open(&stderr)?;
        let mut command = same_binary()?;
        command.args(args).env("MINDCACHE_DATA_DIR", scratch.store());
        command.envs(env.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        let watchdog = Watchdog::new();
        let started = Instant::now();
        let mut child = command.spawn().context("cannot start the server to be measured")?;
        let pid = child.id();
        let ends = child.stdin.take().zip(child.stdout.take());
        let pulse = watchdog.guard(child);
        let (stdin, stdout) = ends.context("the server was started without pipes")?;
        let requests = Requests { stdin, line: Vec::new(), next_id: 1 };
        let replies = Replies { stdout: BufReader::new(stdout), line: Vec::new(), pulse, stderr };
        Ok(Self { started, watchdog, requests: Some(requests), replies, pid })
    }

    /// The handshake. Returns the time from the start of the server to its first reply.
    pub(super) fn initialize(&mut self) -> anyhow::Result<Duration> {
        let params = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "mindcache-bench", "version": env!("CARGO_PKG_VERSION")},
        });
        let reply = self.ask("initialize", &params)?;
        let requests = self.requests.as_mut().context("the server was closed")?;
        requests.notify("notifications/initialized")?;
        Ok(reply.arrived.duration_since(self.started))
    }

    /// Asks for the tools. Returns the time from the start of the server to the reply.
    pub(super) fn list_tools(&mut self) -> anyhow::Result<Duration> {
        #[derive(Deserialize)]
        struct Listed {
            tools: Vec<IgnoredAny>,
        }
        let reply = self.ask("tools/list", &json!({}))?;
        if self.replies.result::<Listed>()?.tools.is_empty() {
            bail!("tools/list answered no tools");
        }
        Ok(reply.arrived.duration_since(self.started))
    }

    /// One call alone. Returns its round trip: request written to reply line complete.
    pub(super) fn call(&mut self, call: &Call) -> anyhow::Result<Duration> {
        let (requests, replies) = self.ends()?;
        let id = requests.put("tools/call", call)?;
        let sent = Instant::now();
        requests.flush()?;
        let reply = replies.next()?;
        if reply.id != id {
            bail!("asked {id}, the server answered {}", reply.id);
        }
        Ok(reply.arrived.duration_since(sent))
    }

    /// The structured result of the last reply.
    pub(super) fn structured<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        #[derive(Deserialize)]
        struct Structured<T> {
            #[serde(rename = "structuredContent")]
            content: T,
        }
        Ok(self.replies.result::<Structured<T>>()?.content)
    }

    /// Both ends, for those who keep more than one call in flight.
    pub(super) fn ends(&mut self) -> anyhow::Result<(&mut Requests, &mut Replies)> {
        let requests = self.requests.as_mut().context("the server was closed")?;
        Ok((requests, &mut self.replies))
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Closes its input and waits for its end. Returns the time between.
    pub(super) fn close(mut self) -> anyhow::Result<Duration> {
        let asked = Instant::now();
        self.requests = None;
        self.replies.read_out()?;
        while asked.elapsed() < EXIT_WITHIN {
            if let Some(status) = self.watchdog.ended()? {
                if status.success() {
                    return Ok(asked.elapsed());
                }
                bail!("the server ended with {status}{}", self.replies.last_words());
            }
            std::thread::sleep(EXIT_LOOK);
        }
        bail!("the server did not end within 10 s of the end of its input");
    }

    fn ask(&mut self, method: &str, params: &Value) -> anyhow::Result<Reply> {
        let (requests, replies) = self.ends()?;
        requests.put(method, params)?;
        requests.flush()?;
        replies.next().with_context(|| format!("no good reply to {method}"))
    }
}

impl Requests {
    /// Puts a request in line and returns its id: they count up by one.
    pub(super) fn put(&mut self, method: &str, params: &impl Serialize) -> anyhow::Result<u64> {
        let id = self.next_id;
        self.next_id += 1;
        self.write(Some(id), method, params)?;
        Ok(id)
    }

    /// Sends what is in line.
    pub(super) fn flush(&mut self) -> anyhow::Result<()> {
        self.stdin.write_all(&self.line).context("the server closed its input")?;
        self.line.clear();
        Ok(())
    }

    /// Bytes in line.
    pub(super) fn waiting(&self) -> usize {
        self.line.len()
    }

    fn notify(&mut self, method: &str) -> anyhow::Result<()> {
        self.write(None, method, &json!({}))?;
        self.flush()
    }

    fn write(&mut self, id: Option<u64>, method: &str, params: &impl Serialize) -> anyhow::Result<()> {
        let request = Request { jsonrpc: "2.0", id, method, params };
        serde_json::to_writer(&mut self.line, &request)?;
        self.line.push(b'\n');
        Ok(())
    }
}

impl Replies {
    /// The next reply; what the server says unasked is passed over, a refusal is an error.
    pub(super) fn next(&mut self) -> anyhow::Result<Reply> {
        loop {
            self.line.clear();
            self.pulse.wait_begins();
            let read = self.stdout.read_until(b'\n', &mut self.line)?;
            let arrived = Instant::now();
            self.pulse.wait_ends();
            if read == 0 {
                bail!("the server ended or fell silent{}", self.last_words());
            }
            let message: Message<'_> = serde_json::from_slice(&self.line).context("the server wrote no JSON-RPC")?;
            if message.method.is_some() {
                continue;
            }
            if let Some(error) = message.error {
                bail!("the server refused: {error}");
            }
            let (Some(id), Some(result)) = (message.id, message.result) else {
                bail!("the server wrote a reply without id or result");
            };
            if serde_json::from_str::<Outcome>(result.get())?.is_error == Some(true) {
                bail!("the call failed: {result}");
            }
            return Ok(Reply { id, arrived });
        }
    }

    /// Ends the server at once, which also ends every wait for it.
    pub(super) fn give_up(&self) {
        self.pulse.kill();
    }

    fn result<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        let message: Message<'_> = serde_json::from_slice(&self.line)?;
        let result = message.result.context("no reply was read yet")?;
        serde_json::from_str(result.get()).context("the result is not of the expected shape")
    }

    /// Reads to the end of the server's output.
    fn read_out(&mut self) -> anyhow::Result<()> {
        self.pulse.wait_begins();
        let read = std::io::copy(&mut self.stdout, &mut std::io::sink());
        self.pulse.wait_ends();
        read.context("cannot read the server's output to its end")?;
        Ok(())
    }

    /// The end of what the server said on stderr, for an error's text.
    fn last_words(&self) -> String {
        let said = fs::read(&self.stderr).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let lines: Vec<&str> = said.lines().rev().take(5).collect();
        if lines.is_empty() {
            return String::new();
        }
        format!("; it last said:\n{}", lines.into_iter().rev().collect::<Vec<_>>().join("\n"))
    }
}
