//! Blocking MCP clients of the servers that a bench starts: raw JSON-RPC over pipes or HTTP,
//! and plain HTTP.
//! No SDK on this side, so that what is measured is the server.

mod follower;
mod http;
mod message;
mod pipes;
mod plain;
mod process;
mod watchdog;
mod wire;

use std::borrow::Cow;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;

pub(super) use crate::cli::child::same_binary_alone;
pub(super) use follower::Follower;
pub(super) use http::{Connection, HttpServer};
pub(super) use message::{Heard, Said};
pub(super) use pipes::{Listed, Requests, Server};
pub(super) use plain::{Ask, Plain};

/// One `tools/call`.
#[derive(Serialize)]
pub(super) struct Call {
    pub(super) name: Cow<'static, str>,
    pub(super) arguments: Value,
}

/// One call alone: when its request was written and when its reply was here.
pub(super) struct Trip {
    pub(super) sent: Instant,
    pub(super) arrived: Instant,
}

impl Trip {
    pub(super) fn took(&self) -> Duration {
        self.arrived.duration_since(self.sent)
    }
}
