//! The rules that keep the tree readable, checked on the sources themselves.
//!
//! Each rule is a pure function that returns what breaks it, with a test beside it that it can fail.

mod imports;
mod lock;
mod names;
mod source;
mod tree;

use std::path::{Path, PathBuf};

/// A file of the repository.
pub(super) struct File {
    /// Its path from the root, with `/`.
    path: String,
    /// Its text.
    text: String,
}

impl File {
    #[cfg(test)]
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    fn is_rust(&self) -> bool {
        Path::new(&self.path).extension().is_some_and(|extension| extension == "rs")
    }

    fn is_under(&self, folder: &str) -> bool {
        self.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The text files of the repository: everything but build products, version control and pictures.
fn files() -> Vec<File> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            // In a second working tree `.git` is a file.
            if ["target", ".git", "node_modules"].contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                let path = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
                found.push(File { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Fails with one line per problem.
fn clean(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn rule_1_layers_import_only_what_they_may() {
    clean(&imports::check(&files()));
}

#[test]
fn rule_2_files_stay_short() {
    clean(&tree::check_lengths(&files(), tree::OVER_400));
}

#[test]
fn rule_3_every_file_says_what_it_is() {
    clean(&tree::check_openings(&files()));
}

#[test]
fn rule_4_no_file_is_named_after_nothing() {
    clean(&tree::check_names(&files()));
}

#[test]
fn rule_5_every_test_file_is_compiled() {
    clean(&tree::check_declared(&files()));
}

#[test]
fn rule_6_the_map_names_what_exists() {
    for document in ["ARCHITECTURE.md", "README.md"] {
        clean(&tree::check_paths(document, &read(document), |path| root().join(path).exists()));
    }
}

#[test]
fn rule_7_an_operation_is_named_once() {
    clean(&names::check(&files()));
}

#[test]
fn rule_9_the_dependencies_are_counted_and_chosen() {
    clean(&lock::check(&read("Cargo.lock"), lock::DUPLICATES));
}

#[test]
fn nothing_is_left_for_later_and_no_path_of_one_machine_stays() {
    clean(&tree::check_words(&files()));
}
