//! Rules 2 to 6: how long files are, how they open, what they are called, and that what is named exists.

use super::File;

/// Longest file.
const MOST_LINES: usize = 700;
/// From here on a file stands in the list.
const LISTED_LINES: usize = 400;

/// Files over 400 lines with their length: they may only shrink.
pub(super) const OVER_400: &[(&str, usize)] = &[("src/face/mcp/stdio/tests.rs", 428)];

/// Words that name no thing.
const EMPTY_NAMES: [&str; 4] = ["util", "helper", "manager", "common"];

/// Folders of the repository: what begins with one in a document is a path.
const FOLDERS: [&str; 6] = ["src/", "tests/", "schemas/", "examples/", "benches/", "packaging/"];

/// Rule 2: no file of sources or tests over 700 lines, and those over 400 are listed and do not grow.
pub(super) fn check_lengths(files: &[File], listed: &[(&str, usize)]) -> Vec<String> {
    let mut problems = Vec::new();
    let measured: Vec<_> = files
        .iter()
        .filter(|file| file.is_rust() && (file.is_under("src") || file.is_under("tests")))
        .map(|file| (file.path.as_str(), file.text.lines().count()))
        .collect();
    for (path, lines) in measured.iter().filter(|(_, lines)| *lines > LISTED_LINES) {
        let entry = listed.iter().find(|(each, _)| each == path);
        if *lines > MOST_LINES {
            problems.push(format!("{path} has {lines} lines; the limit is {MOST_LINES}: split it"));
        } else if let Some((_, before)) = entry.filter(|(_, before)| before < lines) {
            problems.push(format!("{path} grew from {before} to {lines} lines: split it, it may only shrink"));
        } else if entry.is_none_or(|(_, before)| before > lines) {
            problems.push(format!("split it, or put this line into OVER_400: (\"{path}\", {lines}),"));
        }
    }
    for (path, lines) in listed {
        if !measured.iter().any(|(each, now)| each == path && *now > LISTED_LINES) {
            problems.push(format!("take this line out of OVER_400: (\"{path}\", {lines}),"));
        }
    }
    problems
}

/// Rule 3: every Rust file opens with `//!`.
pub(super) fn check_openings(files: &[File]) -> Vec<String> {
    let silent = files.iter().filter(|file| file.is_rust() && !file.text.starts_with("//!"));
    silent.map(|file| format!("{} does not open with //!", file.path)).collect()
}

/// Rule 4: no file is named after nothing.
pub(super) fn check_names(files: &[File]) -> Vec<String> {
    let is_empty = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
        EMPTY_NAMES.iter().any(|word| name.contains(word))
    };
    let named = files.iter().filter(|file| file.is_rust() && is_empty(&file.path));
    named.map(|file| format!("{}: name it after the thing in it", file.path)).collect()
}

/// Rule 5: every file of the test binary is declared where its folder begins; another is never compiled.
pub(super) fn check_declared(files: &[File]) -> Vec<String> {
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| file.is_rust() && file.is_under("tests/it")) {
        let Some((folder, name)) = file.path.rsplit_once('/') else { continue };
        let (parent, module) = match name {
            "main.rs" => continue,
            "mod.rs" => folder.rsplit_once('/').unwrap_or_default(),
            _ => (folder, name.trim_end_matches(".rs")),
        };
        let parent = format!("{parent}/{}", if parent == "tests/it" { "main.rs" } else { "mod.rs" });
        let declaration = format!("mod {module};");
        let is_declared = files
            .iter()
            .any(|each| each.path == parent && each.text.lines().any(|line| line.trim_end().ends_with(&declaration)));
        if !is_declared {
            problems.push(format!("{}: put `{declaration}` into {parent}", file.path));
        }
    }
    problems
}

/// Rule 6: every path between backticks in a document exists. Patterns with placeholders are no paths.
pub(super) fn check_paths(document: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let quoted = text.split('`').skip(1).step_by(2);
    let paths = quoted.filter(|quote| FOLDERS.iter().any(|folder| quote.starts_with(folder)));
    let plain = paths.filter(|path| !path.contains(['*', '<', '{', ' ', '…', '\n']));
    let missing = plain.filter(|path| !exists(path.split(':').next().unwrap_or(path)));
    missing.map(|path| format!("{document} names {path}, which does not exist")).collect()
}

/// Nothing left for later, and no path of the machine on which it was written.
pub(super) fn check_words(files: &[File]) -> Vec<String> {
    // Put together here, so that this file does not break its own rule.
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("todo", "!"), concat!("unimpl", "emented!")];
    let machine_path = concat!("/wo", "rk/");
    let mut problems = Vec::new();
    for file in files {
        for (number, line) in (1..).zip(file.text.lines()) {
            for word in words.iter().chain([&machine_path]).filter(|word| line.contains(**word)) {
                problems.push(format!("{}:{number} contains {word}", file.path));
            }
        }
    }
    problems
}

#[test]
fn a_long_file_is_found_and_a_listed_one_may_only_shrink() {
    let found = |lines: usize, listed: &[(&str, usize)]| {
        check_lengths(&[File::new("src/a.rs", &"x\n".repeat(lines))], listed).join("")
    };
    assert_eq!(found(400, &[]), "");
    assert_eq!(found(401, &[]), "split it, or put this line into OVER_400: (\"src/a.rs\", 401),");
    assert_eq!(found(401, &[("src/a.rs", 401)]), "");
    assert!(found(402, &[("src/a.rs", 401)]).contains("grew from 401 to 402"));
    assert!(found(401, &[("src/a.rs", 500)]).contains("(\"src/a.rs\", 401)"));
    assert!(found(300, &[("src/a.rs", 401)]).contains("take this line out"));
    assert!(found(701, &[("src/a.rs", 701)]).contains("the limit is 700"));
}

#[test]
fn a_file_that_does_not_say_what_it_is_is_found() {
    let files = [File::new("src/a.rs", "//! A.\n"), File::new("src/b.rs", "// B.\n"), File::new("c.md", "# C\n")];
    assert_eq!(check_openings(&files), ["src/b.rs does not open with //!"]);
}

#[test]
fn a_name_that_names_nothing_is_found() {
    let files = ["src/key_utils.rs", "src/ops/Helper.rs", "src/helper/a.rs", "src/locks.rs"].map(|p| File::new(p, ""));
    assert_eq!(check_names(&files).len(), 2);
}

#[test]
fn a_test_file_that_is_never_compiled_is_found() {
    let mut files = vec![
        File::new("tests/it/main.rs", "mod keys;\nmod tidy;\n"),
        File::new("tests/it/keys.rs", ""),
        File::new("tests/it/tidy/mod.rs", "pub(crate) mod lock;\n"),
        File::new("tests/it/tidy/lock.rs", ""),
    ];
    assert_eq!(check_declared(&files), Vec::<String>::new());
    files.push(File::new("tests/it/crash.rs", ""));
    files.push(File::new("tests/it/tidy/tree.rs", ""));
    files.push(File::new("tests/it/wait/mod.rs", ""));
    assert_eq!(
        check_declared(&files),
        [
            "tests/it/crash.rs: put `mod crash;` into tests/it/main.rs",
            "tests/it/tidy/tree.rs: put `mod tree;` into tests/it/tidy/mod.rs",
            "tests/it/wait/mod.rs: put `mod wait;` into tests/it/main.rs",
        ]
    );
}

#[test]
fn a_path_that_does_not_exist_is_found() {
    let text = "See `src/model/`, `src/gone.rs:12`, `key/x`, `schemas/*.json` and `tests/it/{a,b}.rs`.";
    let found = check_paths("MAP.md", text, |path| path == "src/model/");
    assert_eq!(found, ["MAP.md names src/gone.rs:12, which does not exist"]);
}

#[test]
fn what_is_left_for_later_is_found() {
    let files =
        [File::new("src/a.rs", concat!("ok\n// TO", "DO later\n")), File::new("a.md", concat!("cd /wo", "rk/x"))];
    let expected = [concat!("src/a.rs:2 contains TO", "DO"), concat!("a.md:1 contains /wo", "rk/")];
    assert_eq!(check_words(&files), expected);
}
