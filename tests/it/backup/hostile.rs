//! Backups that are cut, changed or made up: refused with the reason, and nothing is left of the attempt.

use std::{fs::File, path::PathBuf};

use serde_json::json;
use tar::EntryType;

use super::{
    Everything, everything,
    forged::{Forged, header},
    leftovers, text,
};
use crate::harness::{
    Env,
    chance::{Chance, rounds},
};

/// A store with a large value, a clone and a deleted instance, and a backup of it.
fn backed_up() -> (Env, PathBuf) {
    let env = Env::new();
    env.cli(&["set", "k", "v"]).ok();
    env.cli(&["set", "large", &"v".repeat(70_000)]).ok();
    env.cli(&["instance", "clone", "default", "work"]).ok();
    env.cli(&["instance", "create", "gone"]).ok();
    env.cli(&["instance", "delete", "gone"]).ok();
    let file = env.path("b.tar");
    env.cli(&["backup", text(&file)]).ok();
    (env, file)
}

/// Tries to restore these bytes: refused, or, where nothing that counts was changed, the same.
fn tried(bytes: &[u8], same: Option<&Everything>, what: &str) -> String {
    let env = Env::new();
    let file = env.file("bad.tar", bytes);
    let output = env.cli(&["backup", "--restore", &file]);
    if output.code == 0 {
        assert!(same.is_some_and(|same| everything(&env.data()) == *same), "{what} was taken");
        return String::new();
    }
    assert!([1, 2, 6].contains(&output.code), "{what}: {} {}", output.code, output.stderr);
    assert!(!env.data().exists(), "{what}: nothing is there");
    assert_eq!(leftovers(&env), Vec::<PathBuf>::new(), "{what}");
    output.stderr
}

fn refused(bytes: &[u8], reason: &str) {
    let said = tried(bytes, None, reason);
    assert!(said.contains(reason), "{reason}: {said}");
}

#[test]
fn a_cut_backup_is_refused() {
    let (_env, file) = backed_up();
    let whole = std::fs::read(&file).unwrap();
    let mut chance = Chance::of("cut backup");
    let last = whole.iter().rposition(|byte| *byte != 0).unwrap();
    for _ in 0..rounds(20) {
        let length = chance.below(last);
        assert_ne!(tried(&whole[..length], None, &format!("cut at {length}")), "");
    }
    for length in [0, 1, 511, 512, 513, last] {
        assert_ne!(tried(&whole[..length], None, &format!("cut at {length}")), "");
    }
}

#[test]
fn a_changed_bit_is_found_wherever_it_counts() {
    let (env, file) = backed_up();
    let (whole, same) = (std::fs::read(&file).unwrap(), everything(&env.data()));
    let mut chance = Chance::of("changed backup");
    for _ in 0..rounds(40) {
        let (at, bit) = (chance.below(whole.len()), chance.below(8));
        let mut changed = whole.clone();
        changed[at] ^= 1 << bit;
        tried(&changed, Some(&same), &format!("bit {bit} of byte {at}"));
    }
}

#[test]
fn paths_links_and_sizes_of_a_forged_backup_reach_nothing() {
    let (env, file) = backed_up();
    let whole = Forged::of(&file);
    let id = whole.contents["instances"][0]["id"].as_str().unwrap().to_owned();
    for name in [
        "../evil",
        "/etc/cron.d/evil",
        "instances/../../evil/instance.db",
        "blobs/../../evil",
        "catalog/../../evil",
        "instances/_catalog/instance.db",
        "catalog/lock",
        "token",
        "instances/ABCDEF00-2D6C-4B6E-9F0F-0E6C6B6F4A11/instance.db",
    ] {
        let mut forged = whole.clone();
        forged.entries.push((name.to_owned(), b"x".to_vec()));
        refused(&forged.sealed(), "has no such entry");
    }
    let manifest = whole.entries[0].1.clone();
    for (kind, bytes) in [
        (EntryType::Symlink, 0),
        (EntryType::Link, 0),
        (EntryType::Directory, 0),
        (EntryType::Char, 0),
        (EntryType::Fifo, 0),
        (EntryType::GNUSparse, 10),
        (EntryType::XHeader, 10),
        (EntryType::GNULongName, 10),
    ] {
        let mut tar = tar::Builder::new(Vec::new());
        tar.append(&header("manifest.json", EntryType::Regular, manifest.len() as u64), manifest.as_slice()).unwrap();
        tar.append(&header("catalog/instance.db", kind, bytes), &vec![b'x'; usize::try_from(bytes).unwrap()][..])
            .unwrap();
        refused(&tar.into_inner().unwrap(), "it is no file");
    }
    // What claims to be huge and is not there; and what would be too much to keep in memory.
    for (name, bytes, reason) in [
        ("catalog/instance.db", 1 << 40, "entry"),
        ("contents.json", 1 << 30, "larger than it can be"),
        ("manifest.json", 1 << 20, "larger than it can be"),
        (&format!("blobs/{}", "0".repeat(64)), 1 << 30, "larger than it can be"),
    ] {
        let mut tar = header("manifest.json", EntryType::Regular, manifest.len() as u64).as_bytes().to_vec();
        tar.extend(&manifest);
        tar.resize(1024, 0);
        tar.extend(header(name, EntryType::Regular, bytes).as_bytes());
        tar.extend([0; 4096]);
        refused(&tar, reason);
    }
    // Ids that are none, and twice the same.
    let mut forged = whole.clone();
    forged.contents["instances"][0]["id"] = json!("../../../evil");
    refused(&forged.sealed(), "other instances than the backup has");
    let mut forged = whole.clone();
    let again = forged.entry(&format!("{id}/instance.db")).clone();
    forged.entries.push(again);
    refused(&forged.sealed(), "twice");
    assert!(!env.path("evil").exists());
}

#[test]
fn a_backup_that_is_sealed_and_not_true_is_refused() {
    let (env, file) = backed_up();
    let whole = Forged::of(&file);
    tried(&whole.clone().sealed(), Some(&everything(&env.data())), "nothing was changed");
    let listed = whole.contents["instances"].as_array().unwrap();
    let at = listed.iter().position(|instance| instance["name"] == "default").unwrap();
    let id = listed[at]["id"].as_str().unwrap().to_owned();
    let of_instance = format!("{id}/instance.db");
    let altered = |name: &str, sql: &str| {
        let mut forged = whole.clone();
        forged.alter(name, &env.path(""), sql);
        forged.sealed()
    };
    for (sql, reason) in [
        ("CREATE TABLE more (x)", "other tables"),
        ("CREATE TRIGGER t AFTER INSERT ON log BEGIN DELETE FROM log; END", "other tables"),
        ("CREATE VIEW keys AS SELECT 1", "other tables"),
        ("DROP TABLE tombstone", "other tables"),
        ("PRAGMA user_version = 99", "format 99"),
        ("PRAGMA application_id = 7", "not a mindcache database"),
        ("UPDATE state SET head = head + 1", "rows of the log are missing"),
        ("DELETE FROM entry", "the indexes are not"),
        ("UPDATE record SET body = '{' WHERE id = 'k'", "entry"),
        (
            "DELETE FROM log; DELETE FROM record; DELETE FROM entry; DELETE FROM tally; \
             DELETE FROM entry_tally; UPDATE state SET head = 0",
            "another state than the backup says",
        ),
    ] {
        let said = tried(&altered(&of_instance, sql), None, sql);
        assert!(reason == "entry" && !said.is_empty() || said.contains(reason), "{sql}: {said}");
    }
    // The catalog and the instances do not fit together.
    let body = "'{\"name\":\"x\",\"project\":\"default\",\"read_only\":false}'";
    let more = format!(
        "INSERT INTO record SELECT 100, kind, '{}', version, created_at, updated_at, expires_at, updated_by, \
                        {body} FROM record WHERE id = '{id}'",
        "0ad0a8a6-2d6c-4b6e-9f0f-0e6c6b6f4a11"
    );
    assert_ne!(tried(&altered("catalog/instance.db", &more), None, &more), "");
    let mut forged = whole.clone();
    forged.entries.retain(|(name, _)| !name.ends_with(&of_instance));
    refused(&forged.clone().sealed(), "other instances");
    forged.contents["instances"].as_array_mut().unwrap().remove(at);
    refused(&forged.sealed(), "the catalog lists it");
    let mut forged = whole.clone();
    forged.entries.retain(|(name, _)| !name.starts_with("blobs/"));
    refused(&forged.sealed(), "lacks a large value");
    let mut forged = whole.clone();
    forged.entries.iter_mut().find(|(name, _)| name.starts_with("blobs/")).unwrap().1[0] ^= 1;
    refused(&forged.sealed(), "not what its name says");
    // Newer ones, and none at all.
    let mut forged = whole.clone();
    forged.contents["store_version"] = json!(99);
    forged.contents["mindcache"] = json!("9.9.9");
    refused(&forged.sealed(), "made by mindcache 9.9.9");
    let mut forged = whole.clone();
    forged.entries[0].1 = br#"{"format":"mindcache-backup","format_version":2}"#.to_vec();
    refused(&forged.sealed(), "newer mindcache");
    let mut forged = whole.clone();
    forged.contents["more"] = json!(1);
    refused(&forged.sealed(), "unknown field");
    let database = whole.entries[1].1.clone();
    for foreign in [&b""[..], b"hello", &[0; 4096], b"\x1f\x8b\x08\0\0\0\0\0", b"PK\x03\x04", &database, &[0xff; 4096]]
    {
        assert_ne!(tried(foreign, None, "a foreign file"), "");
    }
    let archive = env.path("all.mindcache");
    env.cli(&["export", "--all", text(&archive)]).ok();
    refused(&std::fs::read(&archive).unwrap(), "mindcache-archive");
    assert!(env.cli(&["import", text(&file)]).fails(2).contains("mindcache-backup"));
}

#[test]
fn a_huge_hole_is_refused_at_once() {
    let env = Env::new();
    let path = env.path("sparse");
    File::create(&path).unwrap().set_len(1 << 33).unwrap();
    env.cli(&["backup", "--restore", text(&path)]).fails(2);
    assert!(!env.data().exists());
}
