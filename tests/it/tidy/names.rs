//! Rule 7: an operation's name is written once, where the operation is; faces go by the registry.

use std::collections::BTreeMap;

use super::{
    File,
    source::{lex, without_tests},
};

const DECLARATION: &str = "const NAME: &'static str =";

/// Names declared twice, and names written again in a face or in the command line.
pub(super) fn check(files: &[File]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut declared: BTreeMap<&str, &str> = BTreeMap::new();
    let program = || files.iter().filter(|file| file.is_rust() && file.is_under("src"));
    for (file, name) in program().flat_map(|file| names(&file.text).map(move |name| (file, name))) {
        if let Some(first) = declared.insert(name, &file.path) {
            problems.push(format!("{} and {first} both declare the operation {name}", file.path));
        }
    }
    for file in program() {
        let (is_face, is_cli) = (file.is_under("src/face"), file.is_under("src/cli"));
        if !is_face && !is_cli {
            continue;
        }
        for literal in lex(without_tests(&file.text)).strings {
            // A verb of the command line may be the same word; an operation's name has a low line.
            if declared.contains_key(literal.as_str()) && (is_face || literal.contains('_')) {
                problems.push(format!("{} writes the operation's name \"{literal}\" again", file.path));
            }
        }
    }
    problems
}

/// The names that a file declares.
fn names(text: &str) -> impl Iterator<Item = &str> {
    without_tests(text)
        .match_indices(DECLARATION)
        .filter_map(|(at, _)| text.get(at + DECLARATION.len()..)?.trim_start().strip_prefix('"')?.split('"').next())
}

#[test]
fn a_name_written_twice_is_found() {
    let write = "impl Operation for Write { const NAME: &'static str = \"write_key\"; }";
    let files = |face: &str, cli: &str, other: &str| {
        check(&[
            File::new("src/ops/write.rs", write),
            File::new("src/ops/other.rs", other),
            File::new("src/face/mcp/tools.rs", face),
            File::new("src/cli/mod.rs", cli),
        ])
    };
    assert!(files("", "", "const NAME: &'static str = \"undo\";").is_empty());
    assert_eq!(files("", "", write).len(), 1);
    assert_eq!(files("call(\"write_key\")", "", "").len(), 1);
    assert_eq!(files("// \"write_key\"\n", "call(\"write_key\")", "").len(), 1);
    assert_eq!(files("f(\"undo\")", "f(\"undo\")", "const NAME: &'static str = \"undo\";").len(), 1);
}
