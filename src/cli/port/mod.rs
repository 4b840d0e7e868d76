//! `mindcache export` and `mindcache import`.

mod export;
mod import;
mod input;
mod plan;

pub(super) use export::{ExportArgs, export};
pub(super) use import::{ImportArgs, import};
