//! Commands on what was: `history`, `restore`, `undo`.

use clap::Args;
use serde_json::{Value, json};

use crate::ops::{
    keys::history::{History, Restore},
    operation::Operation as _,
    undo::Undo,
};

use super::{
    Session,
    output::{Failure, Output},
};

/// `history`.
#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    /// Key name
    key: String,
    /// How many versions
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: u64,
}

/// `restore`.
#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// Key name
    key: String,
    /// The version, as `history` shows it
    version: u64,
}

/// A line a version, newest first.
pub(super) async fn history(args: HistoryArgs, session: &Session, output: &Output) -> Result<(), Failure> {
    let reply = session.execute(History::NAME, json!({"key": args.key, "limit": args.limit})).await?;
    if output.is_json() {
        return output.structured(&reply.result);
    }
    for version in reply.result.get("versions").and_then(Value::as_array).into_iter().flatten() {
        output.line(&line(version))?;
    }
    Ok(())
}

fn line(version: &Value) -> String {
    let text = |name: &str| version.get(name).and_then(Value::as_str).unwrap_or_default();
    let number = version.get("version").and_then(Value::as_u64).unwrap_or_default();
    let client = version.pointer("/actor/client").and_then(Value::as_str).unwrap_or_default();
    // On one line, whatever the value holds.
    let value = version.get("value").map(Value::to_string).unwrap_or_default();
    format!("{number}\t{}\t{}\t{client}\t{}\t{value}", text("at"), text("change"), text("operation"))
        .trim_end()
        .to_owned()
}

/// Makes a key again what it was.
pub(super) async fn restore(args: RestoreArgs, session: &Session, output: &Output) -> Result<(), Failure> {
    let reply = session.execute(Restore::NAME, json!({"key": args.key, "version": args.version})).await?;
    output.reply(&reply)
}

/// Takes back the last change made on the command line.
pub(super) async fn undo(session: &Session, output: &Output) -> Result<(), Failure> {
    let reply = session.execute(Undo::NAME, json!({})).await?;
    output.reply(&reply)
}
