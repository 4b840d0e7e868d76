//! What the pure parts cost, without a store: templates, tools of keys, the system prompt, the words of a search, a turn.
//!
//! `cargo bench --bench pure` measures, `mindcache bench` tells what a client meets.
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

mod instance;

use std::convert::Infallible;

use divan::{Bencher, black_box};
use mindcache::{
    derive::{
        key_tools::{self, Budget, Candidate, Frame},
        prompt::{self, Section},
        search,
        template::{self, Clock, Keys, Source, Template},
    },
    model::{error::OpError, key::KeyType},
    ops::{
        keys::{edit::Append, list::List, write::Write},
        operation::{Operation, parse},
        tx::Tx,
    },
};
use serde_json::json;

use instance::{Instance, person};

fn main() {
    divan::main();
}

/// A page of prose with a marker in each of its lines.
fn page(lines: usize) -> String {
    let line = |line| format!("Line {line} of the page tells what {{{{part{}}}}} has to say.\n", line % 10);
    (0..lines).map(line).collect::<Vec<_>>().concat()
}

struct Parts;

impl Keys for Parts {
    fn find(&mut self, _: &str) -> Result<Option<Source>, OpError> {
        let key_type = KeyType::Text;
        Ok(Some(Source { key_type, is_template: false, is_llm_writable: false, may_read: true }))
    }

    fn text(&mut self, name: &str) -> Result<String, OpError> {
        Ok(format!("what {name} says"))
    }
}

#[divan::bench(args = [10, 1_000])]
fn template_of_lines(bencher: Bencher<'_, '_>, lines: usize) {
    let text = page(lines);
    let clock = Clock { date: "2026-11-21", time: "09:43:45", version: "1" };
    let template = Template { name: "page", text: &text, is_llm_writable: false };
    bencher.bench_local(|| template::expand(black_box(&template), &clock, &mut Parts).unwrap());
}

#[divan::bench(args = [10, 500])]
fn tools_of_keys(bencher: Bencher<'_, '_>, keys: usize) {
    let names: Vec<String> = (0..keys).map(|key| format!("project {key}/notes")).collect();
    let candidate = |name| Candidate {
        name,
        key_type: KeyType::Text,
        description: Some("What was decided, and why"),
        schema: None,
        z_index: 0,
        in_prompt: false,
        is_readable: true,
        is_writable: true,
    };
    let candidates: Vec<Candidate<'_>> = names.iter().map(|name| candidate(name)).collect();
    let static_tools = ["list_keys", "read_key", "write_key"];
    let frame = Frame { static_tools: &static_tools, budget: Budget::beside(12, 8_000), beyond: 0 };
    bencher.bench_local(|| {
        let lookup = |_: &str, _| Ok::<_, Infallible>(Vec::new());
        key_tools::list(black_box(&candidates), &frame, lookup).unwrap()
    });
}

#[divan::bench(args = [10, 500])]
fn prompt_of_keys(bencher: Bencher<'_, '_>, keys: usize) {
    let section = |key| Section {
        name: format!("notes {key}"),
        key_type: KeyType::Text,
        content_type: None,
        text: Some(page(5)),
        writer: None,
    };
    let sections: Vec<Section> = (0..keys).map(section).collect();
    bencher.bench_local(|| prompt::render(black_box(&sections), 1_000_000));
}

#[divan::bench(args = [10, 1_000])]
fn words_of_lines(bencher: Bencher<'_, '_>, lines: usize) {
    let text = page(lines);
    bencher.bench_local(|| search::spread(black_box(&text)));
}

#[divan::bench]
fn words_of_a_question() -> usize {
    search::question(black_box("Where does the database of the second project run?")).len()
}

#[divan::bench]
fn snippet_of_a_page(bencher: Bencher<'_, '_>) {
    let text = page(200);
    let terms = search::question("line 150");
    bencher.bench_local(|| search::snippet(black_box(&text), &terms));
}

/// A turn: an operation on its transaction, and the effects that it leaves.
fn turn<O: Operation>(instance: &Instance, operation: &O) -> usize {
    let cx = person();
    let mut tx = Tx::new(instance, 1, &cx, &[]);
    let step = operation.apply(&mut tx, &cx).unwrap();
    black_box(step);
    tx.finish().done.effects.len()
}

#[divan::bench]
fn turn_that_writes(bencher: Bencher<'_, '_>) {
    let (instance, args) =
        (Instance::with_keys(100), json!({"key": "k000007", "value": "x".repeat(200), "tags": ["a"]}));
    let write: Write = parse(args).unwrap();
    bencher.bench_local(|| turn(&instance, &write));
}

#[divan::bench]
fn turn_that_appends(bencher: Bencher<'_, '_>) {
    let (instance, args) = (Instance::with_keys(100), json!({"key": "k000007", "text": "more"}));
    let append: Append = parse(args).unwrap();
    bencher.bench_local(|| turn(&instance, &append));
}

#[divan::bench]
fn turn_that_lists(bencher: Bencher<'_, '_>) {
    let (instance, list) = (Instance::with_keys(100), parse::<List>(json!({"limit": 100})).unwrap());
    bencher.bench_local(|| turn(&instance, &list));
}
