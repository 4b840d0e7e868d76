//! Which processes have the store open, as far as the system tells: on Linux by the files that each has open.

use std::{fs, path::Path};

use crate::{model::time, store::sqlite::Fault};

use super::Check;

/// A process that has the store open.
struct Process {
    pid: u32,
    /// Its program and command, without arguments: they may hold values.
    command: String,
    /// When it was started.
    since: Option<String>,
    is_stopped: bool,
    /// Its program was replaced after it was started.
    is_replaced: bool,
}

/// Who has the store open besides this process.
pub(super) fn check(root: &Path, commands: &[String]) -> Check {
    const NAME: &str = "processes";
    let Some(found) = fs::canonicalize(root).ok().and_then(|root| on_linux(&root, commands)) else {
        return Check::new(NAME, "this system does not tell who has the store open", Vec::new());
    };
    let mut faults = Vec::new();
    let told: Vec<String> = found
        .iter()
        .map(|process| {
            let Process { pid, command, since, .. } = process;
            if process.is_stopped {
                let what = format!("process {pid} ({command}) is stopped and may hold up those who write");
                faults.push(Fault::new(what, format!("let it go on with `kill -CONT {pid}`, or end it")));
            }
            let since = since.as_ref().map_or(String::new(), |since| format!(" since {since}"));
            let replaced = if process.is_replaced { ", its program was replaced since" } else { "" };
            format!("{pid} {command}{since}{replaced}")
        })
        .collect();
    let who = if told.is_empty() { "nobody else has the store open".to_owned() } else { told.join("; ") };
    Check::new(NAME, format!("{who} (of those that this user may look at)"), faults)
}

#[cfg(not(target_os = "linux"))]
fn on_linux(_: &Path, _: &[String]) -> Option<Vec<Process>> {
    None
}

#[cfg(target_os = "linux")]
fn on_linux(root: &Path, commands: &[String]) -> Option<Vec<Process>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
        let Some(pid) = pid.filter(|pid| *pid != std::process::id()) else { continue };
        // Those of other users cannot be looked at, and one may end while it is looked at.
        let mut open = fs::read_dir(entry.path().join("fd")).into_iter().flatten().flatten();
        if open.any(|file| fs::read_link(file.path()).is_ok_and(|path| path.starts_with(root))) {
            found.extend(describe(pid, &entry.path(), commands));
        }
    }
    found.sort_by_key(|process| process.pid);
    Some(found)
}

#[cfg(target_os = "linux")]
fn describe(pid: u32, folder: &Path, commands: &[String]) -> Option<Process> {
    let line = fs::read(folder.join("cmdline")).ok()?;
    let words: Vec<_> = line.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    let program = words.first().map(|word| word.rsplit('/').next().unwrap_or_default().to_owned()).unwrap_or_default();
    let command = words.iter().skip(1).find(|word| commands.iter().any(|command| command == *word));
    let (state, started) = state(&fs::read_to_string(folder.join("stat")).ok()?)?;
    Some(Process {
        pid,
        command: [program.as_str(), command.map(AsRef::as_ref).unwrap_or_default()].join(" ").trim_end().to_owned(),
        since: since(started),
        is_stopped: state == 'T',
        is_replaced: fs::read_link(folder.join("exe")).is_ok_and(|exe| exe.to_string_lossy().ends_with(" (deleted)")),
    })
}

/// The state of a process and when it was started, in ticks since the machine was. The name before them is in
/// parentheses and may hold anything.
#[cfg(target_os = "linux")]
fn state(stat: &str) -> Option<(char, u64)> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

/// A time in ticks since the machine was started, as people read it.
#[cfg(target_os = "linux")]
fn since(ticks: u64) -> Option<String> {
    let of_machine = fs::read_to_string("/proc/stat").ok()?;
    let begun: u64 = of_machine.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    let seconds = begun + ticks / rustix::param::clock_ticks_per_second().max(1);
    i64::try_from(seconds * 1000).ok().map(time::rfc3339)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_described_whatever_it_is_called() {
        let stat = "12 (a) R (b) T 1 12 12 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 777 1 1";
        assert_eq!(state(stat), Some(('T', 777)));
        assert_eq!(state(""), None);
        assert!(since(0).is_some_and(|since| since.starts_with("20")));
    }
}
