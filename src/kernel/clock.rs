//! The clock. Only this file reads the machine's.
#![expect(clippy::disallowed_methods, reason = "this is where time comes from")]

use jiff::tz::TimeZone;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A pause between rounds, between looks, before another try: never a wait for an event.
pub async fn pause(length: Duration) {
    tokio::time::sleep(length).await;
}

/// Tells the time. Injected, so that tests own it.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970. It may step back: the store's high-water mark holds the line.
    fn wall_ms(&self) -> i64;

    /// The zone in which templates tell the date and the time.
    fn zone(&self) -> TimeZone {
        TimeZone::UTC
    }
}

/// The machine's clock, with the zone of the settings.
#[derive(Debug, Clone)]
pub struct SystemClock {
    /// The zone.
    pub zone: TimeZone,
}

impl Clock for SystemClock {
    fn wall_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    fn zone(&self) -> TimeZone {
        self.zone.clone()
    }
}

/// A point in time to measure from.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts to measure.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Milliseconds since the start.
    pub fn elapsed_ms(&self) -> u128 {
        self.0.elapsed().as_millis()
    }
}
