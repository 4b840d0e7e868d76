//! The documents tell the truth: each `console` block of theirs is run, and prints what stands there.

use std::path::Path;

use crate::harness::{Env, run};

/// A command of a block, and what is to be printed: `…` stands for anything.
struct Step {
    command: String,
    expected: String,
}

/// The commands of all `console` blocks of a document, in order.
fn steps(document: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut fence: Option<&str> = None;
    for line in document.lines() {
        match fence {
            None => fence = line.strip_suffix("console").filter(|fence| ["```", "~~~"].contains(fence)),
            Some(end) if line == end => fence = None,
            Some(_) => match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => steps.push(Step { command: command.to_owned(), expected: String::new() }),
                (None, Some(step)) if step.command.ends_with('\\') && step.expected.is_empty() => {
                    step.command.extend(["\n", line]);
                }
                (None, Some(step)) => step.expected.extend([line, "\n"]),
                (None, None) => panic!("a block begins with a command: {line}"),
            },
        }
    }
    steps
}

/// Whether a text is what a pattern says, where `…` stands for anything.
fn is_like(text: &str, pattern: &str) -> bool {
    let Some((first, others)) = pattern.split_once('…') else { return text == pattern };
    let (between, last) = others.rsplit_once('…').unwrap_or(("", others));
    let rest = text.strip_prefix(first).and_then(|rest| rest.strip_suffix(last));
    let Some(mut rest) = rest else { return false };
    for part in between.split('…') {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

/// Runs all blocks of a document on one new store.
fn follow(document: &str) {
    follow_in(&Env::new(), document, |command| command, "");
}

/// Runs all blocks of a document on a store, each command as `adapt` has it and with `TOKEN` set to this.
fn follow_in(env: &Env, document: &str, adapt: impl Fn(String) -> String, token: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
    let steps = steps(&std::fs::read_to_string(&path).unwrap());
    assert!(steps.len() > 3, "{document} has blocks");
    let program = Path::new(env!("CARGO_BIN_EXE_mindcache")).parent().unwrap();
    let found = std::env::var_os("PATH").unwrap_or_default();
    for Step { command, expected } in steps {
        let command = adapt(command);
        let mut shell = env.command_of(Path::new("sh"));
        shell.env("TOKEN", token);
        shell.env("PATH", format!("{}:{}", program.display(), found.display()));
        shell.args(["-c", &format!("{{ {command}\n}} 2>&1")]);
        let printed = String::from_utf8(run(shell, b"").stdout).unwrap();
        // A value is printed as it is, without a line break behind it.
        let printed = printed.trim_end_matches('\n').to_owned() + "\n";
        let expected = if expected.is_empty() { "\n" } else { &expected };
        assert!(is_like(&printed, expected), "{document}: $ {command}\n{printed}--- where it says\n{expected}");
    }
}

#[test]
fn the_tour_of_the_readme_goes_as_it_says() {
    let words = include_str!("../../README.md").split_whitespace().count();
    assert!(words <= 1200, "the README has {words} words: what is more belongs into docs/");
    follow("README.md");
}

#[test]
fn the_recipes_go_as_they_say() {
    follow("docs/recipes.md");
}

#[test]
fn the_examples_over_http_go_as_they_say() {
    let env = Env::new();
    let server = env.serve(&[]);
    let at_the_server = |command: String| command.replace("127.0.0.1:8787", &server.address);
    follow_in(&env, "docs/http.md", at_the_server, &server.token());
}

#[test]
fn an_ellipsis_stands_for_anything_and_nothing_else_does() {
    assert!(is_like("a 12 b\n", "a … b\n") && is_like("x\ny\nz\n", "…\n") && is_like("a b", "a b"));
    assert!(!is_like("a 12 c\n", "a … b\n") && !is_like("a b c", "a b") && !is_like("b", "a…"));
}
