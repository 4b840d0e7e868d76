//! A client over the pipes of the server it started: a line a message.
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::follower::Follower;
use super::message::{Heard, Request, Said, result, understood};
use super::process::{Log, Process};
use super::watchdog::{Pulse, Watchdog};
use super::{Call, Trip};
use crate::cli::bench::scratch::Scratch;

/// A server that does not end this long after its input did is killed and reported.
const EXIT_WITHIN: Duration = Duration::from_secs(10);
const EXIT_LOOK: Duration = Duration::from_micros(100);

/// A server started by the bench; killed when dropped before `close`.
pub(in super::super) struct Server {
    started: Instant,
    watchdog: Watchdog,
    requests: Option<Requests>,
    replies: Replies,
    pid: u32,
}

/// The writing end: messages are put in line, then flushed.
pub(in super::super) struct Requests {
    stdin: ChildStdin,
    line: Vec<u8>,
    next_id: u64,
}

/// The reading end. `line` holds the last message.
pub(in super::super) struct Replies {
    stdout: BufReader<ChildStdout>,
    line: Vec<u8>,
    pulse: Pulse,
    log: Log,
}

/// A successful reply: to which request, and when its line was complete.
pub(in super::super) struct Reply {
    pub(in super::super) id: u64,
    pub(in super::super) arrived: Instant,
}

/// The tools that a server lists.
pub(in super::super) struct Listed {
    /// From the start of the server to the reply.
    pub(in super::super) since_start: Duration,
    /// From the request to the reply.
    pub(in super::super) took: Duration,
    pub(in super::super) tools: usize,
    /// Of the list alone, without the message around it.
    pub(in super::super) bytes: usize,
}

impl Server {
    /// `mindcache mcp` on the scratch folder's store.
    pub(in super::super) fn mindcache(scratch: &Scratch, env: &[(&str, &OsStr)]) -> anyhow::Result<Self> {
        Self::start(scratch, &["mcp"], env)
    }

    /// Starts this binary with `args`; its clock runs from just before that.
    pub(in super::super) fn start(scratch: &Scratch, args: &[&str], env: &[(&str, &OsStr)]) -> anyhow::Result<Self> {
        let Process { started, pid, watchdog, pulse, stdin, stdout, log } = Process::start(scratch, args, env)?;
        let requests = Requests { stdin, line: Vec::new(), next_id: 1 };
        let replies = Replies { stdout, line: Vec::new(), pulse, log };
        Ok(Self { started, watchdog, requests: Some(requests), replies, pid })
    }

    /// The handshake. Returns the time from the start of the server to its first reply.
    pub(in super::super) fn initialize(&mut self) -> anyhow::Result<Duration> {
        let took = self.initialize_unconfirmed()?;
        self.ends()?.0.notify("notifications/initialized")?;
        Ok(took)
    }

    /// The handshake but for its last word: such a client is answered, and told of no changes.
    pub(in super::super) fn initialize_unconfirmed(&mut self) -> anyhow::Result<Duration> {
        let params = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "mindcache-bench", "version": env!("CARGO_PKG_VERSION")},
        });
        let reply = self.ask("initialize", &params)?;
        Ok(reply.arrived.duration_since(self.started))
    }

    /// Asks for the tools.
    pub(in super::super) fn list_tools(&mut self) -> anyhow::Result<Listed> {
        #[derive(Deserialize)]
        struct Tools {
            tools: Box<RawValue>,
        }
        let asked = Instant::now();
        let arrived = self.ask("tools/list", &json!({}))?.arrived;
        let list = result::<Tools>(&self.replies.line)?.tools;
        let tools = serde_json::from_str::<Vec<IgnoredAny>>(list.get())?.len();
        if tools == 0 {
            bail!("tools/list answered no tools");
        }
        let (since_start, took) = (arrived.duration_since(self.started), arrived.duration_since(asked));
        Ok(Listed { since_start, took, tools, bytes: list.get().len() })
    }

    /// Asks to be told when a resource changes.
    pub(in super::super) fn subscribe(&mut self, uri: &str) -> anyhow::Result<()> {
        self.ask("resources/subscribe", &json!({"uri": uri})).map(drop)
    }

    /// One call alone. Returns its round trip: request written to reply line complete.
    pub(in super::super) fn call(&mut self, call: &Call) -> anyhow::Result<Trip> {
        let (requests, replies) = self.ends()?;
        let id = requests.put("tools/call", call)?;
        let sent = Instant::now();
        requests.flush()?;
        let reply = replies.next()?;
        if reply.id != id {
            bail!("asked {id}, the server answered {}", reply.id);
        }
        Ok(Trip { sent, arrived: reply.arrived })
    }

    /// The structured result of the last reply.
    pub(in super::super) fn structured<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        #[derive(Deserialize)]
        struct Structured<T> {
            #[serde(rename = "structuredContent")]
            content: T,
        }
        Ok(result::<Structured<T>>(&self.replies.line)?.content)
    }

    /// Both ends, for those who keep more than one call in flight.
    pub(in super::super) fn ends(&mut self) -> anyhow::Result<(&mut Requests, &mut Replies)> {
        let requests = self.requests.as_mut().context("the server was closed")?;
        Ok((requests, &mut self.replies))
    }

    /// From here on what it says is heard on a thread of its own.
    pub(in super::super) fn followed(self) -> Follower {
        let Self { watchdog, requests, mut replies, .. } = self;
        Follower::hearing(move || replies.hear(), requests.map(|requests| (requests, watchdog)))
    }

    pub(in super::super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Closes its input and waits for its end. Returns the time between.
    pub(in super::super) fn close(mut self) -> anyhow::Result<Duration> {
        let asked = Instant::now();
        self.requests = None;
        self.replies.read_out()?;
        while asked.elapsed() < EXIT_WITHIN {
            if let Some(status) = self.watchdog.ended()? {
                if status.success() {
                    return Ok(asked.elapsed());
                }
                bail!("the server ended with {status}{}", self.replies.log.last_words());
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
    pub(in super::super) fn put(&mut self, method: &str, params: &impl Serialize) -> anyhow::Result<u64> {
        let id = self.next_id;
        self.next_id += 1;
        self.write(Some(id), method, params)?;
        Ok(id)
    }

    /// Sends what is in line.
    pub(in super::super) fn flush(&mut self) -> anyhow::Result<()> {
        self.stdin.write_all(&self.line).context("the server closed its input")?;
        self.line.clear();
        Ok(())
    }

    /// Bytes in line.
    pub(in super::super) fn waiting(&self) -> usize {
        self.line.len()
    }

    fn notify(&mut self, method: &str) -> anyhow::Result<()> {
        self.write(None, method, &json!({}))?;
        self.flush()
    }

    fn write(&mut self, id: Option<u64>, method: &str, params: &impl Serialize) -> anyhow::Result<()> {
        serde_json::to_writer(&mut self.line, &Request::new(id, method, params))?;
        self.line.push(b'\n');
        Ok(())
    }
}

impl Replies {
    /// The next reply; what the server says unasked is passed over, a refusal is an error.
    pub(in super::super) fn next(&mut self) -> anyhow::Result<Reply> {
        loop {
            if let Heard { said: Said::Reply(id), at } = self.hear()? {
                return Ok(Reply { id, arrived: at });
            }
        }
    }

    /// The next message.
    fn hear(&mut self) -> anyhow::Result<Heard> {
        self.line.clear();
        self.pulse.wait_begins();
        let read = self.stdout.read_until(b'\n', &mut self.line)?;
        let at = Instant::now();
        self.pulse.wait_ends();
        if read == 0 {
            bail!("the server ended or fell silent{}", self.log.last_words());
        }
        Ok(Heard { said: understood(&self.line)?, at })
    }

    /// Ends the server at once, which also ends every wait for it.
    pub(in super::super) fn give_up(&self) {
        self.pulse.kill();
    }

    /// Reads to the end of the server's output.
    fn read_out(&mut self) -> anyhow::Result<()> {
        self.pulse.wait_begins();
        let read = std::io::copy(&mut self.stdout, &mut std::io::sink());
        self.pulse.wait_ends();
        read.context("cannot read the server's output to its end")?;
        Ok(())
    }
}
