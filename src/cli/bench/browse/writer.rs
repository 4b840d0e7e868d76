//! Whether browsing makes a writer wait: writes alone and while another connection browses all keys without a pause, in
//! turn, so that a machine that slows down slows both.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Instant,
};

use anyhow::{anyhow, ensure};
use serde_json::json;

use crate::{
    model::instance::InstanceRef,
    ops::{keys::write::Write, operation::Operation as _},
};

use super::{
    super::{
        figures::{median, micros, percentile, ratio},
        report::Ratio,
        workload::{key, scattered, value},
    },
    Asking, Kind,
};

/// Times in which each is measured.
const ROUNDS: u64 = 10;

/// How long writes took, in microseconds.
#[derive(Default)]
pub(super) struct Writes {
    alone: Vec<f64>,
    beside: Vec<f64>,
    /// Pages that were browsed meanwhile.
    pages: u64,
}

impl Writes {
    /// Measures so many of each.
    pub(super) async fn measure(asking: &Asking, writes: u64) -> anyhow::Result<Self> {
        let mut found = Self::default();
        let mut turn = 0;
        // The first round opens what later ones find open.
        for round in 0..=ROUNDS {
            for is_beside in [false, true] {
                let browsing = is_beside.then(|| Browsing::start(asking));
                if let Some(browsing) = &browsing {
                    browsing.is_under_way()?;
                }
                for _ in 0..writes.div_ceil(ROUNDS) {
                    turn += 1;
                    let took = write(asking, turn).await?;
                    let kept = if is_beside { &mut found.beside } else { &mut found.alone };
                    if round > 0 {
                        kept.push(took);
                    }
                }
                if let Some(browsing) = browsing {
                    found.pages += browsing.end()?;
                }
            }
        }
        ensure!(found.pages > 0, "nothing was browsed");
        Ok(found)
    }

    /// Its rows: p50 and p99.
    pub(super) fn rows(&self) -> [(String, Vec<Option<f64>>); 2] {
        let row = |name: &str, samples: &[f64]| (name.to_owned(), vec![median(samples), percentile(samples, 99)]);
        let beside = format!("a write, while {} pages are browsed", self.pages);
        [row("a write, alone", &self.alone), row(&beside, &self.beside)]
    }

    /// What browsing makes of a write.
    pub(super) fn ratios(&self) -> [Ratio; 2] {
        let of = |percent| ratio(percentile(&self.beside, percent), percentile(&self.alone, percent));
        let words = |which: &str| format!("a write beside browsing, {which}, over one alone");
        [
            Ratio { key: "write", label: words("p50"), value: of(50), aim: "at most 1.5" },
            Ratio { key: "write_p99", label: words("p99"), value: of(99), aim: "at most 2" },
        ]
    }
}

#[expect(clippy::disallowed_methods, reason = "the time is what is measured")]
async fn write(asking: &Asking, turn: u64) -> anyhow::Result<f64> {
    let args = json!({"key": key(scattered(turn, asking.keys)), "value": value(turn)});
    let instance = InstanceRef::Name("default".into());
    let start = Instant::now();
    asking.kernel.execute(&asking.caller, &instance, Write::NAME, args).await?;
    Ok(micros(start.elapsed()))
}

/// Somebody who pages through the keys, in every order, until told to stop.
struct Browsing {
    is_over: Arc<AtomicBool>,
    pages: Arc<AtomicU64>,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Browsing {
    /// Begins, on a thread and so a connection of its own.
    fn start(asking: &Asking) -> Self {
        let (is_over, pages) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (over, seen, asking) = (Arc::clone(&is_over), Arc::clone(&pages), asking.clone());
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                for turn in 0.. {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    for kind in [Kind::Rank, Kind::Part, Kind::Recent] {
                        asking.page(kind, turn).await?;
                        seen.fetch_add(1, Ordering::Relaxed);
                    }
                }
                anyhow::Ok(())
            })
        });
        Self { is_over, pages, thread }
    }

    /// Waits until the first page was browsed.
    fn is_under_way(&self) -> anyhow::Result<()> {
        while self.pages.load(Ordering::Relaxed) == 0 {
            ensure!(!self.thread.is_finished(), "browsing ended by itself");
            thread::yield_now();
        }
        Ok(())
    }

    /// Ends it; how many pages there were.
    fn end(self) -> anyhow::Result<u64> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("browsing broke off"))??;
        Ok(self.pages.load(Ordering::Relaxed))
    }
}
