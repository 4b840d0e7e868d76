//! `watch`: the changes of an instance as they happen, whichever process makes them.
//!
//! It reads the log, so a burst, a pause or another start with `--since` loses nothing; what the log itself no longer
//! holds is said.

use clap::Args;
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Map, Value, json};

use crate::{
    model::{error::OpError, key::Key, kind::Kind as _, time},
    ops::{keys::wait::WaitForChange, log::LogRead, operation::Operation as _},
};

use super::{
    Session, complete,
    mcp::stop_signal,
    output::{ASIDE, CAME, CHANGED, Failure, NAMED, Output, WENT},
    words::{PREVIEW_CHARACTERS, preview, size, who},
};

/// How long one wait lasts; the next begins where it ended.
const WAIT_MS: u64 = 45_000;
/// Rows of the log that are read at once.
const PAGE: u64 = 500;

/// `watch`.
#[derive(Debug, Args)]
pub(super) struct WatchArgs {
    /// Only this key
    #[arg(long, value_name = "KEY", conflicts_with = "prefix", add = complete::keys())]
    key: Option<String>,
    /// Only keys whose names begin so
    #[arg(long, value_name = "TEXT", add = complete::keys())]
    prefix: Option<String>,
    /// Begin after this seq, 0 for all that is kept [default: now]
    #[arg(long, value_name = "SEQ")]
    since: Option<u64>,
    /// End after so many changes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

/// Where it is in the log.
struct Watch<'a> {
    args: &'a WatchArgs,
    session: &'a Session,
    output: &'a Output,
    seen: u64,
    left: Option<u64>,
}

/// A line a change, until Ctrl-C or as many as were asked for.
pub(super) async fn watch(args: WatchArgs, session: &Session, output: &Output) -> Result<(), Failure> {
    let stop = stop_signal()?;
    let now = match args.since {
        Some(seq) => seq,
        None => session.execute(WaitForChange::NAME, json!({"wait_ms": 0})).await.map(|reply| seq_of(&reply.result))?,
    };
    let mut watch = Watch { args: &args, session, output, seen: now, left: args.count };
    if output.is_for_a_person() {
        output.line(&output.paint(ASIDE, &format!("watching from seq {now} on; Ctrl-C ends it")))?;
    }
    let ended = tokio::select! {
        ended = watch.run() => ended,
        () = stop => Ok(()),
    };
    if output.is_for_a_person() && ended.is_ok() {
        let again = format!("to go on from here: mindcache watch --since {}", watch.seen);
        output.line(&output.paint(ASIDE, &again))?;
    }
    ended
}

fn seq_of(result: &Value) -> u64 {
    result.get("as_of_seq").and_then(Value::as_u64).unwrap_or_default()
}

impl Watch<'_> {
    async fn run(&mut self) -> Result<(), Failure> {
        loop {
            if self.catch_up().await? {
                return Ok(());
            }
            // The same keys as are shown, so that a busy instance does not wake who looks at one key.
            let mut wait = json!({"after_version": self.seen, "wait_ms": WAIT_MS});
            if let Some(wait) = wait.as_object_mut() {
                put_filter(wait, self.args);
            }
            let waited = self.session.execute(WaitForChange::NAME, wait).await?.result;
            if waited.get("timed_out").and_then(Value::as_bool) == Some(true) {
                self.seen = self.seen.max(seq_of(&waited));
            }
        }
    }

    /// Shows what is in the log; answers whether that was all that was wanted.
    async fn catch_up(&mut self) -> Result<bool, Failure> {
        loop {
            let page = match self.session.execute(LogRead::NAME, json!({"since": self.seen, "limit": PAGE})).await {
                Ok(reply) => reply.result,
                Err(OpError::LogTruncated { floor }) => {
                    self.tell_of_trimmed(floor)?;
                    self.seen = floor.saturating_sub(1);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let changes = page.get("changes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            for change in changes {
                if !self.is_wanted(change) {
                    continue;
                }
                self.show(change)?;
                self.seen = number(change, "seq");
                if let Some(left) = &mut self.left {
                    *left -= 1;
                    if *left == 0 {
                        return Ok(true);
                    }
                }
            }
            self.seen = self.seen.max(seq_of(&page));
            if changes.is_empty() {
                return Ok(false);
            }
        }
    }

    fn is_wanted(&self, change: &Value) -> bool {
        let key = text(change, "id");
        text(change, "kind") == Key::KIND
            && self.args.key.as_ref().is_none_or(|wanted| wanted == key)
            && self.args.prefix.as_ref().is_none_or(|prefix| key.starts_with(prefix.as_str()))
    }

    fn tell_of_trimmed(&self, floor: u64) -> Result<(), Failure> {
        let (from, until) = (self.seen + 1, floor.saturating_sub(1));
        if self.output.is_json() {
            return self.output.structured(&json!({"trimmed": {"from": from, "until": until}}));
        }
        let what = format!("{from} to {until} were trimmed from the log; going on with {floor}");
        self.output.line(&self.output.paint(WENT, &what))
    }

    fn show(&self, change: &Value) -> Result<(), Failure> {
        if self.output.is_json() {
            return self.output.structured(change);
        }
        let value = self.preview(change);
        let (seq, key) = (number(change, "seq"), text(change, "id"));
        let (at, what) = (text(change, "at"), text(change, "change"));
        let actor = change.get("actor");
        if !self.output.is_for_a_person() {
            let client = actor.and_then(|actor| actor.get("client")).and_then(Value::as_str).unwrap_or_default();
            let line = format!("{seq}\t{at}\t{what}\t{client}\t{}\t{key}\t{value}", text(change, "operation"));
            return self.output.line(line.trim_end());
        }
        let style = match what {
            "created" => CAME,
            "updated" => CHANGED,
            _ => WENT,
        };
        let paint = |style, text: &str| self.output.paint(style, text);
        let line = format!(
            "{}  {}  {}  {}  {value}",
            paint(ASIDE, &clock(at)),
            who(actor),
            paint(style, &format!("{what:7}")),
            paint(NAMED, key),
        );
        self.output.line(line.trim_end())
    }

    /// The beginning of the value that the key got; nothing where there is none, or none any more.
    fn preview(&self, change: &Value) -> String {
        let (kernel, caller, instance) = (&self.session.kernel, &self.session.caller, &self.session.instance);
        let opened = kernel.open_version(caller, instance, text(change, "id"), number(change, "seq"));
        let Ok(Some(mut value)) = opened else { return String::new() };
        if value.key.key_type.is_binary() {
            return format!("({}, {})", value.content_type, size(value.bytes));
        }
        let mut piece = vec![0; 8 * PREVIEW_CHARACTERS];
        let read = value.reader.read(&mut piece).unwrap_or_default();
        let piece = String::from_utf8_lossy(piece.get(..read).unwrap_or_default()).into_owned();
        // A piece may end in the middle of a character.
        preview(piece.trim_end_matches('\u{fffd}'))
    }
}

fn put_filter(call: &mut Map<String, Value>, args: &WatchArgs) {
    call.extend(args.key.as_deref().map(|key| ("key".to_owned(), key.into())));
    call.extend(args.prefix.as_deref().map(|prefix| ("prefix".to_owned(), prefix.into())));
}

fn text<'v>(change: &'v Value, name: &str) -> &'v str {
    change.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn number(change: &Value, name: &str) -> u64 {
    change.get(name).and_then(Value::as_u64).unwrap_or_default()
}

/// The time of the day, on this machine's clock.
fn clock(at: &str) -> String {
    let time = time::from_rfc3339(at).and_then(|at| Timestamp::from_millisecond(at).ok());
    time.map_or_else(|| at.to_owned(), |time| time.to_zoned(TimeZone::system()).strftime("%H:%M:%S").to_string())
}
