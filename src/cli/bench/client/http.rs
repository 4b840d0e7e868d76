//! A client over HTTP/1.1: one connection for each call in flight, kept open, and requests of the
//! newer protocol, which need no session.
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout};
use std::time::Instant;

use anyhow::{Context as _, anyhow, bail};
use serde::Serialize;
use serde_json::json;

use super::follower::Follower;
use super::message::{Heard, Request, Said, understood};
use super::plain::Plain;
use super::process::Process;
use super::watchdog::Watchdog;
use super::wire::{Length, Wire};
use super::{Call, Trip};
use crate::cli::bench::scratch::Scratch;

const VERSION: &str = "2026-07-28";

/// A server over HTTP started by the bench; killed when dropped.
pub(in super::super) struct HttpServer {
    pid: u32,
    address: String,
    token: Option<String>,
    _ends_the_server: Watchdog,
    /// Held open: a server may mind the end of either.
    _pipes: (ChildStdin, BufReader<ChildStdout>),
}

/// One connection of an MCP client, for one call at a time.
pub(in super::super) struct Connection {
    wire: Wire,
    /// What each request says before its own headers.
    head: String,
    last_id: u64,
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

    /// Where it listens, and the token that it asks for.
    pub(in super::super) fn door(&self) -> (&str, Option<&str>) {
        (&self.address, self.token.as_deref())
    }

    /// A connection of its own.
    pub(in super::super) fn connect(&self) -> anyhow::Result<Connection> {
        self.connect_to("/mcp")
    }

    /// A connection to an endpoint, such as that of one instance.
    pub(in super::super) fn connect_to(&self, path: &str) -> anyhow::Result<Connection> {
        let mut head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: {VERSION}\r\n",
            self.address
        );
        if let Some(token) = &self.token {
            head.extend(["Authorization: Bearer ", token, "\r\n"]);
        }
        Ok(Connection { wire: Wire::open(&self.address)?, head, last_id: 0 })
    }

    /// A connection of a program that speaks no MCP, which shows this API key, else the token.
    pub(in super::super) fn connect_plain(&self, key: Option<&str>) -> anyhow::Result<Plain> {
        Plain::open(&self.address, key.or(self.token.as_deref()))
    }
}

impl Connection {
    /// One call. Its round trip ends with the end of the answer.
    pub(in super::super) fn call(&mut self, call: &Call) -> anyhow::Result<Trip> {
        let id = self.put("tools/call", Some(&call.name), call)?;
        let sent = Instant::now();
        self.wire.send()?;
        self.wire.answer()?;
        let arrived = Instant::now();
        // A reply alone, or as the last of a stream's events.
        let body = self.wire.body.as_slice();
        let reply = if body.starts_with(b"{") { body } else { last_event(body) };
        if understood(reply)? != Said::Reply(id) {
            bail!("asked {id}, the server answered another");
        }
        Ok(Trip { sent, arrived })
    }

    /// Asks to be told when a resource changes; the connection is for that alone from here on.
    pub(in super::super) fn followed(mut self, uris: &[String]) -> anyhow::Result<Follower> {
        self.put("subscriptions/listen", None, &json!({"notifications": {"resourceSubscriptions": uris}}))?;
        self.wire.send()?;
        let Length::Chunks = self.wire.answer_begins()? else { bail!("a subscription was answered with no stream") };
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
        self.wire.request.clear();
        write!(self.wire.request, "{}Mcp-Method: {method}\r\n{name}Content-Length: {}\r\n\r\n", self.head, body.len())?;
        self.wire.request.extend_from_slice(&body);
        Ok(self.last_id)
    }

    /// The next event of a stream that stays open.
    fn event(&mut self) -> anyhow::Result<Heard> {
        loop {
            while let Some(end) = self.wire.body.windows(2).position(|pair| pair == b"\n\n") {
                let at = Instant::now();
                let event: Vec<u8> = self.wire.body.drain(..end + 2).collect();
                // Without data it only keeps the connection alive.
                let data = data(&event);
                if !data.is_empty() {
                    return Ok(Heard { said: understood(data)?, at });
                }
            }
            if !self.wire.chunk()? {
                bail!("the server ended a subscription");
            }
        }
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
