//! A client that has subscribed to keys, and one that writes them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::cli::bench::Plan;
use crate::cli::bench::client::{Call, Connection, Follower, Heard, HttpServer, Said, Server};
use crate::cli::bench::scratch::Scratch;
use crate::cli::bench::workload::{filled, uri};

/// A notification that takes longer is lost.
const LOST: Duration = Duration::from_secs(10);

/// Follower and writer on a store of their own.
pub(super) struct Stand {
    writer: Writer,
    follower: Follower,
    /// What was heard while a reply was waited for.
    told: VecDeque<(Instant, String)>,
    pub(super) keys: u64,
    _server: Option<HttpServer>,
    _store: Scratch,
}

enum Writer {
    /// The follower itself, over its own pipes.
    Itself,
    /// Another process on the same store.
    Process(Server),
    /// Another connection to the same process.
    Connection(Connection),
}

impl Stand {
    /// A session of the older protocol over pipes, subscribed to each of so many keys.
    pub(super) fn over_pipes(plan: &Plan, keys: u64, is_own: bool) -> anyhow::Result<Self> {
        let store = filled(&plan.dir, keys)?;
        let follower = subscribed(&store, keys)?.followed();
        let writer = if is_own { Writer::Itself } else { other_process(&store)? };
        Ok(Self { writer, follower, told: VecDeque::new(), keys, _server: None, _store: store })
    }

    /// A listener of the newer protocol over HTTP, for each of so many keys.
    pub(super) fn over_http(plan: &Plan, keys: u64, is_own: bool) -> anyhow::Result<Self> {
        let store = filled(&plan.dir, keys)?;
        let server = HttpServer::mindcache(&store)?;
        let uris: Vec<String> = (0..keys).map(uri).collect();
        let follower = server.connect()?.followed(&uris)?;
        let writer = if is_own { Writer::Connection(server.connect()?) } else { other_process(&store)? };
        Ok(Self { writer, follower, told: VecDeque::new(), keys, _server: Some(server), _store: store })
    }

    /// Writes and returns when the reply was here.
    pub(super) fn write(&mut self, call: &Call) -> anyhow::Result<Instant> {
        match &mut self.writer {
            Writer::Process(server) => return Ok(server.call(call)?.arrived),
            Writer::Connection(connection) => return Ok(connection.call(call)?.arrived),
            Writer::Itself => {}
        }
        let id = self.follower.send(call)?;
        loop {
            let Heard { said, at } = self.follower.next_within(LOST)?.context("a write was not answered")?;
            match said {
                Said::Reply(of) if of == id => return Ok(at),
                Said::Reply(of) => bail!("asked {id}, the server answered {of}"),
                Said::Updated(uri) => self.told.push_back((at, uri)),
                Said::Aside => {}
            }
        }
    }

    /// When the notification of this resource came; others before it are passed over.
    pub(super) fn told_of(&mut self, uri: &str) -> anyhow::Result<Instant> {
        loop {
            match self.next_told(LOST)? {
                Some((at, told)) if told == uri => return Ok(at),
                Some(_) => {}
                None => bail!("no notification of {uri} within {} s", LOST.as_secs()),
            }
        }
    }

    /// The next notification of a resource, `None` when nothing is heard for so long.
    pub(super) fn next_told(&mut self, wait: Duration) -> anyhow::Result<Option<(Instant, String)>> {
        if let Some(told) = self.told.pop_front() {
            return Ok(Some(told));
        }
        while let Some(Heard { said, at }) = self.follower.next_within(wait)? {
            if let Said::Updated(uri) = said {
                return Ok(Some((at, uri)));
            }
        }
        Ok(None)
    }
}

/// A server whose client has subscribed to the first so many keys.
pub(super) fn subscribed(store: &Scratch, keys: u64) -> anyhow::Result<Server> {
    let mut server = Server::mindcache(store, &[])?;
    server.initialize()?;
    for number in 0..keys {
        server.subscribe(&uri(number))?;
    }
    Ok(server)
}

fn other_process(store: &Scratch) -> anyhow::Result<Writer> {
    let mut server = Server::mindcache(store, &[])?;
    // It is told of nothing: its client only writes.
    server.initialize_unconfirmed()?;
    Ok(Writer::Process(server))
}
