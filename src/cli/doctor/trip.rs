//! A client's first words on each transport, to a server of this very binary.

use std::{
    io::{Read, Write as _},
    net::TcpStream,
    path::Path,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::cli::child::{Running, same_binary_alone};

/// How long a client would wait, and we too.
const PATIENCE: Duration = Duration::from_secs(10);
const INITIALIZE: &str = concat!(
    r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"#,
    r#""clientInfo":{"name":"mindcache-doctor","version":""#,
    env!("CARGO_PKG_VERSION"),
    r#""}}}"#
);

/// `mindcache mcp`.
pub(super) fn stdio(root: &Path) -> anyhow::Result<String> {
    let mut command = same_binary_alone()?;
    command.arg("mcp").arg("--data-dir").arg(root);
    let mut server = Running::start(command, Stdio::piped())?;
    let stdin = server.child()?.stdin.as_mut().context("the server has no input")?;
    writeln!(stdin, "{INITIALIZE}")?;
    stdin.flush()?;
    understood(&server.first_line()?)
}

/// `mindcache serve`, on a port that is free, over an empty folder: it asks for no token, and `open` is to find the server
/// of the real one.
pub(super) fn http() -> anyhow::Result<String> {
    let folder = tempfile::tempdir().context("there is no folder for a server to be tried in")?;
    let mut command = same_binary_alone()?;
    command.args(["serve", "--listen", "127.0.0.1:0", "--no-auth", "--data-dir"]).arg(folder.path());
    let mut server = Running::start(command, Stdio::null())?;
    let address = server.address()?;
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
