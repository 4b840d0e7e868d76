//! `search`: keys by the words in them.

use clap::Args;
use serde_json::{Map, Value};

use crate::ops::{keys::search::SearchKeys, procedure::Arguments as _};

use super::{
    Session,
    output::{Failure, Output},
};

/// `search`.
#[derive(Debug, Args)]
pub(super) struct SearchArgs {
    /// Words or a question; word* and the last word match beginnings too
    #[arg(required = true)]
    query: Vec<String>,
    /// Keys with this content tag
    #[arg(long)]
    tag: Option<String>,
    /// Keys of this type
    #[arg(long = "type", value_name = "TYPE")]
    key_type: Option<String>,
    /// How many keys
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: u64,
}

/// A name and a piece of its value a line, best first.
pub(super) async fn search(args: SearchArgs, session: &Session, output: &Output) -> Result<(), Failure> {
    let mut call =
        Map::from_iter([("query".to_owned(), args.query.join(" ").into()), ("limit".to_owned(), args.limit.into())]);
    call.extend(args.tag.map(|tag| ("tag".to_owned(), tag.into())));
    call.extend(args.key_type.map(|key_type| ("type".to_owned(), key_type.into())));
    let reply = session.execute(SearchKeys::NAME, Value::Object(call)).await?;
    if output.is_json() {
        return output.structured(&reply.result);
    }
    for found in reply.result.get("matches").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| found.get(name).and_then(Value::as_str).unwrap_or_default();
        output.line(format!("{}\t{}", text("key"), text("snippet")).trim_end())?;
    }
    let seq = |name: &str| reply.result.get(name).and_then(Value::as_u64).unwrap_or_default();
    if seq("as_of_seq") < seq("head_seq") {
        tracing::warn!("the last {} changes are not searched yet: ask again", seq("head_seq") - seq("as_of_seq"));
    }
    Ok(())
}
