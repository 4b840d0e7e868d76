//! What a running server has used: CPU time and memory, as the Linux kernel counts them.
//! Elsewhere every figure is unknown and prints as `-`.
#![expect(clippy::disallowed_methods, reason = "a bench waits until a server is quiet")]

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// How often a server is looked at before its CPU time is taken although it still moves.
const LOOKS: usize = 50;
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);

/// CPU time on the processor, in nanoseconds, of each thread alive.
///
/// `/proc/PID/stat` counts in ticks of 10 ms, too coarse for a start of 3 ms; `schedstat` counts
/// nanoseconds. A thread that ended between two readings takes its share with it.
pub(super) struct CpuTime(BTreeMap<u32, u64>);

impl CpuTime {
    /// Reads the threads of `pid`; `None` where there is no such file.
    fn read(pid: u32) -> Option<Self> {
        let mut threads = BTreeMap::new();
        for entry in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
            let thread = entry.file_name().to_str().and_then(|name| name.parse().ok());
            // A thread may end between the listing and the reading.
            let spent = fs::read_to_string(entry.path().join("schedstat"));
            if let (Some(thread), Some(spent)) = (thread, spent.ok().and_then(|s| on_cpu(&s))) {
                threads.insert(thread, spent);
            }
        }
        (!threads.is_empty()).then_some(Self(threads))
    }

    /// Reads once the server is quiet: the kernel brings a running thread's count up to date only
    /// at its next tick, and what a server does right after its reply is part of the call's cost.
    pub(super) fn when_quiet(pid: u32) -> Option<Self> {
        let mut last = Self::read(pid)?;
        for _ in 0..LOOKS {
            std::thread::sleep(BETWEEN_LOOKS);
            let next = Self::read(pid)?;
            if next.0 == last.0 {
                return Some(next);
            }
            last = next;
        }
        Some(last)
    }

    /// All of it since the server started.
    pub(super) fn total(&self) -> Duration {
        Duration::from_nanos(self.0.values().sum())
    }

    /// What was spent since `earlier`, thread by thread, so that one that ended in between does
    /// not subtract its whole past.
    pub(super) fn since(&self, earlier: &Self) -> Duration {
        let spent =
            self.0.iter().map(|(thread, now)| now.saturating_sub(earlier.0.get(thread).copied().unwrap_or_default()));
        Duration::from_nanos(spent.sum())
    }
}

/// CPU time of all children of this process that have ended and been waited for, in milliseconds, in steps of 10.
pub(super) fn children_ms() -> Option<f64> {
    of_children(&fs::read_to_string("/proc/self/stat").ok()?)
}

/// The ticks of the children, in user and in system mode. The second field may hold spaces, so it is skipped whole.
fn of_children(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(13);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) * MS_PER_TICK)
}

/// Linux shows a hundred ticks a second, whatever it counts in.
const MS_PER_TICK: f64 = 10.0;

/// Proportional set size of `pid` in MiB: shared pages are split among those who share them.
pub(super) fn pss_mib(pid: u32) -> Option<f64> {
    kib("Pss:", &fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?).map(|kib| kib / 1024.0)
}

/// The most memory that `pid` has had so far, in MiB; nothing once it has ended.
pub(super) fn peak_mib(pid: u32) -> Option<f64> {
    kib("VmHWM:", &fs::read_to_string(format!("/proc/{pid}/status")).ok()?).map(|kib| kib / 1024.0)
}

/// First field of a `schedstat` line: nanoseconds on the processor.
fn on_cpu(schedstat: &str) -> Option<u64> {
    schedstat.split_whitespace().next()?.parse().ok()
}

/// The number of a line such as `Pss:   1234 kB`.
fn kib(name: &str, lines: &str) -> Option<f64> {
    let line = lines.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lines_are_read() {
        assert_eq!(on_cpu("1843211 5301 12\n"), Some(1_843_211));
        assert_eq!(on_cpu(""), None);
        let rollup = "5600-7ffd [rollup]\nRss:  5000 kB\nPss:      1234 kB\nPss_Dirty: 9 kB\n";
        assert_eq!(kib("Pss:", rollup), Some(1234.0));
        assert_eq!(kib("Pss:", "Rss: 1 kB\n"), None);
    }

    #[test]
    fn the_ticks_of_children_are_found_behind_any_name() {
        let stat = "42 (a b) c) S 1 42 42 0 -1 4194304 90 700 0 0 11 12 13 14 20 0 1 0 100 1000";
        assert_eq!(of_children(stat), Some(270.0));
        assert_eq!(of_children("42 (x) S 1"), None);
    }

    #[test]
    fn a_thread_that_ended_does_not_subtract_its_past() {
        let before = CpuTime(BTreeMap::from([(1, 100), (2, 9_000)]));
        let after = CpuTime(BTreeMap::from([(1, 150), (3, 20)]));
        assert_eq!(after.since(&before), Duration::from_nanos(70));
        assert_eq!(after.total(), Duration::from_nanos(170));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_used_something() {
        let used = CpuTime::read(std::process::id()).unwrap();
        assert!(used.total() > Duration::ZERO);
        assert!(pss_mib(std::process::id()).unwrap() > 0.1);
        assert!(CpuTime::read(u32::MAX).is_none());
    }
}
