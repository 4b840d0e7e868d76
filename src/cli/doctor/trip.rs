//! A client's first words on each transport, to a server of this very binary.

use std::{
    io::{BufRead as _, BufReader, Read, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context as _, bail};
use serde_json::Value;

/// How long a client would wait, and we too.
const PATIENCE: Duration = Duration::from_secs(10);
const INITIALIZE: &str = concat!(
    r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"#,
    r#""clientInfo":{"name":"mindcache-doctor","version":""#,
    env!("CARGO_PKG_VERSION"),
    r#""}}}"#
);

/// A server that ends with its handle.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn start(root: &Path, args: &[&str]) -> anyhow::Result<Server> {
    let mut command = Command::new(std::env::current_exe().context("cannot find the running binary")?);
    command.args(args).arg("--data-dir").arg(root);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    Ok(Server(command.spawn().context("the server did not start")?))
}

/// The first line of a server's output, in time.
fn first_line(server: &mut Server) -> anyhow::Result<String> {
    let stdout = server.0.stdout.take().context("the server has no output")?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        let read = BufReader::new(stdout).read_line(&mut line);
        // Nobody may be waiting any more.
        drop(sender.send(read.map(|_| line)));
    });
    let line = receiver.recv_timeout(PATIENCE).context("the server said nothing in 10 s")??;
    if line.is_empty() {
        bail!("the server ended at once");
    }
    Ok(line)
}

/// `mindcache mcp`.
pub(super) fn stdio(root: &Path) -> anyhow::Result<String> {
    let mut server = start(root, &["mcp"])?;
    let stdin = server.0.stdin.as_mut().context("the server has no input")?;
    writeln!(stdin, "{INITIALIZE}")?;
    stdin.flush()?;
    understood(&first_line(&mut server)?)
}

/// `mindcache serve`, on a port that is free.
pub(super) fn http(root: &Path) -> anyhow::Result<String> {
    let mut server = start(root, &["serve", "--listen", "127.0.0.1:0", "--no-auth"])?;
    let line = first_line(&mut server)?;
    let (_, address) = line.trim().split_once("http://").context("the server does not say where it listens")?;
    let mut stream = TcpStream::connect(address).context("the server takes no connection")?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "POST /mcp HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nContent-Length: {}\r\n\r\n{INITIALIZE}",
        INITIALIZE.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).context("the server did not answer")?;
    // The answer is a reply alone or an event of a stream.
    let reply = answer.lines().map(|line| line.trim_start_matches("data:").trim()).find(|line| line.starts_with('{'));
    understood(reply.with_context(|| answer.lines().next().unwrap_or_default().to_owned())?)
}

/// What the server says of itself.
fn understood(reply: &str) -> anyhow::Result<String> {
    let reply: Value = serde_json::from_str(reply).context("the answer is no JSON")?;
    let text = |at: &str| reply.pointer(at).and_then(Value::as_str);
    match (text("/result/serverInfo/version"), text("/result/protocolVersion")) {
        (Some(version), Some(protocol)) => Ok(format!("answered by {version} in protocol {protocol}")),
        _ => bail!("the answer is an error: {reply}"),
    }
}
