//! The files of the page: in the program, compressed once, under the hash of all of them. Those of the client likewise; the
//! page has the ones that it needs among its own, so that both are of one version.

use std::{collections::HashMap, io::Write as _, sync::LazyLock};

use axum::body::Bytes;
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest as _, Sha256};

use crate::model::digest::hex;

/// Each file by its path below a folder.
macro_rules! files {
    ($folder:literal: $($name:literal),+ $(,)?) => { &[$(($name, include_str!(concat!($folder, $name)))),+] };
}
pub(super) use files;

const INDEX: &str = include_str!("app/index.html");

const FILES: &[(&str, &str)] = files!["app/":
    "css/base.css",
    "css/detail.css",
    "css/keys.css",
    "css/tokens.css",
    "main.mjs",
    "net/api.mjs",
    "net/feed.mjs",
    "net/login.mjs",
    "state/actions.mjs",
    "state/app.mjs",
    "state/drafts.mjs",
    "state/edit.mjs",
    "state/facets.mjs",
    "state/keys.mjs",
    "state/live.mjs",
    "state/window.mjs",
    "ui/detail.mjs",
    "ui/diff.mjs",
    "ui/editor.mjs",
    "ui/face.mjs",
    "ui/grid.mjs",
    "ui/icons.mjs",
    "ui/notices.mjs",
    "ui/words.mjs",
    "vendor/ui.mjs",
    "views/create.mjs",
    "views/detail.mjs",
    "views/keys.mjs",
    "views/shell.mjs",
    "views/states.mjs",
];

/// What the page takes of the JavaScript client, below `client/`.
const CLIENT: &[(&str, &str)] =
    files!["client/": "changes.js", "sync/address.js", "sync/follower.js", "sync/line.js", "sync/runner.js"];

/// A file as it is served.
pub(super) struct Served {
    pub(super) kind: &'static str,
    pub(super) plain: Bytes,
    pub(super) gzip: Bytes,
}

/// All files of this version.
pub(super) struct Tree {
    /// Of all that they hold.
    pub(super) hash: String,
    pub(super) index: Served,
    pub(super) files: HashMap<String, Served>,
}

impl Tree {
    /// The tree, made at its first use.
    pub(super) fn get() -> &'static Self {
        static TREE: LazyLock<Tree> = LazyLock::new(Tree::new);
        &TREE
    }

    fn new() -> Self {
        let hash = hash([("index.html", INDEX)].iter().chain(FILES).chain(CLIENT));
        let index = serve("index.html", INDEX.replace("{hash}", &hash));
        let own = FILES.iter().map(|(name, text)| ((*name).to_owned(), serve(name, without_comments(text))));
        let of_client =
            CLIENT.iter().map(|(name, text)| (format!("client/{name}"), serve(name, without_comments(text))));
        let files = own.chain(of_client).collect();
        Self { hash, index, files }
    }
}

/// A file without the lines that are comments, which who loads the page does not read. A line of a text in it that begins like
/// one would be lost: a test sees to it that a comment is all that its line is.
fn without_comments(text: &str) -> String {
    text.lines().filter(|line| !is_comment(line)).flat_map(|line| [line, "\n"]).collect()
}

fn is_comment(line: &str) -> bool {
    let line = line.trim_start();
    ["// ", "/** ", "* "].iter().any(|begin| line.starts_with(begin)) || ["/**", "*/"].contains(&line)
}

/// The hash of files, of their names too.
pub(super) fn hash<'a>(files: impl IntoIterator<Item = &'a (&'a str, &'a str)>) -> String {
    let mut hasher = Sha256::new();
    for (name, text) in files {
        hasher.update(format!("{name} {}\n", text.len()));
        hasher.update(text);
    }
    hex(hasher.finalize().get(..8).unwrap_or_default())
}

/// A file, made ready to be served.
pub(super) fn serve(name: &str, text: String) -> Served {
    let kind = match name.rsplit('.').next() {
        Some("mjs" | "js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json") => "application/json",
        Some("ts" | "md") => "text/plain; charset=utf-8",
        _ => "text/html; charset=utf-8",
    };
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to memory does not fail; a file that could not be compressed would be served empty, and a test sees it.
    let gzip = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()).unwrap_or_default();
    Served { kind, plain: text.into(), gzip: gzip.into() }
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;

    use super::*;

    /// The files of the folder, by their paths in it.
    pub(in crate::face::web) fn on_disk(folder: &Path, root: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                on_disk(&path, root, found);
            } else {
                found.push(path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/"));
            }
        }
    }

    #[test]
    fn every_file_is_served_and_all_together_weigh_little() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/face/web/app");
        let mut found = Vec::new();
        on_disk(&root, &root, &mut found);
        found.retain(|name| !["vendor/README.md", "vendor/LICENSES.txt"].contains(&name.as_str()));
        found.sort();
        let mut listed: Vec<_> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        listed.push("index.html".into());
        listed.sort();
        assert_eq!(found, listed);
        let tree = Tree::get();
        let gzip: usize = tree.files.values().map(|file| file.gzip.len()).sum::<usize>() + tree.index.gzip.len();
        assert!((10_000..60 * 1024).contains(&gzip), "{gzip} bytes");
        assert!(tree.files.values().all(|file| !file.gzip.is_empty()));
    }

    /// The files that one imports, by their paths.
    pub(in crate::face::web) fn imports(name: &str, text: &str) -> Vec<String> {
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        let found = text.split("from '").chain(text.split("import('")).skip(1);
        let relative = found.filter_map(|rest| rest.split('\'').next()).filter(|path| path.starts_with('.'));
        relative
            .map(|path| match path.strip_prefix("../") {
                Some(above) => above.to_owned(),
                None => format!("{folder}/{}", path.trim_start_matches("./")).trim_start_matches('/').to_owned(),
            })
            .collect()
    }

    #[test]
    fn modules_are_short_and_import_downwards_only() {
        let may = |layer: &str| -> &[&str] {
            match layer {
                "vendor" | "css" => &[],
                "net" => &["net", "client"],
                "state" => &["state", "net", "vendor"],
                "ui" => &["ui", "vendor"],
                "views" => &["views", "state", "ui", "vendor"],
                _ => &["views", "state", "net", "ui", "vendor"],
            }
        };
        for (name, text) in FILES {
            if name.starts_with("vendor/") {
                continue;
            }
            assert!(text.lines().count() <= 300, "{name} has {} lines", text.lines().count());
            for forbidden in
                ["innerHTML", "dangerouslySet", "eval(", "new Function", "document.write", "http://", "https://"]
            {
                let allowed = forbidden.starts_with("http") && text.contains("http://www.w3.org/2000/svg");
                assert!(allowed || !text.contains(forbidden), "{name} contains {forbidden}");
            }
            for line in text.lines().filter(|line| is_comment(line)) {
                let rest = line.trim_start();
                assert!(!rest.starts_with("/** ") || rest.ends_with("*/"), "{name} has more than a comment: {line}");
                assert_eq!(line.matches('`').count() % 2, 0, "{name} has a text that begins like a comment: {line}");
            }
            let layer = name.split_once('/').map_or("main", |(layer, _)| layer);
            for import in imports(name, text) {
                assert!(Tree::get().files.contains_key(&import), "{name} imports {import}, which is not there");
                let target = import.split('/').next().unwrap();
                assert!(may(layer).contains(&target), "{name} may not import {import}");
            }
        }
    }

    #[test]
    fn of_the_client_the_page_has_what_it_imports_and_no_more() {
        let mut imported = vec!["changes.js".to_owned()];
        for (name, text) in CLIENT {
            imported.extend(imports(name, text));
        }
        imported.sort();
        imported.dedup();
        assert_eq!(imported, CLIENT.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    }

    #[test]
    fn the_vendored_file_is_the_one_that_is_written_down() {
        let readme = include_str!("app/vendor/README.md");
        let vendored = FILES.iter().find(|(name, _)| *name == "vendor/ui.mjs").unwrap().1;
        let hash = crate::model::digest::sha256(vendored);
        assert!(readme.contains(&hash), "vendor/README.md lacks SHA-256 {hash}");
    }
}
