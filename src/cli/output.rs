//! What commands print, and how they end.

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

use crate::{model::error::OpError, ops::operation::Reply};

/// Why a command failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// An operation was refused or could not be done.
    Operation(OpError),
    /// Something was not found, and these names are near.
    Mistyped(OpError, Vec<String>),
    /// The command line asks for something that makes no sense.
    Usage(String),
    /// Anything else.
    Other(anyhow::Error),
}

impl From<OpError> for Failure {
    fn from(error: OpError) -> Self {
        Self::Operation(error)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Other(error.into())
    }
}

impl Failure {
    /// The exit codes that `--help` lists.
    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Operation(OpError::InvalidArgument { .. }) => 2,
            Self::Operation(OpError::NotFound { .. }) | Self::Mistyped(..) => 3,
            Self::Operation(
                OpError::AlreadyExists { .. }
                | OpError::VersionMismatch { .. }
                | OpError::IdempotencyMismatch { .. }
                | OpError::LogTruncated { .. },
            ) => 4,
            Self::Operation(OpError::PermissionDenied { .. } | OpError::Unauthenticated { .. }) => 5,
            Self::Operation(OpError::Unavailable { .. } | OpError::Overloaded { .. }) => 6,
            Self::Operation(OpError::TooLarge { .. }) | Self::Other(_) => 1,
        }
    }

    fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Other(error) if error.downcast_ref().is_some_and(is_closed_pipe))
    }
}

/// Whether nobody reads the output any more: they have seen enough, and that is no failure.
pub(super) fn is_closed_pipe(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

/// Whether a stream gets colours: `NO_COLOR`, `CLICOLOR_FORCE` and `CLICOLOR`, in this order, then whether it is a
/// terminal that has them.
pub(super) fn is_coloured(stream: &impl anstream::stream::RawStream) -> bool {
    anstream::AutoStream::choice(stream) != anstream::ColorChoice::Never
}

/// Text in a colour.
pub(super) fn painted(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// What happened, in its colour: came, changed, went; and what is beside the point.
pub(super) const CAME: Style = AnsiColor::Green.on_default();
pub(super) const CHANGED: Style = AnsiColor::Yellow.on_default();
pub(super) const WENT: Style = AnsiColor::Red.on_default();
pub(super) const NAMED: Style = Style::new().bold();
pub(super) const ASIDE: Style = Style::new().dimmed();

/// Where results go.
#[derive(Debug)]
pub(super) struct Output {
    json: bool,
    stdout: io::Stdout,
    is_coloured: bool,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        let stdout = io::stdout();
        Self { json, is_coloured: !json && is_coloured(&stdout), stdout }
    }

    /// Whether a person reads along: on a terminal, or where colours are forced. Else lines are made for programs.
    pub(super) fn is_for_a_person(&self) -> bool {
        !self.json && (self.is_coloured || self.stdout.is_terminal())
    }

    /// Text in a colour, where colours are wanted.
    pub(super) fn paint(&self, style: Style, text: &str) -> String {
        if self.is_coloured { painted(style, text) } else { text.to_owned() }
    }

    /// Whether the structured result is wanted.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// A result: its outcome, or the whole of it as JSON.
    pub(super) fn reply(&self, reply: &Reply) -> Result<(), Failure> {
        if self.json { self.structured(&reply.result) } else { self.line(&reply.outcome) }
    }

    /// A line.
    pub(super) fn line(&self, text: &str) -> Result<(), Failure> {
        Ok(writeln!(self.stdout.lock(), "{text}")?)
    }

    /// JSON on one line.
    pub(super) fn structured(&self, value: &Value) -> Result<(), Failure> {
        self.line(&value.to_string())
    }

    /// A piece of a value, exactly.
    pub(super) fn raw(&self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.stdout.lock().write_all(bytes)?)
    }

    /// The end of a value: a person's prompt begins on a new line, a program gets nothing added.
    pub(super) fn end_of_value(&self) -> Result<(), Failure> {
        let mut stdout = self.stdout.lock();
        if stdout.is_terminal() {
            writeln!(stdout)?;
        }
        Ok(stdout.flush()?)
    }

    /// Says why it failed and gives the exit code.
    pub(super) fn fail(&self, failure: &Failure) -> ExitCode {
        // Somebody who closes the pipe has seen enough.
        if failure.is_closed_pipe() {
            return ExitCode::SUCCESS;
        }
        let mut stderr = io::stderr().lock();
        let said = match failure {
            Failure::Operation(error) => self.refuse(error, &[], &mut stderr),
            Failure::Mistyped(error, near) => self.refuse(error, near, &mut stderr),
            Failure::Usage(text) => writeln!(stderr, "mindcache: {text}"),
            Failure::Other(error) => writeln!(stderr, "mindcache: {error:#}"),
        };
        if said.is_err() { ExitCode::FAILURE } else { ExitCode::from(failure.code()) }
    }

    /// Says what was refused, and which names are near the one that was not found.
    fn refuse(&self, error: &OpError, near: &[String], stderr: &mut io::StderrLock<'_>) -> io::Result<()> {
        if self.json {
            let mut told = error.to_json();
            if !near.is_empty() {
                told.insert("did_you_mean".into(), json!(near));
            }
            writeln!(self.stdout.lock(), "{}", json!({ "error": told }))?;
        }
        let near: Vec<String> = near.iter().map(|name| format!("\"{name}\"")).collect();
        let asked = if near.is_empty() { String::new() } else { format!("\ndid you mean {}?", near.join(" or ")) };
        writeln!(stderr, "mindcache: {error}{asked}")
    }
}
