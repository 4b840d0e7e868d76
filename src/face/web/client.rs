//! The JavaScript client: its files, as pages load them from the server and as the command line hands them out.

use std::{collections::HashMap, sync::LazyLock};

use axum::{
    extract::Path,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};

use super::files::{self, Served};

const FILES: &[(&str, &str)] = files::files!["client/":
    "README.md",
    "changes.d.ts",
    "changes.js",
    "cloud.d.ts",
    "cloud.js",
    "core/attributes.js",
    "core/binary.js",
    "core/digest.js",
    "core/keys.js",
    "core/listeners.js",
    "core/markdown-reader.js",
    "core/markdown.js",
    "core/order.js",
    "core/prompt.js",
    "core/tags.js",
    "core/template.js",
    "core/tool-names.js",
    "core/tools.js",
    "index.d.ts",
    "index.js",
    "mindcache.js",
    "node.d.ts",
    "node.js",
    "package.json",
    "sync/address.js",
    "sync/base.js",
    "sync/browser-storage.js",
    "sync/conflicts.js",
    "sync/engine.js",
    "sync/follower.js",
    "sync/line.js",
    "sync/link.js",
    "sync/queue.js",
    "sync/runner.js",
    "sync/store.js",
    "sync/values.js",
    "sync/wire.js",
];

/// The files of the npm package by their paths in it, of this version of the program.
pub fn files() -> impl Iterator<Item = (&'static str, String)> {
    FILES.iter().map(|(name, text)| {
        // Nothing but the package's own description names the version.
        let text =
            if *name == "package.json" { text.replace("{version}", env!("CARGO_PKG_VERSION")) } else { (*text).into() };
        (*name, text)
    })
}

struct Package {
    hash: String,
    files: HashMap<&'static str, Served>,
}

/// `GET /client/{name}`: a file of the client.
pub(super) async fn file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    static PACKAGE: LazyLock<Package> = LazyLock::new(|| Package {
        hash: files::hash(FILES.iter().chain([&("version", env!("CARGO_PKG_VERSION"))])),
        files: files().map(|(name, text)| (name, files::serve(name, text))).collect(),
    });
    match PACKAGE.files.get(name.as_str()) {
        Some(file) => super::fresh(file, &PACKAGE.hash, &headers),
        None => (StatusCode::NOT_FOUND, [(header::CACHE_CONTROL, "no-store")], "no such file\n").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::files::tests::{imports, on_disk},
        *,
    };

    #[test]
    fn every_file_is_handed_out() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/face/web/client");
        let mut found = Vec::new();
        on_disk(&root, &root, &mut found);
        found.sort();
        assert_eq!(found, FILES.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        let package = files().find(|(name, _)| *name == "package.json").unwrap().1;
        assert!(package.contains(concat!("\"version\": \"", env!("CARGO_PKG_VERSION"), "\"")), "{package}");
        assert!(package.contains(concat!("\"license\": \"", env!("CARGO_PKG_LICENSE"), "\"")), "{package}");
    }

    #[test]
    fn modules_are_short_and_import_downwards_only() {
        for (name, text) in FILES
            .iter()
            .filter(|(name, _)| name.rsplit('.').next().is_some_and(|ending| ["js", "ts"].contains(&ending)))
        {
            assert!(text.lines().count() <= 400, "{name} has {} lines", text.lines().count());
            for forbidden in ["innerHTML", "eval(", "new Function", "document.write", "http://", "https://"] {
                assert!(!text.contains(forbidden), "{name} contains {forbidden}");
            }
            let layer = |name: &str| name.split_once('/').map_or(2, |(folder, _)| usize::from(folder == "sync"));
            for import in imports(name, text) {
                assert!(FILES.iter().any(|(each, _)| *each == import), "{name} imports {import}, which is not there");
                assert!(layer(&import) <= layer(name), "{name} may not import {import}");
            }
        }
    }
}
