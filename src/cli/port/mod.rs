//! `mindcache export` and `mindcache import`.

mod export;
mod import;
mod input;
mod plan;

pub(super) use export::{ExportArgs, export};
pub(super) use import::{ImportArgs, import};

/// Keys that are read at once: as many small values are in memory.
const PAGE: usize = 100;
