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
    kernel::export::Extent,
    model::{error::OpError, instance::InstanceRef, key::Key, portable::Portable},
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
    /// All instances of all projects, clones and snapshots too, as an archive
    #[arg(long)]
    all: bool,
    /// The same of one project, by name or id
    #[arg(long, value_name = "NAME", conflicts_with = "all")]
    project: Option<String>,
}

impl ExportArgs {
    /// What of the store is meant; nothing for the session's instance.
    fn extent(&self) -> Option<Extent<'_>> {
        if self.all { Some(Extent::All) } else { self.project.as_deref().map(Extent::Project) }
    }
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
    let many = args.extent().map(|extent| session.kernel.exportable(&session.caller, extent)).transpose()?;
    let told = if many.is_some() { Format::Archive } else { Format::of(args.file.as_deref()) };
    let format = args.format.unwrap_or(told);
    if many.is_some() && format != Format::Archive {
        return Err(Failure::Usage("only an archive holds several instances: --format archive".into()));
    }
    if many.is_none() {
        session.begin().await?;
    }
    let write = |session: &Session, format: Format, out: &mut dyn Write| match (format, &many) {
        (Format::Archive, Some(found)) => {
            write_archive(session, archive::listed(&found.instances, &found.names()), true, out)
        }
        (Format::Archive, None) => write_archive(session, vec![of_session(session)?], false, out),
        _ => write(session, format, out),
    };
    let Some(path) = args.file else {
        let Written { count, as_of } = write(session, format, &mut BufWriter::new(io::stdout().lock()))?;
        tracing::info!(keys = count, as_of = as_of.words(), "exported");
        return Ok(());
    };
    let Written { count, as_of } = beside(&path, false, |file| write(session, format, file))?;
    if output.is_json() {
        return output.structured(&match as_of {
            AsOf::Seq(seq) => serde_json::json!({"keys": count, "as_of_seq": seq}),
            AsOf::Each(instances) => serde_json::json!({"keys": count, "instances": instances}),
        });
    }
    let keys = if count == 1 { "key" } else { "keys" };
    output.line(&format!("Wrote {count} {keys} to {}, {}.", path.display(), as_of.words()))
}

/// The instance of the session.
fn of_session(session: &Session) -> Result<(String, String, Origin), OpError> {
    let located = session.kernel.locate(&session.caller, &session.instance)?;
    Ok((located.id.to_string(), located.name, Origin::default()))
}

fn write_archive(
    session: &Session,
    instances: Vec<(String, String, Origin)>,
    are_many: bool,
    out: &mut dyn Write,
) -> Result<Written, Failure> {
    let progress = Progress::new("export", Unit::Keys);
    let mut sum = Written { count: 0, as_of: AsOf::Each(instances.len()) };
    let archive = RefCell::new(archive::Writer::new(&mut *out, are_many)?);
    for (id, name, origin) in instances {
        let written = session.kernel.derive(&session.caller, &InstanceRef::parse(&id)?, |tx, _| {
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
            Ok(done.map(|()| (count, tx.seq())))
        })?;
        let (count, seq) = written?;
        sum.count += count;
        if !are_many {
            sum.as_of = AsOf::Seq(seq);
        }
    }
    archive.into_inner().finish()?;
    out.flush()?;
    Ok(sum)
}

/// What an export holds.
struct Written {
    count: u64,
    as_of: AsOf,
}

/// Of which state it is.
#[derive(Clone, Copy)]
enum AsOf {
    /// Of one instance, behind this change.
    Seq(u64),
    /// Of so many instances, each in a state of its own.
    Each(usize),
}

impl AsOf {
    fn words(self) -> String {
        match self {
            Self::Seq(seq) => format!("as of change {seq}"),
            Self::Each(1) => "from 1 instance".to_owned(),
            Self::Each(instances) => format!("from {instances} instances"),
        }
    }
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
    let mut written = Written { count: 0, as_of: AsOf::Seq(tx.seq()) };
    match format {
        Format::Json => json::begin(out, tx.seq())?,
        Format::Markdown => markdown::begin(out, tx.seq())?,
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
