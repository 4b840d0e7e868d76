//! How well questions find what they are about: notes as agents write them, questions as people and agents ask them.

use std::collections::BTreeSet;

use serde_json::json;

use super::find;
use crate::harness::{Env, say};

const NOTES: &str = include_str!("notes.txt");
const QUESTIONS: &str = include_str!("questions.txt");
/// What was measured, less two points.
const LEAST: f64 = 0.94;

/// The lines of a table of two columns.
fn table(text: &'static str) -> Vec<(&'static str, &'static str)> {
    text.lines().map(|line| line.split_once(" | ").unwrap_or_else(|| panic!("two columns: {line}"))).collect()
}

#[test]
fn questions_find_what_they_are_about() {
    let (notes, questions) = (table(NOTES), table(QUESTIONS));
    assert!(notes.len() >= 100 && questions.len() >= 40);
    let env = Env::new();
    let mut client = env.mcp();
    let write = |(key, value): &(&str, &str)| {
        let key_type = if value.starts_with('{') { "json" } else { "text" };
        json!({"key": key, "value": value, "type": key_type})
    };
    let sent: Vec<_> = notes.iter().map(|note| client.send_call("write_key", write(note))).collect();
    assert!(client.collect(&sent).into_values().all(|reply| reply.is_ok()));
    let (mut recall, mut reciprocal) = (0.0, 0.0);
    for (question, expected) in &questions {
        let expected: BTreeSet<&str> = expected.split(", ").collect();
        let found = find(&mut client, question);
        let place = |key: &&&str| found.iter().take(10).position(|found| found == **key);
        let got = expected.iter().filter(|key| place(key).is_some()).count();
        let first = expected.iter().filter_map(|key| place(&key)).min();
        recall += ratio(got, expected.len());
        reciprocal += first.map_or(0.0, |place| ratio(1, place + 1));
        if got < expected.len() || first != Some(0) {
            say(&format!("{question}: {expected:?}, found {:?}", found.iter().take(4).collect::<Vec<_>>()));
        }
    }
    let all = ratio(1, questions.len());
    let (recall, reciprocal) = (recall * all, reciprocal * all);
    say(&format!("recall@10 {recall:.3}, mean reciprocal rank {reciprocal:.3}"));
    assert!(recall >= LEAST, "recall@10 is {recall:.3}");
}

#[expect(clippy::cast_precision_loss, reason = "the numbers are small")]
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}
