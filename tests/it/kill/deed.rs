//! What was asked of the store, what it answered, and what its log must say of both.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::harness::{
    audit::{Audit, Row},
    chance::Chance,
    mcp::ToolReply,
};

/// Few keys, so that the writers meet on them.
const KEYS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
/// Long enough for a file of its own.
const LARGE: usize = 66_000;

/// A call, and its answer if one came.
#[derive(Debug)]
pub(super) struct Deed {
    pub(super) tool: &'static str,
    pub(super) args: Value,
    /// In the value of a write or an append, and in no other.
    mark: String,
    answer: Option<Result<Value, Value>>,
}

impl Deed {
    /// A call by chance.
    pub(super) fn draw(chance: &mut Chance, mark: String) -> Self {
        let key = *chance.pick(&KEYS);
        let (tool, args) = match chance.below(40) {
            0..18 => {
                let filler = if chance.one_in(12) { LARGE } else { chance.below(300) };
                ("write_key", json!({"key": key, "value": format!("<{mark}>{}", "x".repeat(filler))}))
            }
            18..30 => ("append_key", json!({"key": key, "text": format!("<{mark}>")})),
            30..35 => ("delete_key", json!({"key": key})),
            35..39 => ("rename_key", json!({"key": key, "new_key": chance.pick(&KEYS)})),
            _ => ("clear_keys", json!({})),
        };
        Self { tool, args, mark, answer: None }
    }

    /// Notes the answer.
    pub(super) fn answered(&mut self, reply: ToolReply) {
        self.answer = Some(if reply.is_error { Err(reply.structured["error"].clone()) } else { Ok(reply.structured) });
    }

    fn acknowledged(&self) -> Option<&Value> {
        self.answer.as_ref()?.as_ref().ok()
    }

    /// The change that was acknowledged, if there was anything to change.
    fn version(&self) -> Option<u64> {
        let reply = self.acknowledged()?;
        let is_nothing = reply["deleted"] == false || reply["deleted"] == 0;
        reply["version"].as_u64().filter(|_| !is_nothing)
    }
}

/// How a run went.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Figures {
    pub(super) kills: usize,
    pub(super) acknowledged: usize,
    pub(super) refused: usize,
    pub(super) unanswered: usize,
    /// Turns that were committed although nobody was told.
    pub(super) untold: usize,
}

/// The turns of a log, each with its rows.
fn turns(audit: &Audit) -> BTreeMap<u64, Vec<&Row>> {
    let mut turns: BTreeMap<u64, Vec<&Row>> = BTreeMap::new();
    for row in &audit.rows {
        turns.entry(row.txn).or_default().push(row);
    }
    turns
}

/// What the log and the answers say differently.
pub(super) fn compare(audit: &Audit, deeds: &[Deed], figures: &mut Figures) -> Vec<String> {
    let mut problems = Vec::new();
    let turns = turns(audit);
    let mut told = BTreeSet::new();
    for deed in deeds {
        match &deed.answer {
            None => figures.unanswered += 1,
            Some(Err(error)) => {
                figures.refused += 1;
                // Nothing to append to, nothing to rename, or a name that is taken; never a lock, never a full queue.
                if !["not_found", "already_exists", "invalid_argument"].contains(&error["code"].as_str().unwrap_or(""))
                {
                    problems.push(format!("refused: {} {error}", deed.tool));
                }
            }
            Some(Ok(_)) => {
                figures.acknowledged += 1;
                let Some(version) = deed.version() else { continue };
                let turn = turns.values().find(|rows| rows.iter().any(|row| row.seq == version));
                told.extend(turn.map(|rows| rows[0].txn));
                if !turn.is_some_and(|rows| is_of(audit, deed, rows, version)) {
                    problems.push(format!("acknowledged, but the log has {turn:?}: {deed:?}"));
                }
            }
        }
    }
    problems.extend(turns.values().filter_map(|rows| half_done(audit, rows)));
    problems.extend(strange_values(audit, deeds));
    figures.untold += turns.len() - told.len();
    problems
}

/// Whether these rows are what the acknowledged deed does.
fn is_of(audit: &Audit, deed: &Deed, rows: &[&Row], version: u64) -> bool {
    let is_key = |row: &Row, name: &str| deed.args[name] == row.id.as_str();
    let value = |row: &Row| row.body.as_ref().map(|body| audit.value(body));
    rows[0].operation == deed.tool
        && match (deed.tool, rows) {
            ("write_key", [row]) => {
                row.seq == version && is_key(row, "key") && value(row).is_some_and(|value| deed.args["value"] == value)
            }
            ("append_key", [row]) => {
                let text = deed.args["text"].as_str().expect("a text");
                row.seq == version && is_key(row, "key") && value(row).is_some_and(|value| value.ends_with(text))
            }
            ("delete_key", [row]) => row.seq == version && is_key(row, "key"),
            ("rename_key", [_, _]) => {
                let created = rows.iter().find(|row| row.change == "created");
                created.is_some_and(|row| row.seq == version && is_key(row, "new_key"))
            }
            ("clear_keys", _) => deed.acknowledged().is_some_and(|reply| reply["deleted"] == rows.len()),
            _ => false,
        }
}

/// Whether a turn that changes several records is there in part only.
fn half_done(audit: &Audit, rows: &[&Row]) -> Option<String> {
    let changes: BTreeSet<_> = rows.iter().map(|row| row.change.as_str()).collect();
    let is_whole = match rows[0].operation.as_str() {
        "rename_key" => {
            let before = |row: &Row| audit.rows.iter().find(|before| Some(before.seq) == row.previous);
            let old = rows.iter().find(|row| row.change == "deleted").and_then(|row| before(row));
            let new = rows.iter().find(|row| row.change == "created");
            let value = |row: &Row| row.body.as_ref().map(|body| audit.value(body));
            rows.len() == 2 && old.and_then(value).is_some_and(|old| new.is_some_and(|new| value(new) == Some(old)))
        }
        "clear_keys" => {
            // After it there is no key: none whose last row up to here has a body.
            let last = rows.last().expect("a turn has rows").seq;
            let until = audit.rows.iter().filter(|row| row.seq <= last);
            let state: BTreeMap<_, _> = until.map(|row| (&row.id, row.body.is_some())).collect();
            changes == BTreeSet::from(["deleted"]) && !state.values().any(|is_there| *is_there)
        }
        _ => rows.len() == 1,
    };
    (!is_whole).then(|| format!("a turn is half done: {rows:?}"))
}

/// Rows whose value nobody sent for that key, or that were made twice of one call.
fn strange_values(audit: &Audit, deeds: &[Deed]) -> Vec<String> {
    let sent: BTreeMap<_, _> = deeds.iter().map(|deed| (format!("<{}>", deed.mark), deed)).collect();
    let mut done = BTreeSet::new();
    let mut problems = Vec::new();
    let mut values: BTreeMap<u64, String> = BTreeMap::new();
    for row in &audit.rows {
        let Some(body) = &row.body else { continue };
        let value = audit.value(body);
        let before = row.previous.and_then(|seq| values.get(&seq)).map_or("", String::as_str);
        let own = match row.operation.as_str() {
            "write_key" => value.find('>').map(|end| &value[..=end]),
            "append_key" => value.strip_prefix(before),
            _ => None,
        };
        let deed = own.and_then(|mark| sent.get(mark));
        let is_its = deed.is_some_and(|deed| {
            deed.tool == row.operation && deed.args["key"] == row.id.as_str() && done.insert(&deed.mark)
        });
        let is_free = row.operation == "rename_key";
        if !is_free && !is_its {
            problems.push(format!("nobody sent this, or it was done twice: {row:?}"));
        }
        values.insert(row.seq, value);
    }
    problems
}

#[test]
fn a_write_that_is_lost_or_done_twice_is_found() {
    let env = crate::harness::Env::new();
    let mut deeds: Vec<_> = ["1", "2"]
        .iter()
        .map(|mark| Deed {
            tool: "write_key",
            args: json!({"key": "a", "value": format!("<{mark}>")}),
            mark: (*mark).to_owned(),
            answer: None,
        })
        .collect();
    let mut client = env.mcp();
    for deed in &mut deeds {
        deed.answered(client.call(deed.tool, deed.args.clone()));
    }
    assert!(client.close_stdin_and_wait().status.success());
    let (_, audit) = crate::harness::audit::audit(&env.data(), "default");
    let audit = audit.unwrap();
    let problems = |deeds: &[Deed]| compare(&audit, deeds, &mut Figures::default()).join("\n");
    assert_eq!(problems(&deeds), "");
    assert!(problems(&deeds[..1]).contains("nobody sent this"));
    deeds[1].mark = "1".to_owned();
    assert!(problems(&deeds).contains("nobody sent this"));
    deeds[1].answer = Some(Ok(json!({"key": "a", "version": 3, "created": false})));
    assert!(problems(&deeds).contains("acknowledged, but the log has None"));
}
