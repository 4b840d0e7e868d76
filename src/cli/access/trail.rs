//! `access log`: the audit trail, a change a line.

use clap::Subcommand;
use serde_json::{Value, json};

use super::super::{
    Session,
    output::{Failure, Output},
};
use crate::ops::{access::trail::Trail, operation::Operation as _};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum TrailCommand {
    /// Who changed what in people, keys, groups, shares, projects and instances, from where, newest first
    Log {
        /// How many [default: 100]
        #[arg(long, value_name = "N")]
        limit: Option<u64>,
        /// Only changes before this one, the first number of a line
        #[arg(long, value_name = "SEQ")]
        before: Option<u64>,
    },
}

/// Prints one page, newest first.
pub(super) async fn run(command: TrailCommand, session: &Session, output: &Output) -> Result<(), Failure> {
    let TrailCommand::Log { limit, before } = command;
    let mut args = json!({});
    for (name, number) in [("limit", limit), ("before", before)] {
        if let (Some(number), Some(args)) = (number, args.as_object_mut()) {
            args.insert(name.to_owned(), number.into());
        }
    }
    let reply = session.execute(Trail::NAME, args).await?;
    if output.is_json() {
        return output.structured(&reply.result);
    }
    let changes = reply.result.get("changes").and_then(Value::as_array);
    changes.into_iter().flatten().try_for_each(|change| output.line(&line(change)))
}

/// Number, time, who, from where, by which operation, what.
fn line(change: &Value) -> String {
    let text = |name: &str| {
        let text = change.get(name).and_then(Value::as_str).unwrap_or_default();
        text.replace(char::is_control, " ")
    };
    let seq = change.get("seq").and_then(Value::as_u64).unwrap_or_default();
    let unsaid = if ["local", "system"].contains(&&*text("principal")) { "this machine" } else { "unknown" };
    let from = Some(text("from")).filter(|from| !from.is_empty()).unwrap_or_else(|| unsaid.into());
    let client = Some(text("client")).filter(|client| !client.is_empty());
    let who = client.map_or_else(|| text("by"), |client| format!("{} ({client})", text("by")));
    let (at, operation, done, what) = (text("at"), text("operation"), text("change"), text("what"));
    format!("{seq}\t{at}\t{who}\t{from}\t{operation}\t{done}: {what}")
}
