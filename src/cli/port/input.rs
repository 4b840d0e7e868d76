//! What is imported: a file or a folder, what it is, and what it holds.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use clap::ValueEnum;

use crate::{
    derive::{
        archive::{self, Archive},
        graph, json, markdown, notes,
    },
    model::{error::OpError, portable::Sink},
};

use super::super::output::Failure;

/// What a file can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A JSON document: an export of mindcache or of the first MindCache, or a map of names to values
    Json,
    /// A Markdown export of mindcache or of the first MindCache; any other Markdown file becomes one key
    Markdown,
    /// An archive of mindcache
    Archive,
    /// The graph of the reference MCP memory server
    Graph,
}

/// How much of a file says what it is.
const HEAD_BYTES: u64 = 64 * 1024;
/// Most files of a folder of notes.
const NOTES: usize = 100_000;

/// What is read twice: once to see that all of it can be imported, then to do it.
#[derive(Clone)]
pub(super) struct Input {
    path: PathBuf,
    source: Source,
}

#[derive(Clone)]
enum Source {
    Document {
        file: std::sync::Arc<File>,
        format: Format,
        /// How it begins.
        head: String,
    },
    Archive(std::sync::Arc<(File, Archive)>),
    /// Names and files.
    Folder(Vec<(String, PathBuf)>),
}

impl Input {
    /// Opens it and tells what it is, unless the caller did. An archive is checked.
    pub(super) fn open(path: &Path, format: Option<Format>) -> Result<Self, Failure> {
        let told = |error| Failure::Other(anyhow::anyhow!("cannot read {}: {error}", path.display()));
        let input = |source| Self { path: path.to_owned(), source };
        if path.is_dir() {
            let mut notes = Vec::new();
            gather(path, "", &mut notes).map_err(told)?;
            notes.sort();
            return Ok(input(Source::Folder(notes)));
        }
        // Asked first: opening a pipe waits for whoever writes into it.
        if !fs::metadata(path).map_err(told)?.is_file() {
            return Err(Failure::Usage(format!("{} is no file: it has to be read twice", path.display())));
        }
        let mut file = File::open(path).map_err(told)?;
        let mut head = Vec::new();
        (&mut file).take(HEAD_BYTES).read_to_end(&mut head).map_err(told)?;
        let refused = |rule: &str| OpError::invalid(path.display().to_string(), rule, "");
        let format = match format {
            Some(format) => format,
            None => detect(path, &head).map_err(refused)?,
        };
        if format == Format::Archive {
            file.seek(SeekFrom::Start(0)).map_err(told)?;
            let archive = Archive::check(BufReader::new(&file)).map_err(|error| within(path, error))?;
            return Ok(input(Source::Archive((file, archive).into())));
        }
        // A character may be cut.
        let head = String::from_utf8_lossy(&head).into_owned();
        Ok(input(Source::Document { file: file.into(), format, head }))
    }

    /// The instances of an archive of a whole store, in order; nothing for what goes into one that the caller names.
    pub(super) fn instances(&self) -> Result<Option<&[archive::Instance]>, OpError> {
        let Source::Archive(source) = &self.source else { return Ok(None) };
        let (_, archive) = &**source;
        if archive.is_all() {
            return Ok(Some(archive.instances()));
        }
        if archive.instances().len() == 1 {
            return Ok(None);
        }
        Err(OpError::invalid(self.path.display().to_string(), "it is not of one instance, and not of all", ""))
    }

    /// Hands over what it holds, from its beginning; `number` says which instance of an archive, the first being 1.
    pub(super) fn read(&self, number: usize, sink: &mut Sink<'_>) -> Result<(), OpError> {
        let read = match &self.source {
            Source::Document { file, format, head } => self.document(file, *format, head, sink),
            Source::Archive(source) => {
                let (file, archive) = &**source;
                archive.read(file, number, sink)
            }
            Source::Folder(notes) => notes.iter().try_for_each(|(name, path)| {
                let file = File::open(path).map_err(|error| refused(path, &error))?;
                notes::read(name, file, sink).map_err(|error| within(path, error))
            }),
        };
        read.map_err(|error| within(&self.path, error))
    }

    fn document(&self, mut file: &File, format: Format, head: &str, sink: &mut Sink<'_>) -> Result<(), OpError> {
        file.seek(SeekFrom::Start(0)).map_err(|error| refused(&self.path, &error))?;
        match format {
            Format::Json => json::read(file, sink),
            Format::Markdown if markdown::is_export(head) => {
                markdown::read(head, BufReader::with_capacity(256 * 1024, file), sink)
            }
            Format::Markdown => notes::read(&note_name(&self.path), file, sink),
            Format::Graph => graph::read(file, sink),
            Format::Archive => Ok(()),
        }
    }
}

fn refused(path: &Path, error: &io::Error) -> OpError {
    OpError::invalid(path.display().to_string(), format!("it cannot be read: {error}"), "")
}

/// The same error, telling which file it is about.
fn within(file: &Path, error: OpError) -> OpError {
    let file = file.display().to_string();
    match error {
        OpError::InvalidArgument { path, rule, got } if !path.starts_with(&file) => {
            OpError::InvalidArgument { path: format!("{file}, {path}"), rule, got }
        }
        other => other,
    }
}

/// What a file is, by how it begins.
fn detect(path: &Path, head: &[u8]) -> Result<Format, &'static str> {
    if archive::is_archive(head) {
        return Ok(Format::Archive);
    }
    if head.starts_with(b"SQLite format 3\0") {
        return Err("this is an SQLite database, no export: --data-dir names a data folder of mindcache");
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let is_text = |check: fn(&str) -> bool, bytes: &[u8]| check(&String::from_utf8_lossy(bytes));
    match text.first() {
        None => Err("it is empty"),
        Some(b'{') if is_text(graph::is_graph, line) => Ok(Format::Graph),
        Some(b'{' | b'[') => Ok(Format::Json),
        Some(_) if is_markdown(path) || is_text(markdown::is_export, text) => Ok(Format::Markdown),
        Some(_) => Err("it is nothing that mindcache can import: say with --format what it is"),
    }
}

/// Whether a file's name says that it is Markdown.
fn is_markdown(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| ["md", "markdown"].iter().any(|each| extension.eq_ignore_ascii_case(each)))
}

/// What a note is called: its file's name, without what says that it is Markdown.
fn note_name(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The Markdown files of a folder and of those in it. What is hidden is no note, and no link is followed.
fn gather(folder: &Path, prefix: &str, notes: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        if kind.is_dir() {
            gather(&path, &format!("{prefix}{name}/"), notes)?;
        } else if kind.is_file() && is_markdown(&path) {
            if notes.len() == NOTES {
                return Err(io::Error::other("it has more than 100,000 notes"));
            }
            notes.push((format!("{prefix}{}", note_name(&path)), path));
        }
    }
    Ok(())
}
