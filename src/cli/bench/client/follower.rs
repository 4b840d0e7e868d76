//! Hears a server on a thread of its own, so that each message is stamped when it arrives and not
//! when somebody has time for it.

use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::Call;
use super::message::Heard;
use super::pipes::Requests;
use super::watchdog::Watchdog;

/// Messages that may wait to be looked at.
const WAITING: usize = 4096;

/// What a server says, message by message; a server on pipes is killed when this is dropped.
pub(in super::super) struct Follower {
    told: Receiver<anyhow::Result<Heard>>,
    /// The way back, where there is one.
    server: Option<(Requests, Watchdog)>,
}

impl Follower {
    /// Hears what `next` hears until it fails, which it does at the end of its server.
    pub(super) fn hearing(
        mut next: impl FnMut() -> anyhow::Result<Heard> + Send + 'static,
        server: Option<(Requests, Watchdog)>,
    ) -> Self {
        let (tell, told) = sync_channel(WAITING);
        thread::spawn(move || {
            loop {
                let heard = next();
                let is_last = heard.is_err();
                if tell.send(heard).is_err() || is_last {
                    return;
                }
            }
        });
        Self { told, server }
    }

    /// Sends a call to the server that is heard and returns its id; the reply is a message like others.
    pub(in super::super) fn send(&mut self, call: &Call) -> anyhow::Result<u64> {
        let (requests, _) = self.server.as_mut().context("this follower cannot ask for anything")?;
        let id = requests.put("tools/call", call)?;
        requests.flush()?;
        Ok(id)
    }

    /// The next message, `None` when there is none for so long.
    pub(in super::super) fn next_within(&self, wait: Duration) -> anyhow::Result<Option<Heard>> {
        match self.told.recv_timeout(wait) {
            Ok(heard) => heard.map(Some),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => bail!("nobody listens to the server any more"),
        }
    }
}
