//! The power goes: nothing acknowledged is lost, whatever the disk made of what was not synced.
//!
//! The built program runs under a tracer, several processes at once. From its calls a strict model of a disk works out
//! what may be left at any moment; that is laid down in a fresh folder and opened. So every write, sync and rename of
//! the real program counts: SQLite's, the values in files, the folders of instances. Shared memory is left as garbage.
//! What the model does not know: a disk that lies about its syncs, and damage to bytes that nobody was writing.

mod calls;
mod disk;
mod script;

use std::{collections::BTreeMap, path::Path};

use serde_json::json;

use crate::harness::{
    Env,
    audit::{Audit, Row, audit, instance_folder},
    chance::{Chance, rounds},
    say,
};
use calls::Act;
use disk::{ALL_KEPT, Disk, Kept};
use script::Run;

/// What is wrong with what a cut at this moment left.
fn problems(run: &Run, data: &Path, cut: u64) -> Vec<String> {
    let is_purged = run.told.iter().any(|told| told.is_purge && told.at <= cut);
    let mut told = run.told.iter().filter(|told| told.at <= cut);
    if !data.join("catalog").exists() {
        return Vec::from_iter(told.next().map(|told| format!("there is no catalog, and this was told: {told:?}")));
    }
    let catalog = Audit::of(&data.join("catalog"));
    let instances = catalog.instances();
    let mut problems = prefix(run, "catalog", &catalog, is_purged);
    let mut heads = BTreeMap::new();
    for (name, id) in &instances {
        let audit = Audit::of(&instance_folder(data, id));
        problems.extend(prefix(run, id, &audit, is_purged));
        heads.insert(name.as_str(), audit.head());
    }
    for told in told {
        let head = heads.get(told.instance).copied().unwrap_or_default();
        if head < told.version {
            problems.push(format!("lost: the log ends at {head}, and this was told: {told:?}"));
        }
        if told.made.as_ref().is_some_and(|id| !instances.values().any(|each| each == id)) {
            problems.push(format!("lost: the catalog has {instances:?}, and this was told: {told:?}"));
        }
    }
    problems
}

/// What is left of a log is its beginning, row by row, and everything else in the files agrees with it. Rows that were
/// trimmed later cannot be compared; values that were purged later may still be there.
fn prefix(run: &Run, id: &str, audit: &Audit, is_purged: bool) -> Vec<String> {
    let Some(end) = run.ends.get(id) else { return vec![format!("{id} is not there at the end")] };
    let rows: BTreeMap<u64, &Row> = end.rows.iter().map(|row| (row.seq, row)).collect();
    let is_gone = |row: &Row| row.body.as_ref().is_some_and(|body| body.contains("\"value\":\"gone\""));
    let fits = |left: &Row| match rows.get(&left.seq) {
        None => left.seq < end.start,
        Some(row) if is_gone(row) && !is_purged => *left == Row { body: left.body.clone(), ..(*row).clone() },
        Some(row) => left == *row,
    };
    let odd: Vec<_> = audit.rows.iter().filter(|left| !fits(left)).collect();
    let problem = (!odd.is_empty()).then(|| format!("the log of {id} is no beginning of what it became: {odd:?}"));
    audit.problems.iter().cloned().chain(problem).collect()
}

/// The program opens what is left, answers what the files say, and goes on.
fn goes_on(env: &Env, left: &Audit) {
    let mut client = env.mcp();
    let values = left.values();
    assert!(client.keys().iter().eq(values.keys()), "the keys are {:?}", values.keys());
    for (key, value) in &values {
        assert!(client.value(key) == *value, "{key} is as the files have it");
    }
    let version = client.write("after the cut", "goes on");
    assert_eq!(version, left.head() + 1);
    client.call("write_key", json!({"key": "after the cut", "value": "x".repeat(70_000)})).ok();
    assert!(client.close_stdin_and_wait().status.success());
    let after = audit(&env.data(), "default").1.expect("it is there");
    assert_eq!(after.problems, Vec::<String>::new());
}

/// Lays down what a cut leaves and looks at it; with the program too if asked for.
fn cut(run: &Run, at: u64, kept: Kept, chance: &mut Chance, is_opened: bool) -> Vec<String> {
    let disk = Disk::at(&run.calls, &run.root, at);
    let env = Env::new();
    // The program shall find what the cut left, not what an earlier look has mended.
    let again = chance.clone();
    disk.leave(&env.path(""), kept, chance);
    let mut found = problems(run, &env.data(), at);
    if is_opened && found.is_empty() {
        let left = audit(&env.data(), "default").1.unwrap_or_default();
        let env = Env::new();
        disk.leave(&env.path(""), kept, &mut again.clone());
        goes_on(&env, &left);
    }
    for problem in &mut found {
        *problem = format!("cut at {at}, kept {kept:?}: {problem}");
    }
    found
}

/// A moment: when an answer begins to leave, as often as any other.
fn moment(run: &Run, chance: &mut Chance) -> u64 {
    if chance.one_in(2) {
        return chance.pick(&run.told).at;
    }
    let call = chance.pick(&run.calls);
    if chance.one_in(2) { call.began } else { call.ended }
}

#[test]
fn a_power_cut_loses_nothing_acknowledged() {
    let Some(run) = script::run("full") else { return };
    let mut chance = Chance::of("power");
    let (cuts, opened) = (rounds(40), 4);
    for number in 0..cuts {
        let at = moment(&run, &mut chance);
        let kept = ALL_KEPT[number % ALL_KEPT.len()];
        let found = cut(&run, at, kept, &mut chance, number % opened == 0);
        assert!(found.is_empty(), "cut {number}: {}", found.join("\n"));
    }
    say(&format!("{cuts} cuts in a run of {} calls and {} answers: nothing lost", run.calls.len(), run.told.len()));
}

#[test]
fn a_cut_after_each_answer_with_nothing_kept_loses_nothing_acknowledged() {
    let Some(run) = script::run("full") else { return };
    let mut chance = Chance::seeded(1);
    for told in &run.told {
        let found = cut(&run, told.at, Kept::Nothing, &mut chance, false);
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
}

#[test]
fn with_normal_durability_the_same_cuts_lose_what_was_acknowledged() {
    let Some(run) = script::run("normal") else { return };
    let mut chance = Chance::seeded(1);
    let found: Vec<_> =
        run.told.iter().flat_map(|told| cut(&run, told.at, Kept::Nothing, &mut chance, false)).collect();
    assert!(found.iter().any(|problem| problem.contains("lost: ")), "{found:?}");
    // It loses the end, and nothing but the end.
    let other: Vec<_> = found.iter().filter(|problem| !problem.contains("lost: ")).collect();
    assert!(other.is_empty(), "{other:?}");
}

#[test]
fn bug_what_a_killed_process_left_unsynced_is_made_sure_by_the_next() {
    let Some(first) = script::run_one(&Env::new(), "a") else { return };
    let mut chance = Chance::seeded(1);
    let syncs = first.calls.iter().filter(|call| matches!(call.act, Act::Sync(_)));
    for (number, sync) in syncs.enumerate() {
        // A kill just before this sync: what was called so far is there, sure or not.
        let killed = sync.began - 1;
        let mut disk = Disk::at(&first.calls, &first.root, killed);
        let env = Env::new();
        disk.leave(&env.path(""), Kept::Everything, &mut chance);
        let Some(next) = script::run_one(&env, "b") else { return };
        let at = next.told.last().expect("the next process answered").at;
        disk.go_on(&next.calls, &next.root, at);
        let left = Env::new();
        disk.leave(&left.path(""), Kept::Nothing, &mut chance);
        let found = problems(&next, &left.data(), at);
        assert!(found.is_empty(), "killed before sync {number}, {:?}: {}", sync.act, found.join("\n"));
    }
}
