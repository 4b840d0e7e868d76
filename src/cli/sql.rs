//! `mindcache sql`: a question to an instance in SQL, for people who want to know something that no command tells.

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::{
    config::Settings,
    kernel::clock::Stopwatch,
    model::error::{OpError, Reason},
    store::sqlite::object,
};

use super::{
    Session,
    output::{Failure, Output},
};

/// A read that lasts keeps the store from tidying up, so it may not last.
const PATIENCE: Duration = Duration::from_secs(30);

/// `sql`.
#[derive(Debug, Args)]
pub(super) struct SqlArgs {
    /// One statement, such as "SELECT key, version FROM keys WHERE type = 'json'"
    query: String,
}

/// Prints the rows, tabs between the columns, the names of the columns first; with --json an object a line.
pub(super) fn run(args: &SqlArgs, settings: &Settings, session: &Session, output: &Output) -> Result<(), Failure> {
    let id = session.kernel.resolve(&session.instance)?;
    let since = Stopwatch::start();
    let is_late = move || since.elapsed_ms() > PATIENCE.as_millis();
    let mut is_first = true;
    let mut closed = None;
    let asked = settings.store()?.query(&id, &args.query, is_late, &mut |names, values| {
        let printed = if output.is_json() {
            output.structured(&Value::Object(object(names, values)))
        } else {
            let head = if std::mem::take(&mut is_first) { output.line(&names.join("\t")) } else { Ok(()) };
            head.and_then(|()| output.line(&values.iter().map(cell).collect::<Vec<_>>().join("\t")))
        };
        printed.map_err(|failure| {
            closed = Some(failure);
            // Only to end the question: what went wrong is told below.
            OpError::Unavailable { reason: Reason::Stopped, what: String::new(), remedy: String::new() }
        })
    });
    match closed {
        Some(failure) => Err(failure),
        None => Ok(asked?),
    }
}

/// A value on one line: text with its line breaks and tabs spelt out.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) if !text.contains(['\n', '\t', '\r']) => text.clone(),
        other => other.to_string(),
    }
}
