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
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Contents {
    /// The version of mindcache that made it.
    mindcache: String,
    /// The version of its databases.
    store_version: i32,
    /// When it was begun.
    made_at: String,
    /// The catalog, which lists the instances.
    catalog: State,
    /// In the order of their ids.
    instances: Vec<Instance>,
    /// Deleted instances whose time was up before they were copied.
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    left_out: Vec<InstanceId>,
    /// Each entry before this one, in order.
    entries: Vec<Sum>,
}

/// The state of a database.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct State {
    /// The seq of its last change.
    as_of_seq: u64,
    /// How many records it has.
    records: u64,
}

/// An instance of a backup.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Instance {
    /// Its id.
    #[cfg_attr(test, schemars(with = "String"))]
    id: InstanceId,
    /// Its name.
    name: String,
    /// The state of its database.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// `schemas/backup.json` is generated from the types: `UPDATE_EXPECT=1 cargo test` writes it anew.
    #[test]
    fn the_published_schema_of_backups_is_that_of_the_types() {
        let schema = serde_json::json!({ "contents.json": schemars::schema_for!(Contents) });
        expect_test::expect_file!["../../../schemas/backup.json"].assert_eq(&format!("{schema:#}\n"));
    }

    #[test]
    fn only_names_of_a_backup_are_parts_of_one() {
        let id = "0ad0a8a6-2d6c-4b6e-9f0f-0e6c6b6f4a11";
        for name in [CATALOG, &format!("instances/{id}/instance.db"), &format!("blobs/{}", "a0".repeat(32))] {
            assert!(limit(name).is_some(), "{name}");
        }
        for name in [
            "",
            "token",
            "./catalog/instance.db",
            "instances/_catalog/instance.db",
            "instances/../instance.db",
            &format!("instances/{}/instance.db", id.to_uppercase()),
            &format!("instances/{id}/instance.db-wal"),
            &format!("blobs/{}", "A0".repeat(32)),
            "blobs/../x",
        ] {
            assert!(limit(name).is_none(), "{name}");
        }
    }
}
