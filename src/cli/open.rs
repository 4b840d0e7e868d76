//! `mindcache open`: the page in the browser, with a server that runs or is started for it.
//!
//! Command lines are seen by every user of the machine, so the code is on none: it goes into a file that only this user
//! can read, and the browser is given that file, which leads to the page.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use serde_json::Value;

use crate::{config::Settings, model::instance::InstanceRef, store::sqlite::new_file};

use super::{
    child::{Running, same_binary},
    output::{Failure, Output},
    serve::known_token,
    whereabouts::{link_to, told},
};

/// How long a server that should be there may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// `open`.
#[derive(Debug, Args)]
pub(super) struct OpenArgs {
    /// Print the link instead of opening it; it can be used once, within ten minutes
    #[arg(long)]
    print: bool,
}

/// Opens the page.
pub(super) fn run(
    args: &OpenArgs,
    settings: &Settings,
    instance: &InstanceRef,
    output: &Output,
) -> Result<(), Failure> {
    let data_dir = settings.data_dir()?;
    let running = told(&data_dir).and_then(|address| ask(address, &data_dir).ok());
    let (address, code) = if let Some(found) = running {
        found
    } else {
        let (server, address) = start(&data_dir)?;
        let found = ask(address, &data_dir).context("the server that was started is of no use here")?;
        server.leave();
        found
    };
    let name = match instance {
        InstanceRef::Id(id) => id.as_str(),
        InstanceRef::Name(name) => name,
    };
    let link = link_to(address, code.as_deref(), name);
    if args.print {
        return output.line(&link);
    }
    let file = lead(&data_dir, &link)?;
    if browse(&file) {
        return output.line(&format!("opened http://{address}/ in the browser"));
    }
    output.line("no browser could be opened here; open this link, which can be used once, within ten minutes:")?;
    output.line(&link)
}

/// Asks the server of this data folder at an address for a code; none where it wants none.
fn ask(address: SocketAddr, data_dir: &Path) -> anyhow::Result<(SocketAddr, Option<String>)> {
    let token = known_token(data_dir).map_err(|_| anyhow!("the token of the data folder cannot be read"))?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "POST /api/sign-in/code HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nContent-Length: 0\r\n\
         Connection: close\r\n\r\n",
        token.unwrap_or_default()
    )?;
    let mut answer = String::new();
    stream.take(64 * 1024).read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| anyhow!("no answer"))?;
    if head.starts_with("HTTP/1.1 401 ") {
        bail!(
            "the server at {address} asks everybody for a key of theirs: the page needs one that serves this user alone"
        );
    }
    if !head.starts_with("HTTP/1.1 200 ") {
        bail!("another program answers at {address}");
    }
    let body: Value = serde_json::from_str(body)?;
    Ok((address, body.get("code").and_then(Value::as_str).map(str::to_owned)))
}

/// Starts a server, at its usual address or, when that is taken, at a free one.
fn start(data_dir: &Path) -> anyhow::Result<(Running, SocketAddr)> {
    let mut failed = anyhow!("no server could be started; `mindcache serve` says why");
    for listen in ["127.0.0.1:8787", "127.0.0.1:0"] {
        let mut command = same_binary()?;
        command.arg("--data-dir").arg(data_dir).args(["serve", "--listen", listen]);
        detach(&mut command);
        let mut server = Running::start(command, Stdio::null())?;
        match server.address() {
            Ok(address) => return Ok((server, address)),
            // The address is taken, or it says why when it is run by itself.
            Err(error) => failed = error.context("no server could be started; `mindcache serve` says why"),
        }
    }
    Err(failed)
}

/// The server goes on when this command or its terminal ends.
#[cfg(unix)]
fn detach(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
}

#[cfg(not(unix))]
fn detach(_: &mut Command) {}

/// A file that leads to a link, for this user alone. The one before is of no use any more.
fn lead(data_dir: &Path, link: &str) -> anyhow::Result<PathBuf> {
    let path = data_dir.join("open.html");
    if let Err(error) = fs::remove_file(&path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(error).with_context(|| format!("cannot replace {}", path.display()));
    }
    let page = format!(
        "<!doctype html><meta charset=\"utf-8\"><meta name=\"referrer\" content=\"no-referrer\">\
         <title>mindcache</title><meta http-equiv=\"refresh\" content=\"0;url={link}\"><p>Opening mindcache…</p>\n"
    );
    let mut file = new_file(&path).with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(page.as_bytes())?;
    Ok(path)
}

/// Hands a file to the browser; whether that worked.
fn browse(file: &Path) -> bool {
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else if cfg!(windows) {
        "explorer"
    } else {
        "xdg-open"
    };
    let mut command = Command::new(opener);
    command.arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // The explorer says nothing that could be trusted.
    command.status().is_ok_and(|status| status.success() || cfg!(windows))
}
