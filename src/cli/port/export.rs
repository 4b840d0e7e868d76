//! `mindcache export`: keys as a document, on standard output or in a file.

use std::{
    cell::RefCell,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use crate::{
    derive::{
        archive::{self, Origin},
        json, markdown,
    },
    model::{
        error::OpError,
        instance::{Instance, InstanceId, InstanceRef},
        key::Key,
        portable::Portable,
    },
    ops::{port, tx::Tx},
};
use clap::{Args, ValueEnum};

use super::super::{
    Session,
    beside::beside,
    output::{Failure, Output},
    progress::{Progress, Unit},
};

/// `export`.
#[derive(Debug, Args)]
pub(in crate::cli) struct ExportArgs {
    /// Where to; left out, standard output
    file: Option<PathBuf>,
    /// How [default: told from the file's name, else json]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// All instances, clones and snapshots too, as an archive
    #[arg(long)]
    all: bool,
}

/// How keys are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One document, a key a line
    Json,
    /// A document for people, each value in a fence
    Markdown,
    /// Records and large values, each with its checksum, in one file
    Archive,
}

impl Format {
    /// The format of a file's name.
    fn of(file: Option<&Path>) -> Self {
        match file.and_then(Path::extension).and_then(|extension| extension.to_str()) {
            Some("md" | "markdown") => Self::Markdown,
            Some("mindcache") => Self::Archive,
            _ => Self::Json,
        }
    }
}

/// Writes all keys of one state. A file is written beside and renamed: it is whole or not there.
pub(in crate::cli) async fn export(args: ExportArgs, session: &Session, output: &Output) -> Result<(), Failure> {
    let format =
        args.format.unwrap_or_else(|| if args.all { Format::Archive } else { Format::of(args.file.as_deref()) });
    if args.all && format != Format::Archive {
        return Err(Failure::Usage("only an archive holds all instances: --format archive".into()));
    }
    if !args.all {
        session.begin().await?;
    }
    let listed = if args.all { Some(all(session)?) } else { None };
    let write = |session: &Session, format: Format, out: &mut dyn Write| match format {
        Format::Archive => write_archive(session, listed.as_deref(), out),
        _ => write(session, format, out),
    };
    let Some(path) = args.file else {
        let written = write(session, format, &mut BufWriter::new(io::stdout().lock()))?;
        tracing::info!(keys = written.count, as_of_seq = written.as_of_seq, "exported");
        return Ok(());
    };
    let written = beside(&path, false, |file| write(session, format, file))?;
    let Written { count, as_of_seq } = written;
    if output.is_json() {
        return output.structured(&serde_json::json!({"keys": count, "as_of_seq": as_of_seq}));
    }
    let keys = if count == 1 { "key" } else { "keys" };
    output.line(&format!("Wrote {count} {keys} to {}, as of change {as_of_seq}.", path.display()))
}

/// All instances, parents before what was made of them.
fn all(session: &Session) -> Result<Vec<(String, Origin)>, OpError> {
    let catalog = InstanceRef::Id(InstanceId::catalog());
    let found = session.kernel.derive(&session.caller, &catalog, |tx, _| {
        let mut found = Vec::new();
        tx.each::<Instance, OpError>(|held| {
            let Instance { name, parent, note, read_only, snapshot, deleted_at, .. } = held.content;
            if deleted_at.is_none() {
                let parent = parent.map(|id| id.to_string());
                found.push((held.record.id, name, Origin { parent, note, read_only, snapshot }));
            }
            Ok(())
        })?;
        Ok(found)
    })?;
    Ok(archive::in_order(found).into_iter().map(|(_, name, origin)| (name, origin)).collect())
}

fn write_archive(session: &Session, all: Option<&[(String, Origin)]>, out: &mut dyn Write) -> Result<Written, Failure> {
    let progress = Progress::new("export", Unit::Keys);
    let mut sum = Written { count: 0, as_of_seq: 0 };
    let archive = RefCell::new(archive::Writer::new(&mut *out, all.is_some())?);
    let targets = match all {
        Some(listed) => listed
            .iter()
            .map(|(name, origin)| Ok((InstanceRef::parse(name)?, origin.clone())))
            .collect::<Result<Vec<_>, OpError>>()?,
        None => vec![(session.instance.clone(), Origin::default())],
    };
    for (instance, origin) in targets {
        let name = session.kernel.locate(&session.caller, &instance)?.name;
        let written = session.kernel.derive(&session.caller, &instance, |tx, _| {
            let mut archive = archive.borrow_mut();
            let mut count = 0;
            let begun = archive.begin(&name, tx.seq(), origin.clone()).map_err(Failure::from);
            let done = begun.and_then(|()| {
                each(tx, |key| {
                    count += 1;
                    progress.add(1);
                    Ok(archive.key(&key)?)
                })
            });
            Ok(done.map(|()| Written { count, as_of_seq: tx.seq() }))
        })??;
        sum = Written { count: sum.count + written.count, as_of_seq: written.as_of_seq };
    }
    archive.into_inner().finish()?;
    out.flush()?;
    Ok(sum)
}

/// What an export holds.
struct Written {
    count: u64,
    as_of_seq: u64,
}

fn write(session: &Session, format: Format, out: &mut dyn Write) -> Result<Written, Failure> {
    let progress = Progress::new("export", Unit::Keys);
    let out = RefCell::new(out);
    let written = session.kernel.derive(&session.caller, &session.instance, |tx, _| {
        let mut out = out.borrow_mut();
        Ok(document(tx, format, &mut **out, &progress))
    })?;
    out.into_inner().flush()?;
    written
}

fn document(tx: &Tx<'_>, format: Format, out: &mut dyn Write, progress: &Progress) -> Result<Written, Failure> {
    let mut written = Written { count: 0, as_of_seq: tx.seq() };
    match format {
        Format::Json => json::begin(out, written.as_of_seq)?,
        Format::Markdown => markdown::begin(out, written.as_of_seq)?,
        Format::Archive => {}
    }
    each(tx, |key| {
        match format {
            Format::Json => json::key(out, &key, written.count == 0)?,
            Format::Markdown => markdown::key(out, &key)?,
            Format::Archive => {}
        }
        written.count += 1;
        progress.add(1);
        Ok(())
    })?;
    match format {
        Format::Json => json::end(out, written.count)?,
        Format::Markdown => markdown::end(out, written.count)?,
        Format::Archive => {}
    }
    Ok(written)
}

/// Hands over each key of one state in byte order of the names.
fn each(tx: &Tx<'_>, mut take: impl FnMut(Portable) -> Result<(), Failure>) -> Result<(), Failure> {
    tx.each::<Key, Failure>(|held| take(port::portable(tx, held)?))
}
