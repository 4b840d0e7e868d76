//! Writing a backup while other processes serve and write.

use std::{
    fs::File,
    io::{self, BufReader, Read, Write},
    path::Path,
};

use serde_json::json;

use crate::{
    config::Settings,
    derive::sealed::{self, Writer},
    kernel::clock::{Clock as _, SystemClock},
    model::{error::OpError, time},
    store::sqlite::{Copied, LATEST_VERSION, SqliteStore},
};

use super::{
    super::{
        output::{Failure, Output},
        progress::{Progress, Unit},
        whole::WholeFile,
    },
    CATALOG, Contents, FORM, Instance, State, limit,
};

/// Writes it beside its place, reads it again, and puts it there when it is what it should be.
pub(super) fn write(path: &Path, store: &SqliteStore, settings: &Settings, output: &Output) -> Result<(), Failure> {
    let made_at = time::rfc3339(SystemClock { zone: settings.time_zone.clone() }.wall_ms());
    let mut stage = store.stage()?;
    let mut file = WholeFile::begin(path, true)?;
    let progress = Progress::new("backup", Unit::Bytes);
    let told = |error: io::Error| Failure::Other(anyhow::anyhow!("cannot write {}: {error}", path.display()));

    let mut writer = Writer::new(file.out(), &FORM).map_err(told)?;
    let catalog = stage.catalog()?;
    add(&mut writer, CATALOG, &catalog, &progress).map_err(told)?;
    let (mut instances, mut left_out) = (Vec::new(), Vec::new());
    for (id, listed) in stage.listed(&catalog)? {
        let Some(copied) = stage.instance(&id, &listed)? else {
            left_out.push(id);
            continue;
        };
        add(&mut writer, &format!("instances/{id}/instance.db"), &copied, &progress).map_err(told)?;
        instances.push(Instance { id, name: listed.name, state: state(&copied) });
    }
    let mut large_values = 0_u64;
    for large in stage.large() {
        let large = large?;
        large_values += 1;
        let name = format!("{}{}", sealed::BLOBS, large.sha256);
        let sum = writer.add(&name, large.bytes, seen(large.file, &progress)).map_err(told)?;
        if sum.sha256 != large.sha256 {
            return Err(damaged(&large.sha256).into());
        }
    }
    let contents = |entries| Contents {
        mindcache: env!("CARGO_PKG_VERSION").into(),
        store_version: LATEST_VERSION,
        made_at,
        catalog: state(&catalog),
        instances,
        left_out,
        entries,
    };
    writer.finish(contents).map_err(told)?;
    drop(progress);

    let (contents, bytes) = verify(file.again()?)?;
    file.put()?;
    tell(path, &contents, large_values, bytes, output)
}

fn state(copied: &Copied) -> State {
    State { as_of_seq: copied.as_of_seq, records: copied.records }
}

fn add(writer: &mut Writer<impl Write>, name: &str, copied: &Copied, progress: &Progress) -> io::Result<()> {
    let (file, bytes) = copied.open().map_err(|error| io::Error::other(error.to_string()))?;
    writer.add(name, bytes, seen(file, progress)).map(drop)
}

fn damaged(sha256: &str) -> OpError {
    OpError::Unavailable {
        reason: crate::model::error::Reason::Damaged,
        what: format!("the stored value {sha256} is not what it was"),
        remedy: "see `mindcache doctor --deep`; write the key that has it anew, or purge it".into(),
    }
}

/// Reads it all again: that what is on the disk is what was meant.
fn verify(file: File) -> Result<(Contents, u64), Failure> {
    let progress = Progress::new("verify", Unit::Bytes);
    let bytes = file.metadata()?.len();
    let source = BufReader::with_capacity(256 * 1024, seen(file, &progress));
    let contents = sealed::read(source, &FORM, limit, |_, _| Ok(()), |contents: &Contents| &contents.entries)?;
    Ok((contents, bytes))
}

/// What is read of it is progress.
pub(super) fn seen<'p, R: Read + 'p>(content: R, progress: &'p Progress) -> impl Read + 'p {
    Seen { content, progress }
}

struct Seen<'p, R> {
    content: R,
    progress: &'p Progress,
}

impl<R: Read> Read for Seen<'_, R> {
    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(piece)?;
        self.progress.add(read as u64);
        Ok(read)
    }
}

fn tell(path: &Path, contents: &Contents, large_values: u64, bytes: u64, output: &Output) -> Result<(), Failure> {
    if output.is_json() {
        return output.structured(&json!({
            "file": path.display().to_string(),
            "bytes": bytes,
            "catalog": contents.catalog,
            "instances": contents.instances,
            "left_out": contents.left_out,
            "large_values": large_values,
        }));
    }
    output.line(&format!(
        "Wrote {} instances and {large_values} large values to {}, {bytes} bytes, and read it again: it is whole.",
        contents.instances.len(),
        path.display()
    ))?;
    for id in &contents.left_out {
        output.line(&format!("Left out {id}: it was deleted, and its time is up."))?;
    }
    output.line("It holds all keys with their history, and neither the token nor the search indexes. Keep it safe.")
}
