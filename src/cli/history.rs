//! Commands on what was: `history`, `restore`, `undo`.

use clap::Args;
use serde_json::{Value, json};

use crate::{
    model::{limits, time},
    ops::{
        keys::history::{History, Restore},
        operation::Operation as _,
        undo::Undo,
    },
};

use super::{
    Session, complete,
    output::{ASIDE, CAME, CHANGED, Failure, NAMED, Output, WENT},
    words::{ago, preview, who},
};

/// `history`.
#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    /// Key name
    #[arg(add = complete::keys())]
    key: String,
    /// How many versions
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: u64,
}

/// `restore`.
#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// Key name
    #[arg(add = complete::keys())]
    key: String,
    /// The version, as `history` shows it
    version: u64,
}

/// A version after the other, newest first: two lines for a person, one for a program.
pub(super) async fn history(args: HistoryArgs, session: &Session, output: &Output) -> Result<(), Failure> {
    let reply = session.execute(History::NAME, json!({"key": args.key, "limit": args.limit})).await?;
    if output.is_json() {
        return output.structured(&reply.result);
    }
    let now_ms = session.kernel.now_ms();
    for version in reply.result.get("versions").and_then(Value::as_array).into_iter().flatten() {
        if output.is_for_a_person() {
            told(version, now_ms, output)?;
        } else {
            output.line(&line(version))?;
        }
    }
    if output.is_for_a_person() && reply.result.get("next_cursor").is_some_and(Value::is_string) {
        let more = format!(
            "there are older ones: mindcache history {:?} --limit {}",
            args.key,
            (args.limit * 5).min(u64::from(limits::PAGE))
        );
        output.line(&output.paint(ASIDE, &more))?;
    }
    Ok(())
}

/// What happened in words, and below it what the value began with.
fn told(version: &Value, now_ms: i64, output: &Output) -> Result<(), Failure> {
    let text = |name: &str| version.get(name).and_then(Value::as_str).unwrap_or_default();
    let number = version.get("version").and_then(Value::as_u64).unwrap_or_default();
    let when = time::from_rfc3339(text("at")).map_or_else(|| text("at").to_owned(), |at| ago(now_ms, at));
    let style = match text("change") {
        "created" => CAME,
        "updated" => CHANGED,
        _ => WENT,
    };
    output.line(&format!(
        "{}  {} {when} by {} {}",
        output.paint(NAMED, &number.to_string()),
        output.paint(style, text("change")),
        who(version.get("actor")),
        output.paint(ASIDE, &format!("({})", text("operation"))),
    ))?;
    let value = match version.get("value").and_then(Value::as_str) {
        Some(value) => preview(value),
        None if matches!(text("change"), "created" | "updated") => {
            output.paint(ASIDE, "not shown: over 1 KiB, or not kept")
        }
        None => return Ok(()),
    };
    output.line(format!("    {value}").trim_end())
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
