//! Files that are not what they should be: said clearly, left as they are, and never taken for a fresh store.

use std::{
    fs::{self, OpenOptions},
    io::{Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde_json::json;

use crate::harness::{Env, skip};

/// A store with one key, and no process that has it open. What had not reached the database file itself is
/// dropped with its log, so that the file alone decides.
fn closed_store() -> (Env, PathBuf) {
    let env = Env::new();
    let mut client = env.mcp();
    client.write("k", "v");
    assert!(client.close_stdin_and_wait().status.success());
    let file = instance_files(&env).into_iter().next().expect("an instance");
    for suffix in ["-wal", "-shm"] {
        let side = PathBuf::from(format!("{}{suffix}", file.display()));
        if side.exists() {
            fs::remove_file(side).unwrap();
        }
    }
    (env, file)
}

/// `instances/<aa>/<id>/instance.db` of each instance.
fn instance_files(env: &Env) -> Vec<PathBuf> {
    let entries = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
    };
    let shards = entries(&env.data().join("instances"));
    let instances = shards.iter().flat_map(|shard| entries(shard));
    instances.map(|instance| instance.join("instance.db")).filter(|file| file.is_file()).collect()
}

fn overwrite(file: &Path, offset: u64, bytes: &[u8]) {
    let mut open = OpenOptions::new().write(true).open(file).unwrap();
    open.seek(SeekFrom::Start(offset)).unwrap();
    open.write_all(bytes).unwrap();
}

/// Every call is unavailable for this reason, on both faces, and nothing is made or changed.
fn is_unavailable(env: &Env, file: &Path, reason: &str) -> String {
    let before = fs::read(file).ok();
    let instances = instance_files(env);
    let mut client = env.mcp();
    let mut messages = Vec::new();
    for (tool, args) in
        [("list_keys", json!({})), ("read_key", json!({"key": "k"})), ("write_key", json!({"key": "k", "value": "x"}))]
    {
        let error = client.call(tool, args).error("unavailable");
        let found = error["reason"].as_str().unwrap_or_default();
        assert!(found.contains(reason), "{tool}: {error}");
        messages.push(error["message"].to_string());
    }
    client.request("tools/list", json!({})).expect("tools/list succeeds");
    for args in [&["get", "k"][..], &["set", "k", "x"], &["ls"]] {
        messages.push(env.cli(args).fails(6));
    }
    drop(client);
    assert!(fs::read(file).ok() == before, "the file is as it was");
    assert_eq!(instance_files(env), instances, "no fresh instance is made");
    messages.join("\n")
}

#[test]
fn a_damaged_header_is_unavailable() {
    let (env, file) = closed_store();
    overwrite(&file, 0, &[0xa5; 100]);
    is_unavailable(&env, &file, "damaged");
}

#[test]
fn a_file_cut_to_nothing_is_damage_and_no_fresh_store() {
    let (env, file) = closed_store();
    OpenOptions::new().write(true).open(&file).unwrap().set_len(0).unwrap();
    is_unavailable(&env, &file, "damaged");
}

#[test]
fn a_file_that_is_gone_is_damage_and_no_fresh_store() {
    let (env, file) = closed_store();
    fs::remove_file(&file).unwrap();
    is_unavailable(&env, &file, "");
    assert!(!file.exists());
}

#[test]
fn a_database_of_another_program_is_not_touched() {
    let (env, file) = closed_store();
    // The application id stands at offset 68.
    overwrite(&file, 68, &0x0bad_cafe_u32.to_be_bytes());
    is_unavailable(&env, &file, "");
}

#[test]
fn a_file_of_a_newer_version_is_unavailable_and_says_what_to_do() {
    let (env, file) = closed_store();
    // The user version stands at offset 60.
    overwrite(&file, 60, &9999_u32.to_be_bytes());
    let messages = is_unavailable(&env, &file, "newer");
    assert!(messages.contains("9999") || messages.to_lowercase().contains("upgrade"), "{messages}");
}

#[test]
fn a_missing_catalog_beside_instances_is_no_fresh_store() {
    let (env, file) = closed_store();
    let (catalog, aside) = (env.data().join("catalog"), env.path("catalog aside"));
    fs::rename(&catalog, &aside).unwrap();
    is_unavailable(&env, &file, "");
    if catalog.exists() {
        fs::remove_dir_all(&catalog).unwrap();
    }
    fs::rename(&aside, &catalog).unwrap();
    env.cli(&["ls"]).ok();
}

#[test]
fn a_damaged_catalog_is_unavailable() {
    let (env, file) = closed_store();
    let mut damaged = 0;
    for entry in fs::read_dir(env.data().join("catalog")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with("-wal") || name.ends_with("-shm") {
            fs::remove_file(path).unwrap();
        } else if path.extension().is_some_and(|extension| extension == "db") {
            overwrite(&path, 0, &[0xa5; 100]);
            damaged += 1;
        }
    }
    assert_eq!(damaged, 1, "the catalog is a database");
    is_unavailable(&env, &file, "damaged");
}

#[test]
fn one_damaged_instance_leaves_the_others_well() {
    let (env, file) = closed_store();
    overwrite(&file, 0, &[0xa5; 100]);
    let mut other = env.mcp_with(&["--instance", "other"]);
    other.write("k", "well");
    assert_eq!(other.value("k"), "well");
    env.mcp().call("read_key", json!({"key": "k"})).error("unavailable");
}

#[test]
fn a_folder_where_the_file_should_be_is_unavailable() {
    let (env, file) = closed_store();
    fs::rename(&file, env.path("aside")).unwrap();
    fs::create_dir(&file).unwrap();
    env.mcp().call("read_key", json!({"key": "k"})).error("unavailable");
    env.cli(&["get", "k"]).fails(6);
    assert!(file.is_dir());
}

#[cfg(unix)]
#[test]
fn a_folder_that_may_not_be_written_is_unavailable() {
    use std::os::unix::fs::PermissionsExt;

    let env = Env::new();
    fs::create_dir(env.data()).unwrap();
    let set_mode = |mode| fs::set_permissions(env.data(), fs::Permissions::from_mode(mode)).unwrap();
    set_mode(0o555);
    let is_bound = fs::write(env.data().join("probe"), "").is_err();
    if is_bound {
        let error = env.mcp().call("write_key", json!({"key": "k", "value": "v"})).error("unavailable");
        assert!(error["reason"].as_str().unwrap_or_default().contains("read_only"), "{error}");
        env.cli(&["set", "k", "v"]).fails(6);
    } else {
        skip("this user may write to a folder without the right to");
    }
    set_mode(0o755);
}
