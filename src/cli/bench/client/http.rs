//! A client over HTTP/1.1: one connection for each call in flight, kept open, and requests of the
//! newer protocol, which need no session.
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{ChildStdin, ChildStdout};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use serde::Serialize;
use serde_json::json;

use super::follower::Follower;
use super::message::{Heard, Request, Said, understood};
use super::process::Process;
use super::watchdog::Watchdog;
use super::{Call, Trip};
use crate::cli::bench::scratch::Scratch;

const VERSION: &str = "2026-07-28";
/// A server that owes an answer for so long fails the bench.
const SILENCE: Duration = Duration::from_mins(1);

/// A server over HTTP started by the bench; killed when dropped.
pub(in super::super) struct HttpServer {
    pid: u32,
    address: String,
    token: Option<String>,
    _ends_the_server: Watchdog,
    /// Held open: a server may mind the end of either.
    _pipes: (ChildStdin, BufReader<ChildStdout>),
}

/// One connection, for one call at a time.
pub(in super::super) struct Connection {
    stream: BufReader<TcpStream>,
    /// What each request says before its own headers.
    head: String,
    last_id: u64,
    request: Vec<u8>,
    /// Bytes of the answer's body.
    body: Vec<u8>,
}

/// What every request of the newer protocol says of itself.
#[derive(Serialize)]
struct Stamped<P> {
    #[serde(flatten)]
    params: P,
    #[serde(rename = "_meta")]
    meta: Meta,
}

#[derive(Serialize)]
struct Meta {
    #[serde(rename = "io.modelcontextprotocol/protocolVersion")]
    version: &'static str,
    #[serde(rename = "io.modelcontextprotocol/clientCapabilities")]
    capabilities: Nothing,
}

#[derive(Serialize)]
struct Nothing {}

/// How an answer's body ends.
enum Length {
    Known(u64),
    Chunks,
}

impl HttpServer {
    /// `mindcache serve` on the scratch folder's store, with its token.
    pub(in super::super) fn mindcache(scratch: &Scratch) -> anyhow::Result<Self> {
        Self::mindcache_with(scratch, &[])
    }

    /// The same with some settings of its own.
    pub(in super::super) fn mindcache_with(scratch: &Scratch, env: &[(&str, &OsStr)]) -> anyhow::Result<Self> {
        let mut server = Self::start_with(scratch, &["serve", "--listen", "127.0.0.1:0"], env)?;
        let token = fs::read_to_string(scratch.store().join("token")).context("the server made no token")?;
        server.token = Some(token.trim().to_owned());
        Ok(server)
    }

    /// Starts this binary with `args`; its first line must say where it listens.
    pub(in super::super) fn start(scratch: &Scratch, args: &[&str]) -> anyhow::Result<Self> {
        Self::start_with(scratch, args, &[])
    }

    fn start_with(scratch: &Scratch, args: &[&str], env: &[(&str, &OsStr)]) -> anyhow::Result<Self> {
        let Process { pid, watchdog, pulse, stdin, mut stdout, log, .. } = Process::start(scratch, args, env)?;
        let mut line = String::new();
        pulse.wait_begins();
        stdout.read_line(&mut line)?;
        pulse.wait_ends();
        let address = line.trim().split_once("http://").map(|(_, address)| address.to_owned());
        let address = address.ok_or_else(|| anyhow!("the server does not say where it listens{}", log.last_words()))?;
        Ok(Self { pid, address, token: None, _ends_the_server: watchdog, _pipes: (stdin, stdout) })
    }

    pub(in super::super) fn pid(&self) -> u32 {
        self.pid
    }

    /// A connection of its own.
    pub(in super::super) fn connect(&self) -> anyhow::Result<Connection> {
        self.connect_to("/mcp")
    }

    /// A connection to an endpoint, such as that of one instance.
    pub(in super::super) fn connect_to(&self, path: &str) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect(&self.address).context("the server takes no connection")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE))?;
        let mut head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: {VERSION}\r\n",
            self.address
        );
        if let Some(token) = &self.token {
            head.extend(["Authorization: Bearer ", token, "\r\n"]);
        }
        let (stream, request, body) = (BufReader::new(stream), Vec::new(), Vec::new());
        Ok(Connection { stream, head, last_id: 0, request, body })
    }
}

impl Connection {
    /// One call. Its round trip ends with the end of the answer.
    pub(in super::super) fn call(&mut self, call: &Call) -> anyhow::Result<Trip> {
        let id = self.put("tools/call", Some(&call.name), call)?;
        let sent = Instant::now();
        self.stream.get_mut().write_all(&self.request)?;
        self.body.clear();
        match self.answer_begins()? {
            Length::Known(length) => {
                let read = (&mut self.stream).take(length).read_to_end(&mut self.body)?;
                if u64::try_from(read)? < length {
                    bail!("the server closed the connection within an answer");
                }
            }
            Length::Chunks => while self.chunk()? {},
        }
        let arrived = Instant::now();
        // A reply alone, or as the last of a stream's events.
        let reply = if self.body.starts_with(b"{") { self.body.as_slice() } else { last_event(&self.body) };
        if understood(reply)? != Said::Reply(id) {
            bail!("asked {id}, the server answered another");
        }
        Ok(Trip { sent, arrived })
    }

    /// Asks to be told when a resource changes; the connection is for that alone from here on.
    pub(in super::super) fn followed(mut self, uris: &[String]) -> anyhow::Result<Follower> {
        self.put("subscriptions/listen", None, &json!({"notifications": {"resourceSubscriptions": uris}}))?;
        self.stream.get_mut().write_all(&self.request)?;
        self.body.clear();
        let Length::Chunks = self.answer_begins()? else { bail!("a subscription was answered with no stream") };
        // The first event says that the server listens.
        if self.event()?.said != Said::Aside {
            bail!("a subscription was not acknowledged");
        }
        Ok(Follower::hearing(move || self.event(), None))
    }

    /// Makes the request and returns its id.
    fn put(&mut self, method: &str, name: Option<&str>, params: &impl Serialize) -> anyhow::Result<u64> {
        self.last_id += 1;
        let meta = Meta { version: VERSION, capabilities: Nothing {} };
        let body = serde_json::to_vec(&Request::new(Some(self.last_id), method, Stamped { params, meta }))?;
        let name = name.map(|name| format!("Mcp-Name: {name}\r\n")).unwrap_or_default();
        self.request.clear();
        write!(self.request, "{}Mcp-Method: {method}\r\n{name}Content-Length: {}\r\n\r\n", self.head, body.len())?;
        self.request.extend_from_slice(&body);
        Ok(self.last_id)
    }

    /// Reads an answer's head.
    fn answer_begins(&mut self) -> anyhow::Result<Length> {
        let status = self.line()?;
        let mut length = None;
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(Length::Known(value.trim().parse()?));
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                length = Some(Length::Chunks);
            }
        }
        if status.split(' ').nth(1) != Some("200") {
            bail!("the server answered \"{status}\"");
        }
        length.context("an answer without a length")
    }

    /// Reads the next chunk of a body; `false` when it was the last.
    fn chunk(&mut self) -> anyhow::Result<bool> {
        let length = u64::from_str_radix(self.line()?.trim(), 16).context("a chunk without a length")?;
        (&mut self.stream).take(length).read_to_end(&mut self.body)?;
        self.line()?;
        Ok(length > 0)
    }

    /// The next event of a stream that stays open.
    fn event(&mut self) -> anyhow::Result<Heard> {
        loop {
            while let Some(end) = self.body.windows(2).position(|pair| pair == b"\n\n") {
                let at = Instant::now();
                let event: Vec<u8> = self.body.drain(..end + 2).collect();
                // Without data it only keeps the connection alive.
                let data = data(&event);
                if !data.is_empty() {
                    return Ok(Heard { said: understood(data)?, at });
                }
            }
            if !self.chunk()? {
                bail!("the server ended a subscription");
            }
        }
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).context("the server fell silent")? == 0 {
            bail!("the server closed the connection");
        }
        line.truncate(line.trim_end().len());
        Ok(line)
    }
}

/// The data of an event: rmcp writes it on one line.
fn data(event: &[u8]) -> &[u8] {
    let line = event.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"data:"));
    line.unwrap_or_default().trim_ascii()
}

/// The data of the last event that has some.
fn last_event(stream: &[u8]) -> &[u8] {
    let mut lines = stream.split(|byte| *byte == b'\n').rev();
    let data =
        lines.find_map(|line| line.strip_prefix(b"data:").map(<[u8]>::trim_ascii).filter(|data| !data.is_empty()));
    data.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_of_an_event_is_found_behind_its_other_fields() {
        assert_eq!(data(b"id: 0\nretry: 3000\ndata: {\"id\":1}\n\n"), b"{\"id\":1}");
        assert_eq!(data(b": still here\n\n"), b"");
        assert_eq!(last_event(b"id: 0\ndata:\n\nid: 1\ndata: {\"id\":1}\n\n"), b"{\"id\":1}");
        assert_eq!(last_event(b""), b"");
    }
}
