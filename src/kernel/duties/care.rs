//! How a store is to be kept.

use std::time::Duration;

use crate::store::upkeep::Retention;

/// How a store is to be kept.
#[derive(Debug, Clone, Copy)]
pub struct Care {
    /// How many instances may have files open.
    pub files: usize,
    /// How much of each log is kept.
    pub retention: Retention,
    /// How often to look for something to do.
    pub every: Duration,
    /// After how long without use files are closed.
    pub idle: Duration,
    /// Whether keys are indexed and searched.
    pub search: bool,
}

impl Default for Care {
    fn default() -> Self {
        Self {
            files: crate::kernel::most_open(1024),
            retention: Retention::default(),
            every: Duration::from_secs(30),
            idle: Duration::from_mins(5),
            search: true,
        }
    }
}
