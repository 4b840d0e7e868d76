//! `mindcache backup`: the whole store in one file, and a data folder from it.
//!
//! The file is a sealed tar (`derive/sealed/`), which `tar` lists and unpacks:
//!
//! | entry | what |
//! |---|---|
//! | `manifest.json` | the first: format and version |
//! | `catalog/instance.db` | the catalog as of one seq |
//! | `instances/<id>/instance.db` | each instance that it lists, as of one seq, with its history |
//! | `blobs/<sha256>` | each large value that one of them names, once |
//! | `contents.json` | the last: who made it, the instances, and name, size and SHA-256 of each entry before it |
//!
//! Not in it: the token (a restored folder gets a new one) and the search indexes (they are made anew).

mod restore;
mod write;

use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::{
    config::Settings,
    derive::sealed::{self, Form, Sum},
    model::{instance::InstanceId, limits},
};

use super::output::{Failure, Output};

/// What a backup says it is.
const FORM: Form = Form { format: "mindcache-backup", version: 1, contents_bytes: 256 * 1024 * 1024 };
/// The catalog's entry.
const CATALOG: &str = "catalog/instance.db";
/// Largest database: more than SQLite can have.
const DATABASE_BYTES: u64 = 1 << 48;

/// `backup`.
#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// The file; one that is there is replaced when the new one is whole
    file: PathBuf,
    /// Build the data folder from the file: it must be empty or not there
    #[arg(long)]
    restore: bool,
}

/// Writes a backup, or restores one.
pub(super) fn run(args: &BackupArgs, settings: &Settings, output: &Output) -> Result<(), Failure> {
    let store = settings.store()?;
    if args.restore {
        restore::restore(&args.file, &store, output)
    } else {
        write::write(&args.file, &store, settings, output)
    }
}

/// What a backup holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    /// The version of mindcache that made it.
    mindcache: String,
    /// The version of its databases.
    store_version: i32,
    /// When it was begun.
    made_at: String,
    catalog: State,
    /// In the order of their ids.
    instances: Vec<Instance>,
    /// Deleted instances whose time was up before they were copied.
    left_out: Vec<InstanceId>,
    entries: Vec<Sum>,
}

/// The state of a database.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    /// The seq of its last change.
    as_of_seq: u64,
    records: u64,
}

/// An instance of a backup.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Instance {
    id: InstanceId,
    name: String,
    state: State,
}

/// What an entry is.
enum Part<'n> {
    Database(InstanceId),
    Large(&'n str),
}

/// What the entry of a name is; nothing for a name that no backup has.
fn part(name: &str) -> Option<Part<'_>> {
    if name == CATALOG {
        return Some(Part::Database(InstanceId::catalog()));
    }
    if let Some(sha256) = name.strip_prefix(sealed::BLOBS) {
        return sealed::is_sha256(sha256).then_some(Part::Large(sha256));
    }
    let id = name.strip_prefix("instances/")?.strip_suffix("/instance.db")?;
    let parsed = InstanceId::parse(id).filter(|parsed| parsed.as_str() == id && !parsed.is_catalog());
    parsed.map(Part::Database)
}

/// The most bytes of an entry.
fn limit(name: &str) -> Option<u64> {
    match part(name)? {
        Part::Database(_) => Some(DATABASE_BYTES),
        Part::Large(_) => Some(limits::VALUE_BYTES as u64),
    }
}
