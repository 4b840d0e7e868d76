//! `mindcache doctor`: whether the store is well and clients would be answered, each finding with what to do.

mod clients;
mod processes;
mod trip;

use std::{fs, path::Path};

use clap::Args;
use serde_json::{Map, Value, json};

use crate::{
    config::Settings,
    kernel::clock::{Clock as _, SystemClock},
    model::instance::{InstanceId, InstanceRef},
    ops::{instances::catalog::List, operation::Operation as _},
    store::sqlite::{Fault, SqliteStore, sqlite_version},
};

use super::{
    Session, commands,
    output::{Failure, Output},
};

/// By how much the clock may be behind what a store has seen, in milliseconds.
const CLOCK_MS: i64 = 60_000;
/// Below this many free bytes a store soon cannot be written.
const FREE_BYTES: u64 = 64 * 1024 * 1024;

/// `doctor`.
#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Read everything: every page, index, row of the log and large value
    #[arg(long)]
    deep: bool,
}

/// One thing that was looked at.
struct Check {
    name: String,
    detail: String,
    faults: Vec<Fault>,
}

impl Check {
    fn new(name: impl Into<String>, detail: impl Into<String>, faults: Vec<Fault>) -> Self {
        Self { name: name.into(), detail: detail.into(), faults }
    }

    fn is_well(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Looks, tells, and fails when something is wrong.
pub(super) async fn run(
    args: &DoctorArgs,
    settings: &Settings,
    session: &Session,
    output: &Output,
) -> Result<(), Failure> {
    let root = settings.data_dir()?;
    let store = settings.store()?;
    let versions = format!("{} with SQLite {}", env!("CARGO_PKG_VERSION"), sqlite_version());
    let mut checks = vec![Check::new("version", versions, Vec::new()), folder(&root, &store)];
    if root.join("catalog").exists() {
        checks.push(processes::check(&root, &commands()));
        checks.extend(instances(args, session, &store, settings).await);
    } else {
        checks.push(Check::new("store", "none yet: it is made on first use", Vec::new()));
    }
    checks.push(transport("stdio", trip::stdio(&root)));
    checks.push(transport("HTTP", trip::http()));
    checks.extend(clients::checks(settings));
    tell(&checks, output)?;
    let faults = checks.iter().filter(|check| !check.is_well()).count();
    if faults == 0 {
        return Ok(());
    }
    Err(Failure::Other(anyhow::anyhow!("{faults} of {} checks found something wrong", checks.len())))
}

fn tell(checks: &[Check], output: &Output) -> Result<(), Failure> {
    if output.is_json() {
        let told: Vec<Value> = checks.iter().map(as_json).collect();
        return output.structured(&json!({"healthy": checks.iter().all(Check::is_well), "checks": told}));
    }
    for check in checks {
        let state = if check.is_well() { "ok   " } else { "WRONG" };
        output.line(format!("{state}  {}: {}", check.name, check.detail).trim_end_matches([':', ' ']))?;
        for fault in &check.faults {
            output.line(&format!("       {}", fault.what))?;
            output.line(&format!("       -> {}", fault.remedy))?;
        }
    }
    Ok(())
}

fn as_json(check: &Check) -> Value {
    let faults: Vec<Value> =
        check.faults.iter().map(|fault| json!({"what": fault.what, "remedy": fault.remedy})).collect();
    json!({"check": check.name, "ok": check.is_well(), "detail": check.detail, "faults": faults})
}

/// The data folder: whose it is, on what it lies, how much room there is.
fn folder(root: &Path, store: &SqliteStore) -> Check {
    let mut faults: Vec<Fault> = store.examine_place().into_iter().collect();
    let nearest = root.ancestors().find(|path| path.exists()).unwrap_or(root);
    let mut detail = root.display().to_string();
    if let Some(free) = free_bytes(nearest) {
        detail = format!("{detail}, {} MiB free", free / 1024 / 1024);
        if free < FREE_BYTES {
            faults.push(Fault::new("the disk is nearly full", "free some space"));
        }
    }
    let token = root.join("token");
    for (path, mode) in [(root, "700"), (token.as_path(), "600")] {
        if path.exists() && is_open_to_others(path) {
            let what = format!("other users of this machine can look into {}", path.display());
            faults.push(Fault::new(what, format!("chmod {mode} {}", path.display())));
        }
    }
    if root.exists() && !is_writable(root) {
        let what = format!("{} cannot be written", root.display());
        faults.push(Fault::new(what, "make it writable for this user, or choose another with --data-dir"));
    }
    if let Some(left) = store.unfinished_restore() {
        let what = format!("a restore did not end and has left {}", left.display());
        faults.push(Fault::new(what, "restore again, which removes it, or remove it by hand"));
    }
    Check::new("data folder", detail, faults)
}

#[cfg(unix)]
fn free_bytes(path: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(path).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(not(unix))]
fn free_bytes(_: &Path) -> Option<u64> {
    None
}

#[cfg(unix)]
fn is_open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
}

#[cfg(unix)]
fn is_writable(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok()
}

#[cfg(not(unix))]
fn is_writable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| !found.permissions().readonly())
}

#[cfg(not(unix))]
fn is_open_to_others(_: &Path) -> bool {
    false
}

/// The catalog and each instance that it lists.
async fn instances(args: &DoctorArgs, session: &Session, store: &SqliteStore, settings: &Settings) -> Vec<Check> {
    let mut checks = vec![examined("the catalog", &InstanceId::catalog(), args, store, settings)];
    let mut pages = session.pages(List::NAME, Map::new());
    loop {
        let page = match pages.next().await {
            Ok(Some(reply)) => reply.result,
            Ok(None) => return checks,
            Err(error) => {
                checks.push(Check::new("the list of instances", "", vec![error.into()]));
                return checks;
            }
        };
        for listed in page.get("instances").and_then(Value::as_array).into_iter().flatten() {
            let text = |name: &str| listed.get(name).and_then(Value::as_str).unwrap_or_default();
            if let Ok(InstanceRef::Id(id)) = InstanceRef::parse(text("id")) {
                checks.push(examined(&format!("instance \"{}\"", text("name")), &id, args, store, settings));
            }
        }
    }
}

fn examined(name: &str, id: &InstanceId, args: &DoctorArgs, store: &SqliteStore, settings: &Settings) -> Check {
    let mut found = store.examine(id, args.deep);
    let now_ms = SystemClock { zone: settings.time_zone.clone() }.wall_ms();
    if found.clock_ms > now_ms + CLOCK_MS {
        let what =
            "the clock of this machine is behind what was written here: times stand still until it has caught up";
        found.faults.push(Fault::new(what, "set the clock"));
    }
    let how = if args.deep { ", looked through" } else { "" };
    let detail = format!("{} records, {} KiB{how}", found.records, found.database_bytes / 1024);
    Check::new(name, detail, found.faults)
}

fn transport(name: &str, tripped: anyhow::Result<String>) -> Check {
    match tripped {
        Ok(detail) => Check::new(name, detail, Vec::new()),
        Err(error) => {
            let remedy = "run `mindcache mcp` by hand with --log debug and look at what it says";
            Check::new(name, "", vec![Fault::new(format!("a client would not be answered: {error:#}"), remedy)])
        }
    }
}
