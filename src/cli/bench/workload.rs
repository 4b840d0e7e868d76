//! The keys a bench works on and the calls it makes: `k000000` …, values of 200 bytes.

use std::path::Path;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;

use anyhow::{Context as _, anyhow};
use serde_json::json;

use crate::ops::{
    keys::{read::Read, write::Write},
    operation::Operation as _,
};

use super::client::{Call, Requests, Server};
use super::scratch::Scratch;

/// Writes in flight while a store is filled.
const IN_FLIGHT: usize = 512;
/// Requests are sent together up to this many bytes: filling is not what is measured.
const TOGETHER: usize = 32 * 1024;
/// Every so many keys, one carries the tag.
pub(super) const TAG_EVERY: u64 = 100;
pub(super) const TAG: &str = "t";

/// The name of a key.
pub(super) fn key(number: u64) -> String {
    format!("k{number:06}")
}

/// Two hundred bytes, different for each `turn`, so that no write is a repetition.
pub(super) fn value(turn: u64) -> String {
    format!("{turn:0200}")
}

/// A key of `keys`, scattered over all of them and the same in each run: 7,919 is a prime that
/// divides no number of keys used here.
pub(super) fn scattered(turn: u64, keys: u64) -> u64 {
    turn.wrapping_mul(7_919).checked_rem(keys).unwrap_or_default()
}

/// A write of an existing key.
pub(super) fn write(turn: u64, keys: u64) -> Call {
    let arguments = json!({"key": key(scattered(turn, keys)), "value": value(turn)});
    Call { name: Write::NAME.into(), arguments }
}

/// A read of an existing key.
pub(super) fn read(turn: u64, keys: u64) -> Call {
    Call { name: Read::NAME.into(), arguments: json!({"key": key(scattered(turn, keys))}) }
}

/// The same write by the key's own tool.
pub(super) fn write_own(turn: u64, keys: u64) -> Call {
    let name = format!("write_{}", key(scattered(turn, keys)));
    Call { name: name.into(), arguments: json!({"value": value(turn)}) }
}

/// The same read by the key's own tool.
pub(super) fn read_own(turn: u64, keys: u64) -> Call {
    Call { name: format!("read_{}", key(scattered(turn, keys))).into(), arguments: json!({}) }
}

/// The address of a key, for those who subscribe to it.
pub(super) fn uri(number: u64) -> String {
    format!("mindcache://default/{}", key(number))
}

/// A fresh data folder under `parent` with so many keys, written by a server that has ended since.
pub(super) fn filled(parent: &Path, keys: u64) -> anyhow::Result<Scratch> {
    filled_with(parent, keys, value)
}

/// The same with other values.
pub(super) fn filled_with(parent: &Path, keys: u64, value: fn(u64) -> String) -> anyhow::Result<Scratch> {
    let scratch = Scratch::new(parent)?;
    let mut server = Server::mindcache(&scratch, &[])?;
    server.initialize()?;
    fill(&mut server, keys, value).with_context(|| format!("cannot store {keys} keys"))?;
    server.close()?;
    Ok(scratch)
}

/// Writes `keys` keys with the values of their numbers, many in flight. Requests go out on a thread of their own: with that many,
/// both pipes can be full at once, and someone must be reading then.
pub(super) fn fill(server: &mut Server, keys: u64, value: fn(u64) -> String) -> anyhow::Result<()> {
    let (grant, granted) = sync_channel::<()>(IN_FLIGHT);
    for _ in 0..IN_FLIGHT {
        grant.send(()).context("the writing thread has no channel")?;
    }
    let granted_at_once = u64::try_from(IN_FLIGHT)?;
    let (requests, replies) = server.ends()?;
    thread::scope(|scope| {
        let writer = scope.spawn(move || send_all(requests, keys, value, &granted));
        let mut answered = Ok(());
        for number in 0..keys {
            answered = replies.next().map(drop);
            if answered.is_err() {
                // The writer may be stuck in a full pipe that nobody reads any more.
                replies.give_up();
                break;
            }
            if number + granted_at_once < keys && grant.send(()).is_err() {
                break;
            }
        }
        drop(grant);
        let written = writer.join().map_err(|_| anyhow!("the writing thread died"))?;
        answered.and(written)
    })
}

fn send_all(
    requests: &mut Requests,
    keys: u64,
    value: fn(u64) -> String,
    granted: &Receiver<()>,
) -> anyhow::Result<()> {
    for number in 0..keys {
        match granted.try_recv() {
            Ok(()) => {}
            Err(TryRecvError::Disconnected) => return Ok(()),
            Err(TryRecvError::Empty) => {
                requests.flush()?;
                if granted.recv().is_err() {
                    return Ok(());
                }
            }
        }
        let mut arguments = json!({"key": key(number), "value": value(number)});
        if number.is_multiple_of(TAG_EVERY)
            && let Some(arguments) = arguments.as_object_mut()
        {
            arguments.insert("tags".to_owned(), json!([TAG]));
        }
        requests.put("tools/call", &Call { name: Write::NAME.into(), arguments })?;
        if requests.waiting() >= TOGETHER {
            requests.flush()?;
        }
    }
    requests.flush()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn scattered_keys_are_all_keys() {
        let reached: BTreeSet<u64> = (0..1_000).map(|turn| scattered(turn, 1_000)).collect();
        assert_eq!(reached.len(), 1_000);
        assert_eq!(reached.last(), Some(&999));
        assert_eq!(scattered(5, 0), 0);
    }

    #[test]
    fn values_have_two_hundred_bytes_and_differ() {
        assert_eq!(value(0).len(), 200);
        assert_eq!(value(99_999).len(), 200);
        assert_ne!(value(1), value(2));
        assert_eq!(key(42), "k000042");
    }
}
