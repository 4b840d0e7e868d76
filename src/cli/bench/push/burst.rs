//! Many writes to one key, one right after the other: few notifications, and one after the last.
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

use std::time::{Duration, Instant};

use serde_json::json;

use super::stand::Stand;
use crate::cli::bench::Plan;
use crate::cli::bench::client::Call;
use crate::cli::bench::figures::{millis, number};
use crate::cli::bench::report::{Column, Ratio, Report};
use crate::cli::bench::workload::{key, value};
use crate::ops::{keys::write::Write, operation::Operation as _};

const COLUMNS: &[Column] = &[
    Column { key: "writes", heading: "writes", decimals: 0 },
    Column { key: "writes_ms", heading: "in ms", decimals: 0 },
    Column { key: "notifications", heading: "notifications", decimals: 0 },
    Column { key: "least_gap_ms", heading: "least gap ms", decimals: 1 },
    Column { key: "after_the_last", heading: "after the last reply", decimals: 0 },
];
/// When nothing is heard for so long, all has been told.
const SILENCE: Duration = Duration::from_millis(300);

/// What was heard of one burst.
struct Burst {
    writes: u64,
    took: Duration,
    last_reply: Instant,
    told: Vec<Instant>,
}

/// One burst by the follower itself and one by another process.
pub(super) fn run(plan: &Plan) -> anyhow::Result<Report> {
    let writes = plan.keys(1_000);
    let own = Burst::of(&mut Stand::over_pipes(plan, 1, true)?, writes)?;
    let other = Burst::of(&mut Stand::over_pipes(plan, 1, false)?, writes)?;
    let figure = |key, label: &str, value, aim| Ratio { key, label: label.to_owned(), value, aim };
    Ok(Report {
        name: "push_burst",
        about: "writes to one subscribed key, one right after the other".to_owned(),
        columns: COLUMNS,
        rows: vec![("written by itself".to_owned(), own.row()), ("written by another process".to_owned(), other.row())],
        ratios: vec![
            figure("own_gap_ms", "least gap ms, by itself", own.least_gap_ms(), GAP_AIM),
            figure("other_gap_ms", "least gap ms, by another process", other.least_gap_ms(), GAP_AIM),
            figure("own_after_the_last", "told after the last reply, by itself", own.after_the_last(), LAST_AIM),
            figure("other_after_the_last", "the same, by another process", other.after_the_last(), LAST_AIM),
        ],
    })
}

const GAP_AIM: &str = "about 100 or more";
const LAST_AIM: &str = "at least 1";

impl Burst {
    fn of(stand: &mut Stand, writes: u64) -> anyhow::Result<Self> {
        // The first write opens the store: it is let go by, and what is told of it.
        stand.write(&write_of(0))?;
        while stand.next_told(SILENCE)?.is_some() {}
        let begun = Instant::now();
        let mut last_reply = begun;
        for turn in 1..=writes {
            last_reply = stand.write(&write_of(turn))?;
        }
        let mut told = Vec::new();
        while let Some((at, _)) = stand.next_told(SILENCE)? {
            told.push(at);
        }
        Ok(Self { writes, took: last_reply.duration_since(begun), last_reply, told })
    }

    fn least_gap_ms(&self) -> Option<f64> {
        let gaps = self.told.windows(2).filter_map(|pair| match pair {
            [earlier, later] => Some(millis(later.duration_since(*earlier))),
            _ => None,
        });
        gaps.min_by(f64::total_cmp)
    }

    fn after_the_last(&self) -> Option<f64> {
        count(self.told.iter().filter(|at| **at >= self.last_reply).count())
    }

    fn row(&self) -> Vec<Option<f64>> {
        let told = count(self.told.len());
        vec![Some(number(self.writes)), Some(millis(self.took)), told, self.least_gap_ms(), self.after_the_last()]
    }
}

fn write_of(turn: u64) -> Call {
    // A value that the key does not have from the filling.
    Call { name: Write::NAME.into(), arguments: json!({"key": key(0), "value": value(1 + turn)}) }
}

fn count(things: usize) -> Option<f64> {
    u64::try_from(things).ok().map(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_and_what_came_last_are_counted() {
        let begun = Instant::now();
        let at = |ms| begun + Duration::from_millis(ms);
        let burst = Burst { writes: 9, took: Duration::from_millis(250), last_reply: at(250), told: Vec::new() };
        assert_eq!((burst.least_gap_ms(), burst.after_the_last()), (None, Some(0.0)));
        let burst = Burst { told: vec![at(1), at(103), at(203), at(303)], ..burst };
        assert_eq!((burst.least_gap_ms(), burst.after_the_last()), (Some(100.0), Some(1.0)));
        assert_eq!(burst.row(), [9.0, 250.0, 4.0, 100.0, 1.0].map(Some));
    }
}
