//! `mindcache sql`: a question to an instance in SQL, for people who want to know something that no command tells.

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::{config::Settings, kernel::clock::Stopwatch, model::error::OpError, store::sqlite::object};

use super::{
    Session,
    output::{Failure, Output},
    words::harmless,
};

/// A read that lasts keeps the store from tidying up, so it may not last.
const PATIENCE: Duration = Duration::from_secs(30);

/// Most bytes of an answer.
const MOST_BYTES: u64 = 256 * 1024 * 1024;

/// `sql`.
#[derive(Debug, Args)]
pub(super) struct SqlArgs {
    /// One statement, such as "SELECT key, version FROM keys WHERE type = 'json'"
    query: String,
}

/// Prints the rows, tabs between the columns, the names of the columns first; with --json an object a line.
pub(super) fn run(args: &SqlArgs, settings: &Settings, session: &Session, output: &Output) -> Result<(), Failure> {
    let id = session.kernel.resolve(&session.caller, &session.instance)?;
    let since = Stopwatch::start();
    let is_late = move || since.elapsed_ms() > PATIENCE.as_millis();
    // Read first and printed then: a pager that waits must not hold the read open.
    let mut lines: Vec<String> = Vec::new();
    let mut bytes = 0;
    settings.store()?.query(&id, &args.query, is_late, &mut |names, values| {
        let line = if output.is_json() {
            Value::Object(object(names, values)).to_string()
        } else {
            if lines.is_empty() {
                lines.push(names.join("\t"));
            }
            values.iter().map(cell).collect::<Vec<_>>().join("\t")
        };
        bytes += line.len() as u64;
        lines.push(line);
        if bytes <= MOST_BYTES {
            return Ok(());
        }
        Err(OpError::TooLarge {
            what: "the answer".into(),
            got_bytes: bytes,
            limit_bytes: MOST_BYTES,
            remedy: "Ask for less, with a LIMIT or fewer columns".into(),
        })
    })?;
    let is_for_a_person = output.is_for_a_person();
    // What is stored must not steer a terminal; programs get it as it is.
    let shown = |line: &str| line.split('\t').map(harmless).collect::<Vec<_>>().join("\t");
    lines.iter().try_for_each(|line| if is_for_a_person { output.line(&shown(line)) } else { output.line(line) })
}

/// A value on one line: text with its line breaks and tabs spelt out.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) if !text.contains(['\n', '\t', '\r']) => text.clone(),
        other => other.to_string(),
    }
}
