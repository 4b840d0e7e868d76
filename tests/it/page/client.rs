//! The JavaScript client: served to anybody, and written as a folder, never over what is not its own.

use std::{collections::BTreeMap, fs, path::Path};

use super::served;
use crate::harness::Env;

/// The files of a folder by their paths in it.
fn files(folder: &Path, root: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, root, found);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            found.insert(name, fs::read(&path).unwrap());
        }
    }
}

#[test]
fn the_client_is_written_and_served_alike() {
    let env = Env::new();
    let folder = env.path("vendor/mindcache");
    assert!(env.cli(&["client", "--out", folder.to_str().unwrap()]).ok().starts_with("Wrote "));
    let mut written = BTreeMap::new();
    files(&folder, &folder, &mut written);
    for name in ["package.json", "index.js", "index.d.ts", "cloud.js", "cloud.d.ts", "node.js", "README.md"] {
        assert!(written.contains_key(name), "{name}");
    }
    let package: serde_json::Value = serde_json::from_slice(&written["package.json"]).unwrap();
    let told = ["name", "version", "license", "type"].map(|name| package[name].as_str().unwrap());
    assert_eq!(told, ["mindcache", env!("CARGO_PKG_VERSION"), env!("CARGO_PKG_LICENSE"), "module"]);
    for target in package["exports"].as_object().unwrap().values().flat_map(|target| match target.as_object() {
        Some(conditions) => conditions.values().collect(),
        None => vec![target],
    }) {
        assert!(written.contains_key(target.as_str().unwrap().trim_start_matches("./")), "{target}");
    }

    let (server, _) = served(&env, &[]);
    for (name, text) in &written {
        let path = format!("/client/{name}");
        let file = server.get(&path, &[]);
        assert_eq!((file.status, file.header("cache-control")), (200, Some("no-cache")), "{path}");
        assert_eq!(&file.body, text, "{path}");
        let kind = match name.rsplit('.').next() {
            Some("js") => "text/javascript; charset=utf-8",
            Some("json") => "application/json",
            _ => "text/plain; charset=utf-8",
        };
        assert_eq!(file.header("content-type"), Some(kind), "{path}");
        let tag = file.header("etag").unwrap().to_owned();
        assert_eq!(server.get(&path, &[("If-None-Match", &tag)]).status, 304, "{path}");
    }
    assert_eq!(server.get("/client/none.js", &[]).status, 404);
}

#[test]
fn the_client_is_not_written_over_other_files() {
    let env = Env::new();
    let folder = env.path("mine");
    let out = ["client", "--out", folder.to_str().unwrap()];
    fs::create_dir_all(&folder).unwrap();
    env.cli(&out).ok();
    fs::write(folder.join("index.js"), "an older version").unwrap();
    env.cli(&out).ok();
    assert_ne!(fs::read(folder.join("index.js")).unwrap(), b"an older version", "its own files are renewed");

    let other = env.path("other");
    fs::create_dir_all(&other).unwrap();
    for (name, text) in [("notes.txt", "mine"), ("package.json", "{\"name\": \"mindcache\"}")] {
        fs::write(other.join(name), text).unwrap();
        let refused = env.cli(&["client", "--out", other.to_str().unwrap()]).fails(2);
        assert!(refused.contains("nothing was written"), "{refused}");
        assert_eq!(fs::read_to_string(other.join(name)).unwrap(), text);
        assert!(!other.join("index.js").exists());
    }
}
