//! What is different: between two versions of a key, two texts, two instances.

use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value, json};
use similar::TextDiff;

use crate::{
    kernel::values::OpenValue,
    model::{error::OpError, key::Key},
    ops::{instances::diff::Diff, keys::history::History, operation::Operation as _, procedure::Arguments as _},
};

use super::{
    Session, complete,
    output::{ASIDE, CAME, CHANGED, Failure, NAMED, Output, WENT, painted},
    words::{harmless, size},
};

/// Texts over this size are told by their sizes alone.
const MOST_BYTES: u64 = 1024 * 1024;
/// After so long a comparison makes do with what it has: correct, but not the shortest.
const PATIENCE: Duration = Duration::from_millis(500);

/// `diff`.
#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// Key name
    #[arg(add = complete::keys())]
    key: String,
    /// The older version, as `history` shows it [default: the one before the last]
    #[arg(value_name = "V1")]
    from: Option<u64>,
    /// The newer version [default: the last]
    #[arg(value_name = "V2")]
    to: Option<u64>,
}

/// A key at a version; without a value where it was not there.
struct State {
    version: u64,
    value: Option<OpenValue>,
}

/// Shows what changed between two versions of a key.
pub(super) async fn diff(args: DiffArgs, session: &Session, output: &Output) -> Result<(), Failure> {
    let newest = session.execute(History::NAME, json!({"key": args.key, "limit": 2})).await?.result;
    let nth = |nth: usize| newest.pointer(&format!("/versions/{nth}/version")).and_then(Value::as_u64);
    let to = args.to.or_else(|| nth(0)).unwrap_or_default();
    let from = args.from.or_else(|| nth(1)).unwrap_or_default();
    let (mut from, mut to) = (state(session, &args.key, from)?, state(session, &args.key, to)?);
    let attributes = attributes(from.value.as_ref(), to.value.as_ref());
    let text = compared(&mut from, &mut to)?;
    if output.is_json() {
        return output.structured(&json!({
            "key": args.key, "from": from.version, "to": to.version, "diff": text, "attributes": attributes,
        }));
    }
    for (name, was) in &attributes {
        let side = |side: &str| was.get(side).filter(|value| !value.is_null()).map(Value::to_string);
        let (from, to) = (side("from"), side("to"));
        let none = || "none".to_owned();
        output.line(&format!("{name}: {} -> {}", from.unwrap_or_else(none), to.unwrap_or_else(none)))?;
    }
    if text.is_empty() && attributes.is_empty() {
        return output
            .line(&format!("Versions {} and {} of key \"{}\" are the same.", from.version, to.version, args.key));
    }
    show(&text, output)
}

/// What a key was at a version; version 0 is before it was there.
fn state(session: &Session, key: &str, version: u64) -> Result<State, OpError> {
    let value = match version {
        0 => None,
        _ => session.kernel.open_version(&session.caller, &session.instance, key, version)?,
    };
    Ok(State { version, value })
}

/// The attributes that are not alike, each with what it was and is.
fn attributes(from: Option<&OpenValue>, to: Option<&OpenValue>) -> Map<String, Value> {
    let (Some(from), Some(to)) = (from, to) else { return Map::new() };
    let fields = |key: &Key| match serde_json::to_value(key.without_value()) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let (from, to) = (fields(&from.key), fields(&to.key));
    let names = from.keys().chain(to.keys().filter(|name| !from.contains_key(*name)));
    let differs = names.filter(|name| from.get(*name) != to.get(*name));
    differs.map(|name| (name.clone(), json!({"from": from.get(name), "to": to.get(name)}))).collect()
}

/// A unified diff of two states, empty when their values are equal.
fn compared(from: &mut State, to: &mut State) -> Result<String, Failure> {
    let is_text = |state: &State| {
        state.value.as_ref().is_none_or(|value| !value.key.key_type.is_binary() && value.bytes <= MOST_BYTES)
    };
    if !is_text(from) || !is_text(to) {
        let is_same = match (&from.value, &to.value) {
            (Some(from), Some(to)) => from.key.value == to.key.value,
            _ => false,
        };
        return Ok(if is_same { String::new() } else { format!("-{}\n+{}\n", of_size(from), of_size(to)) });
    }
    let title = |state: &State| {
        let gone = if state.value.is_none() { " (not there)" } else { "" };
        format!("version {}{gone}", state.version)
    };
    let (from_title, to_title) = (title(from), title(to));
    Ok(unified(&whole(from)?, &whole(to)?, &from_title, &to_title))
}

fn of_size(state: &State) -> String {
    state
        .value
        .as_ref()
        .map_or_else(|| "(not there)".into(), |value| format!("{}, {}", value.content_type, size(value.bytes)))
}

fn whole(state: &mut State) -> Result<String, Failure> {
    let Some(value) = &mut state.value else { return Ok(String::new()) };
    value.text().map_err(Failure::from)
}

/// A unified diff of two texts; empty when they are equal.
pub(super) fn unified(from: &str, to: &str, from_title: &str, to_title: &str) -> String {
    let diff = TextDiff::configure().timeout(PATIENCE).diff_lines(from, to);
    diff.unified_diff().context_radius(3).header(from_title, to_title).to_string()
}

/// Prints a unified diff, in colours where they are wanted.
pub(super) fn show(unified: &str, output: &Output) -> Result<(), Failure> {
    if !output.is_for_a_person() {
        return output.raw(unified.as_bytes());
    }
    harmless(unified).lines().try_for_each(|line| output.line(&output.paint(style(line), line)))
}

/// The same in colours, as text.
pub(super) fn coloured(unified: &str) -> String {
    harmless(unified).lines().map(|line| painted(style(line), line) + "\n").collect()
}

fn style(line: &str) -> anstyle::Style {
    match line.chars().next() {
        _ if line.starts_with("--- ") || line.starts_with("+++ ") => NAMED,
        Some('+') => CAME,
        Some('-') => WENT,
        Some('@') => ASIDE,
        _ => anstyle::Style::new(),
    }
}

/// A name a line, with what happened to it on the way from one instance to the other; with the values if wanted.
pub(super) async fn instances(
    (from, to): (String, String),
    with_values: bool,
    session: &Session,
    output: &Output,
) -> Result<(), Failure> {
    let reply = session.execute(Diff::NAME, json!({"from": from, "to": to})).await?;
    if output.is_json() {
        return output.reply(&reply);
    }
    let sides = [session.named(&from)?, session.named(&to)?];
    for (list, sign, style) in [("added", '+', CAME), ("removed", '-', WENT), ("changed", '~', CHANGED)] {
        for name in reply.result.get(list).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            output.line(&output.paint(style, &format!("{sign} {name}")))?;
            if with_values {
                values(name, &sides, output)?;
            }
        }
    }
    output.line(&reply.outcome)
}

/// What one key is in both, as a diff.
fn values(name: &str, [from, to]: &[Session; 2], output: &Output) -> Result<(), Failure> {
    let open = |side: &Session| match side.kernel.open_value(&side.caller, &side.instance, name) {
        Ok(value) => Ok(State { version: value.version, value: Some(value) }),
        Err(OpError::NotFound { .. }) => Ok(State { version: 0, value: None }),
        Err(error) => Err(error),
    };
    let (mut from, mut to) = (open(from)?, open(to)?);
    for (attribute, was) in attributes(from.value.as_ref(), to.value.as_ref()) {
        output.line(&format!("{attribute}: {was}"))?;
    }
    show(&compared(&mut from, &mut to)?, output)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_diff_is_unified_with_three_lines_around() {
        let from = "a\nb\nc\nd\ne\nf\n";
        expect![[r"
            --- version 1
            +++ version 2
            @@ -2,5 +2,5 @@
             b
             c
             d
            -e
            +E
             f
        "]]
        .assert_eq(&unified(from, &from.replace('e', "E"), "version 1", "version 2"));
        assert_eq!(unified(from, from, "a", "b"), "");
    }

    #[test]
    fn a_value_does_not_steer_the_terminal() {
        let shown = coloured(&unified("", "\u{1b}]0;title\u{7}\n", "a", "b"));
        assert!(shown.contains("␛]0;title␇") && !shown.contains("\u{1b}]"), "{shown:?}");
    }
}
