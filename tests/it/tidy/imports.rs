//! Rule 1: who may import whom. Inside one crate nothing else holds.

use super::{
    File,
    source::{lex, without_tests},
};

/// Each layer and the layers that it may name. `config.rs`, `lib.rs` and `main.rs` are free.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("derive", &["model"]),
    ("ops", &["model", "derive"]),
    ("kernel", &["model", "ops", "store"]),
    ("store", &["model"]),
    ("access", &["model", "kernel"]),
    ("face", &["kernel", "access", "ops", "derive", "model"]),
    ("cli", &["model", "derive", "ops", "kernel", "store", "access", "face"]),
];

/// Parts of a layer that a layer may not name although it may name the rest: the kernel knows the trait alone.
const MAY_NOT_NAME: &[(&str, &str)] = &[("kernel", "store::sqlite"), ("kernel", "store::replica")];

/// Every import that goes the wrong way.
pub(super) fn check(files: &[File]) -> Vec<String> {
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| file.is_rust() && !is_test_file(&file.path)) {
        let Some((layer, allowed)) = layer_of(&file.path) else { continue };
        for path in paths(&lex(without_tests(&file.text)).code, depth(&file.path)) {
            let Some(target) = path.split("::").next().filter(|name| is_layer(name)) else { continue };
            let is_allowed = target == layer || allowed.contains(&target);
            let is_refused = MAY_NOT_NAME.iter().any(|(from, to)| *from == layer && is_at_or_below(&path, to));
            if !is_allowed || is_refused {
                problems.push(format!("{}: {layer} may not import {path}", file.path));
            }
        }
    }
    problems
}

fn layer_of(path: &str) -> Option<(&'static str, &'static [&'static str])> {
    let name = path.strip_prefix("src/")?.split('/').next()?;
    MAY_IMPORT.iter().find(|(layer, _)| *layer == name).copied()
}

fn is_layer(name: &str) -> bool {
    MAY_IMPORT.iter().any(|(layer, _)| *layer == name)
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

fn is_at_or_below(path: &str, ancestor: &str) -> bool {
    path.strip_prefix(ancestor).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// How many `super::` lead from a file to the root of the crate.
fn depth(path: &str) -> usize {
    let inside = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    inside.split('/').count()
}

/// The paths after each `crate::`, groups in braces unfolded, and those after a chain of `super::` that is long
/// enough to leave the layer.
fn paths(code: &str, depth: usize) -> Vec<String> {
    let code: String = code.split_whitespace().collect::<Vec<_>>().join(" ").replace(" ::", "::").replace(":: ", "::");
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let is_word = code.get(..at).and_then(|before| before.chars().next_back()).is_some_and(is_word_character);
        if !is_word {
            unfold("", code.get(at + "crate::".len()..).unwrap_or_default(), &mut found);
        }
    }
    for (at, _) in code.match_indices("super::") {
        let (before, chain) = code.split_at(at);
        let rest = chain.trim_start_matches("super::");
        let steps = (chain.len() - rest.len()) / "super::".len();
        if steps == depth && !before.ends_with("super::") {
            unfold("", rest, &mut found);
        }
    }
    found
}

/// Reads one path or one group of paths, and returns what follows it.
fn unfold<'a>(prefix: &str, text: &'a str, found: &mut Vec<String>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = unfold(prefix, rest, found).trim_start();
            match rest.strip_prefix(',') {
                Some(after) if !after.trim_start().starts_with('}') => rest = after,
                _ => break,
            }
        }
        return rest.trim_start_matches([',', ' ']).strip_prefix('}').unwrap_or_default();
    }
    let end = text.find(|c| !is_word_character(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}::{name}") };
    if let Some(rest) = rest.strip_prefix("::") {
        return unfold(&path, rest, found);
    }
    if !name.is_empty() {
        found.push(path);
    }
    // `name as other` inside a group.
    rest.find([',', '}', ';']).and_then(|at| rest.get(at..)).unwrap_or_default()
}

fn is_word_character(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '#'
}

#[test]
fn paths_are_found_however_they_are_written() {
    let code = "use crate::{model::{key, tags::{A, B as C}}, ops,}; fn f(x: crate :: store::Reader) { pub(crate) y; }
        use super::super::face::mcp; use super::key;";
    let expected = ["model::key", "model::tags::A", "model::tags::B", "ops", "store::Reader", "face::mcp"];
    assert_eq!(paths(code, 2), expected);
    assert_eq!([depth("src/ops/mod.rs"), depth("src/ops/keys/mod.rs"), depth("src/ops/keys/edit.rs")], [1, 2, 3]);
}

#[test]
fn an_import_the_wrong_way_is_found() {
    let found = |path: &str, text: &str| check(&[File::new(path, text)]).len();
    assert_eq!(found("src/model/key.rs", "use crate::ops::Tx;"), 1);
    assert_eq!(found("src/ops/keys/mod.rs", "use crate::{model::key, derive::prompt};"), 0);
    assert_eq!(found("src/ops/keys/mod.rs", "fn f() { crate::kernel::now() }"), 1);
    assert_eq!(found("src/kernel/mod.rs", "use crate::store::{Store, sqlite};"), 1);
    assert_eq!(found("src/face/mcp/mod.rs", "use crate::store::Store; use super::super::cli;"), 2);
    assert_eq!(found("src/ops/keys/edit.rs", "use super::{Written, store};"), 0);
    assert_eq!(found("src/access/mod.rs", "/// See [`crate::face`].\nuse crate::kernel::Kernel;"), 0);
    assert_eq!(found("src/model/key.rs", "fn f() {}\n#[cfg(test)]\nmod tests { use crate::store::S; }"), 0);
    assert_eq!(found("src/main.rs", "use crate::face;"), 0);
    assert_eq!(found("src/cli/mod.rs", "use crate::{face, store::sqlite};"), 0);
}
