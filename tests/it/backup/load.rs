//! Backups while three processes write: each instance as it was at one seq, and nothing acknowledged before is missing.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
};

use serde_json::json;

use super::{leftovers, restored, text};
use crate::harness::{
    Env,
    audit::{Audit, instance_folder},
    mcp::Client,
};

/// Writes until it is told to stop, and notes the version of what was acknowledged.
fn write_on(client: &mut Client, name: &str, stop: &AtomicBool, acknowledged: &AtomicU64) {
    for number in 0.. {
        if stop.load(Ordering::Acquire) {
            return;
        }
        let key = format!("{name} {}", number % 5);
        let value = format!("{number} {}", "x".repeat(if number % 7 == 0 { 70_000 } else { 40 }));
        let version = client.call("write_key", json!({"key": key, "value": value})).ok()["version"].as_u64().unwrap();
        acknowledged.fetch_max(version, Ordering::AcqRel);
    }
}

#[test]
fn each_instance_is_as_it_was_at_one_seq_while_three_processes_write() {
    let env = Env::new();
    env.cli(&["instance", "create", "other"]).ok();
    let mut one = env.mcp();
    let mut two = env.mcp();
    let mut three = env.mcp_with(&["--instance", "other"]);
    let (stop, of_default, of_other) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let mut backups: Vec<(PathBuf, u64, u64)> = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| write_on(&mut one, "one", &stop, &of_default));
        scope.spawn(|| write_on(&mut two, "two", &stop, &of_default));
        scope.spawn(|| write_on(&mut three, "three", &stop, &of_other));
        crate::harness::eventually("they write", || {
            of_default.load(Ordering::Acquire) > 20 && of_other.load(Ordering::Acquire) > 20
        });
        for number in 0..4 {
            let heads = (of_default.load(Ordering::Acquire), of_other.load(Ordering::Acquire));
            let file = env.path(&format!("{number}.tar"));
            let output = env.cli(&["backup", text(&file)]);
            if output.code != 0 {
                stop.store(true, Ordering::Release);
            }
            output.ok();
            backups.push((file, heads.0, heads.1));
        }
        stop.store(true, Ordering::Release);
    });
    for client in [one, two, three] {
        assert!(client.close_stdin_and_wait().status.success());
    }
    let ids = Audit::of(&env.data().join("catalog")).instances();
    for (file, of_default, of_other) in backups {
        let other = restored(text(&file));
        for (name, acknowledged) in [("default", of_default), ("other", of_other)] {
            let live = Audit::of(&instance_folder(&env.data(), &ids[name]));
            let held = Audit::of(&instance_folder(&other.data(), &ids[name]));
            assert_eq!((&live.problems, &held.problems), (&vec![], &vec![]), "{name}");
            assert!(held.head() >= acknowledged, "{name}: {} was acknowledged, {} is there", acknowledged, held.head());
            // The audit has folded the log into the records; here it is the beginning of what became of it.
            assert_eq!(held.rows, live.rows[..held.rows.len()], "{name}");
        }
    }
    assert_eq!(leftovers(&env), Vec::<PathBuf>::new());
}

#[test]
fn what_is_purged_and_collected_meanwhile_breaks_no_backup() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    client.write("stays", &"s".repeat(80_000));
    let stop = AtomicBool::new(false);
    let file = env.path("b.tar");
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0.. {
                if stop.load(Ordering::Acquire) {
                    return;
                }
                // Large values come, lose their last name, and are removed at once.
                let key = format!("k{}", number % 3);
                client.write(&key, &format!("{number} {}", "x".repeat(70_000)));
                client.call("delete_key", json!({"key": key})).ok();
                drop(client.call("op_call", json!({"name": "purge_key", "args": {"key": key}})));
            }
        });
        for _ in 0..8 {
            let output = env.cli(&["backup", text(&file)]);
            let checked = std::panic::catch_unwind(|| {
                output.ok();
                restored(text(&file))
            });
            if checked.is_err() {
                stop.store(true, Ordering::Release);
            }
            let other = checked.unwrap_or_else(|failed| std::panic::resume_unwind(failed));
            let (catalog, instance) = crate::harness::audit::audit(&other.data(), "default");
            assert_eq!((catalog.problems, instance.unwrap().problems), (vec![], vec![]));
        }
        stop.store(true, Ordering::Release);
    });
    assert_eq!(leftovers(&env), Vec::<PathBuf>::new());
}

#[test]
fn two_backups_of_a_store_at_once_are_both_whole_or_one_is_refused() {
    let env = Env::new();
    env.cli(&["set", "k", &"v".repeat(100_000)]).ok();
    let files = ["a.tar", "b.tar"].map(|name| env.path(name));
    let codes = thread::scope(|scope| {
        let running = files.each_ref().map(|file| scope.spawn(|| env.cli(&["backup", text(file)]).code));
        running.map(|backup| backup.join().unwrap())
    });
    assert!(codes.contains(&0), "{codes:?}");
    for (file, code) in files.iter().zip(codes) {
        assert!([0, 6].contains(&code), "{codes:?}");
        assert_eq!(file.exists(), code == 0);
        if code == 0 {
            restored(text(file));
        }
    }
    assert_eq!(leftovers(&env), Vec::<PathBuf>::new());
}
