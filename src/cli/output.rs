//! What commands print, and how they end.

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use serde_json::{Value, json};

use crate::{model::error::OpError, ops::operation::Reply};

/// Why a command failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// An operation was refused or could not be done.
    Operation(OpError),
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
    fn code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Operation(OpError::InvalidArgument { .. }) => 2,
            Self::Operation(OpError::NotFound { .. }) => 3,
            Self::Operation(
                OpError::AlreadyExists { .. }
                | OpError::VersionMismatch { .. }
                | OpError::IdempotencyMismatch { .. }
                | OpError::LogTruncated { .. },
            ) => 4,
            Self::Operation(OpError::PermissionDenied { .. }) => 5,
            Self::Operation(OpError::Unavailable { .. } | OpError::Overloaded { .. }) => 6,
            Self::Operation(OpError::TooLarge { .. }) | Self::Other(_) => 1,
        }
    }

    fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Other(error)
            if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe))
    }
}

/// Where results go.
#[derive(Debug)]
pub(super) struct Output {
    json: bool,
    stdout: io::Stdout,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { json, stdout: io::stdout() }
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
            Failure::Operation(error) => {
                if self.json && self.structured(&json!({ "error": error.to_json() })).is_err() {
                    return ExitCode::FAILURE;
                }
                writeln!(stderr, "mindcache: {error}")
            }
            Failure::Usage(text) => writeln!(stderr, "mindcache: {text}"),
            Failure::Other(error) => writeln!(stderr, "mindcache: {error:#}"),
        };
        if said.is_err() { ExitCode::FAILURE } else { ExitCode::from(failure.code()) }
    }
}
