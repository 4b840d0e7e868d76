//! Backup and restore killed at random moments: the file and the data folder are whole or not there, the store is
//! unharmed, and the next one clears away what was left.

use std::{path::PathBuf, process::Stdio, time::Duration};

use super::{everything, leftovers, restored, text};
use crate::harness::{
    Env,
    chance::{Chance, rounds},
    eventually,
    mcp::{Client, Era},
    say,
};

/// Longest wait for the kill, in microseconds: about as long as the command takes.
const LONGEST: usize = 120_000;

/// Runs a command and kills it after a while, unless it has ended.
fn killed(env: &Env, args: &[&str], chance: &mut Chance) {
    let mut command = env.command();
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the program starts");
    pause(Duration::from_micros(chance.below(LONGEST) as u64));
    // It may have ended by itself.
    drop(child.kill());
    child.wait().expect("it ends");
}

#[expect(clippy::disallowed_methods, reason = "the moment of the kill is to be random")]
fn pause(wait: Duration) {
    std::thread::sleep(wait);
}

fn store() -> Env {
    let env = Env::new();
    for number in 0..6 {
        let value = format!("{number}{}", "v".repeat(100_000));
        env.cli_with_stdin(&["set", &format!("k{number}"), "-"], value.as_bytes()).ok();
    }
    env.cli(&["instance", "snapshot", "default"]).ok();
    env.cli(&["instance", "clone", "default", "work"]).ok();
    env
}

#[test]
fn a_killed_backup_leaves_the_last_one_and_the_store_as_they_were() {
    let (env, mut chance) = (store(), Chance::of("backup kill"));
    let expected = everything(&env.data());
    let (file, mut replaced, mut first) = (env.path("b.tar"), 0, false);
    for round in 0..rounds(8) {
        let before = std::fs::metadata(&file).and_then(|found| found.modified()).ok();
        killed(&env, &["backup", text(&file)], &mut chance);
        if file.exists() {
            first |= before.is_none();
            replaced += usize::from(std::fs::metadata(&file).unwrap().modified().ok() != before);
            assert!(everything(&restored(text(&file)).data()) == expected, "round {round}");
        }
        assert!(everything(&env.data()) == expected, "round {round}");
    }
    say(&format!("{replaced} ended before they were killed; the first of them was not cut: {first}"));
    env.cli(&["set", "more", "x"]).ok();
    env.cli(&["backup", text(&file)]).ok();
    assert_eq!(leftovers(&env), Vec::<PathBuf>::new());
    assert!(everything(&restored(text(&file)).data()) == everything(&env.data()));
}

#[test]
fn a_killed_restore_leaves_an_empty_or_a_whole_data_folder() {
    let (env, mut chance) = (store(), Chance::of("restore kill"));
    let (file, expected) = (env.path("b.tar"), everything(&env.data()));
    env.cli(&["backup", text(&file)]).ok();
    let (mut whole, mut empty) = (0, 0);
    for round in 0..rounds(8) {
        let other = Env::new();
        let was_there = chance.one_in(2);
        if was_there {
            std::fs::create_dir(other.data()).unwrap();
        }
        killed(&other, &["backup", "--restore", text(&file)], &mut chance);
        let is_empty = std::fs::read_dir(other.data()).map_or(!was_there, |mut entries| entries.next().is_none());
        if is_empty {
            empty += 1;
            other.cli(&["backup", "--restore", text(&file)]).ok();
        } else {
            whole += 1;
        }
        assert!(everything(&other.data()) == expected, "round {round}");
        assert_eq!(leftovers(&other), Vec::<PathBuf>::new(), "round {round}");
    }
    say(&format!("{empty} were cut, {whole} ended before"));
}

#[test]
fn upkeep_removes_at_once_what_a_killed_backup_has_left() {
    let env = store();
    let left = env.data().join(".new-backup");
    std::fs::create_dir(&left).unwrap();
    for name in ["lock", "a value that was purged since"] {
        std::fs::write(left.join(name), b"").unwrap();
    }
    let mut command = env.command();
    command.arg("mcp").env("MINDCACHE_UPKEEP_EVERY_MS", "50");
    let mut client = Client::start(command, Era::Legacy);
    client.handshake();
    eventually("it is gone", || !left.exists());
    let file = env.path("b.tar");
    env.cli(&["backup", text(&file)]).ok();
    assert!(client.close_stdin_and_wait().status.success());
    assert_eq!(leftovers(&env), Vec::<PathBuf>::new());
}
