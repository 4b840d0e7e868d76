//! A server of the fixtures that the MCP conformance suite asks for, behind the serving stack of mindcache.
//!
//! The suite tests with tools, prompts and resources of names that it prescribes, which the product does not have.
//! Here they stand behind the product's own routes and checks, so that what the suite says of them holds for those.
//! `tests/conformance/run.sh` runs it.

#![expect(deprecated, reason = "logging, sampling and roots are scored as long as the protocol has them")]

mod callbacks;
mod fixtures;
mod forms;
mod media;
mod prompts;
mod resources;
mod rounds;
mod tools;

use std::{
    io::{self, Write as _},
    net::SocketAddr,
};

use axum::Router;
use clap::Parser;
use mindcache::face::{
    http::{Access, Stop, guarded, serve},
    mcp::http::routes,
};
use tokio::net::TcpListener;

use fixtures::{Fixtures, Shared};

/// The suite opens one after the other.
const CONNECTIONS: usize = 64;

/// Serves the fixtures of the MCP conformance suite, to anyone on this machine.
#[derive(Debug, Parser)]
struct Args {
    /// Where to listen; port 0 picks a free one
    #[arg(long, default_value = "127.0.0.1:0", value_name = "HOST:PORT")]
    listen: SocketAddr,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind(Args::parse().listen).await?;
    writeln!(io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    let hosts = ["localhost", "127.0.0.1", "::1"].map(String::from).to_vec();
    let access = Access { token: None, proofs: None, hosts, pages: None, environment: "conformance" };
    let stop = Stop::default();
    let shared = Shared::new();
    let routes = guarded(routes(move || Fixtures::new(&shared), &stop), Router::new(), access);
    let signal = async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::warn!(%error, "cannot hear ctrl-c: the server ends at once");
        }
    };
    serve(listener, CONNECTIONS, routes, stop, signal).await
}
