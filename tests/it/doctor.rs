//! `mindcache doctor`: a well store is well, and each kind of damage is found and told with what to do.

use std::path::PathBuf;

use serde_json::Value;

use crate::harness::Env;

/// A store with some of everything.
fn store() -> Env {
    let env = Env::new();
    env.cli(&["set", "notes", "one", "--tags", "a"]).ok();
    env.cli(&["set", "notes", "two"]).ok();
    env.cli_with_stdin(&["set", "large", "-"], &vec![b'x'; 200_000]).ok();
    env.cli(&["set", "gone", "x"]).ok();
    env.cli(&["rm", "gone"]).ok();
    env.cli(&["instance", "snapshot", "default"]).ok();
    env
}

fn database(env: &Env) -> PathBuf {
    let id = env.cli(&["--json", "instance", "list"]).json()["instances"]
        .as_array()
        .and_then(|all| all.iter().find(|each| each["name"] == "default")?["id"].as_str().map(str::to_owned))
        .unwrap();
    env.data().join("instances").join(&id[..2]).join(id)
}

fn faults(env: &Env) -> String {
    let output = env.cli(&["--json", "doctor", "--deep"]);
    assert_eq!(output.code, 1, "{}", output.stderr);
    let told: Value = serde_json::from_slice(output.stdout.split(|byte| *byte == b'\n').next().unwrap()).unwrap();
    assert_eq!(told["healthy"], false);
    let checks = told["checks"].as_array().unwrap().iter();
    checks.flat_map(|check| check["faults"].as_array().unwrap()).map(|fault| fault["what"].to_string()).collect()
}

#[test]
fn a_well_store_is_well_and_both_transports_answer() {
    let env = store();
    for args in [&["doctor"][..], &["doctor", "--deep"]] {
        let said = env.cli(args).ok();
        for check in [
            "version: ",
            "data folder: ",
            "processes: nobody else has the store open",
            "the catalog: ",
            "instance \"default\": 2 records",
            "stdio: answered by",
            "HTTP: answered by",
        ] {
            assert!(said.contains(&format!("ok     {check}")), "{check} in {said}");
        }
        assert!(!said.contains("WRONG"), "{said}");
    }
    assert_eq!(env.cli(&["--json", "doctor"]).json()["healthy"], true);
    assert!(Env::new().cli(&["doctor"]).ok().contains("none yet"));
}

#[test]
fn each_kind_of_damage_is_found() {
    let env = store();
    let folder = database(&env);
    let spoil = |sql: &str| {
        rusqlite::Connection::open(folder.join("instance.db")).unwrap().execute_batch(sql).unwrap();
    };
    spoil("UPDATE entry SET key = X'62' WHERE name = 'tag'");
    assert!(faults(&env).contains("the indexes are not what the records say"));
    spoil("UPDATE entry SET key = X'61' WHERE name = 'tag'; UPDATE tally SET records = records + 1 WHERE kind = 'key'");
    assert!(faults(&env).contains("the counts are not"));
    spoil("UPDATE tally SET records = records - 1 WHERE kind = 'key'; UPDATE state SET head = head + 1");
    assert!(faults(&env).contains("rows of the log are missing"));
    spoil("UPDATE state SET head = head - 1; UPDATE record SET version = version + 100 WHERE id = 'notes'");
    assert!(faults(&env).contains("1 records are not what the log says"));
    spoil("UPDATE record SET version = version - 100 WHERE id = 'notes'");
    env.cli(&["doctor", "--deep"]).ok();
    let blobs = folder.join("blobs");
    let shelf = std::fs::read_dir(&blobs).unwrap().flatten().find(|entry| entry.path().is_dir()).unwrap().path();
    let large = std::fs::read_dir(shelf).unwrap().flatten().next().unwrap().path();
    // A snapshot shares the file, so it is replaced, not changed.
    std::fs::remove_file(&large).unwrap();
    assert!(faults(&env).contains("is missing"));
    std::fs::write(&large, vec![b'y'; 200_000]).unwrap();
    assert!(faults(&env).contains("is not what it was"));
    std::fs::write(folder.join("instance.db"), [7; 8192]).unwrap();
    assert!(faults(&env).contains("instance.db"));
}

#[cfg(target_os = "linux")]
#[test]
fn who_has_the_store_open_is_told_without_what_was_written() {
    let env = store();
    let mut client = env.mcp();
    client.write("k", "v");
    let server = env.serve(&[]);
    server.mcp().call("list_keys", &serde_json::json!({})).ok();
    let check = |env: &Env| {
        let output = env.cli(&["--json", "doctor"]);
        let told: Value = serde_json::from_slice(output.stdout.split(|byte| *byte == b'\n').next().unwrap()).unwrap();
        told["checks"].as_array().unwrap().iter().find(|check| check["check"] == "processes").unwrap().clone()
    };
    let told = check(&env);
    let detail = told["detail"].as_str().unwrap().to_owned();
    for (pid, command) in [(client.pid(), "mcp"), (server.pid(), "serve")] {
        let begin = format!("{pid} mindcache {command} since ");
        let since = detail.split_once(&begin).unwrap_or_else(|| panic!("{begin}: {detail}")).1;
        assert!(crate::harness::normal::is_time(&since[..24]), "{detail}");
    }
    assert!(!detail.contains("--listen"), "arguments may hold values: {detail}");
    assert_eq!(told["ok"], true);
    crate::harness::signal(client.pid(), "STOP");
    let fault = check(&env)["faults"][0].clone();
    crate::harness::signal(client.pid(), "CONT");
    assert!(fault["what"].as_str().unwrap().contains(&format!("process {} ", client.pid())), "{fault}");
    assert!(fault["remedy"].as_str().unwrap().contains(&format!("kill -CONT {}", client.pid())), "{fault}");
}

#[cfg(unix)]
#[test]
fn a_token_that_others_can_read_and_a_restore_that_did_not_end_are_found() {
    use std::os::unix::fs::PermissionsExt as _;
    let env = store();
    drop(env.serve(&[]));
    let token = env.data().join("token");
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644)).unwrap();
    let found = faults(&env);
    assert!(found.contains("other users") && found.contains("token"), "{found}");
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
    env.cli(&["doctor"]).ok();
    let left = env.path(".data.restoring");
    std::fs::create_dir(&left).unwrap();
    assert!(faults(&env).contains("a restore did not end"));
    std::fs::remove_dir(&left).unwrap();
    std::fs::set_permissions(env.data(), std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(faults(&env).contains("other users"));
}

#[test]
fn bug_a_deep_look_took_what_was_written_meanwhile_for_damage() {
    let env = store();
    let mut client = env.mcp();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Acquire) {
                client.write("notes", "again");
                client.write("more", &"x".repeat(70_000));
            }
        });
        let outputs: Vec<_> = (0..6).map(|_| env.cli(&["doctor", "--deep"])).collect();
        stop.store(true, std::sync::atomic::Ordering::Release);
        for output in outputs {
            assert_eq!(output.code, 0, "{}", String::from_utf8_lossy(&output.stdout));
        }
    });
}
