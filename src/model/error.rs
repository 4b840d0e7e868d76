//! The one error of the library. Each text says what happened, to which thing, and what to do next.
//!
//! The codes are those of the operation contract; each face maps this enum to its wire once.

use serde_json::{Map, Value, json};
use thiserror::Error;

/// Why an operation was refused or could not be done. A refusal changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OpError {
    /// An argument breaks a stated rule.
    #[error("{path}: {rule}{}", shown(got))]
    InvalidArgument {
        /// The argument, such as `key` or `tags[2]`.
        path: String,
        /// What it must be, and so what to send instead.
        rule: String,
        /// What came, shortened; empty when the rule already says it.
        got: String,
    },
    /// The caller may not do this to this thing.
    #[error("not permitted: {what}. {remedy}")]
    PermissionDenied {
        /// What was refused, naming the thing.
        what: String,
        /// Who may, or how to be allowed.
        remedy: String,
    },
    /// Nobody knows who is calling.
    #[error("not authenticated: {what}. {remedy}")]
    Unauthenticated {
        /// What is wrong with the proof, without quoting it.
        what: String,
        /// How to prove oneself.
        remedy: String,
    },
    /// There is no such thing, or it is not for this caller to see.
    #[error("{what} was not found. {remedy}")]
    NotFound {
        /// The thing, such as `key "notes"`.
        what: String,
        /// How to find what exists.
        remedy: String,
    },
    /// The name is taken.
    #[error("{what} already exists. {remedy}")]
    AlreadyExists {
        /// The thing that is there.
        what: String,
        /// What to do instead.
        remedy: String,
    },
    /// `if_version` named another version than the stored one.
    #[error("{what} {}", mismatch(*expected, *current))]
    VersionMismatch {
        /// The thing.
        what: String,
        /// What the caller believed.
        expected: u64,
        /// What is stored; 0 means that it does not exist.
        current: u64,
    },
    /// The idempotency key was used before, with other arguments.
    #[error(
        "idempotency_key \"{key}\" was used before with other arguments for {operation}: nothing was done. Repeat a \
         call exactly, or take a new key for a new call"
    )]
    IdempotencyMismatch {
        /// The key.
        key: String,
        /// The operation.
        operation: String,
    },
    /// The log does not go back so far.
    #[error("the log begins at {floor}: read the keys anew with list_keys, then go on from its as_of_seq")]
    LogTruncated {
        /// The seq of the oldest row that it holds.
        floor: u64,
    },
    /// A size limit.
    #[error("{what} is {got_bytes} bytes; the limit is {limit_bytes}. {remedy}")]
    TooLarge {
        /// What is too large.
        what: String,
        /// Its size.
        got_bytes: u64,
        /// The most that is taken.
        limit_bytes: u64,
        /// What to do instead.
        remedy: String,
    },
    /// There are as many as are taken.
    #[error("{what} has {waiting} {of}, which is the limit: nothing was done. Try again when some have ended")]
    Overloaded {
        /// The instance, the session, the process, or the user.
        what: String,
        /// Of what it has so many.
        of: &'static str,
        /// How many it has.
        waiting: usize,
    },
    /// The store cannot do it now, or not at all.
    #[error("{what}: {remedy}")]
    Unavailable {
        /// Which kind of trouble.
        reason: Reason,
        /// What cannot be done, naming the file or folder.
        what: String,
        /// What the person should do.
        remedy: String,
    },
}

/// Why a store is unavailable: a client can tell "free some space" from "restart me".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// No space left on the disk.
    DiskFull,
    /// The folder or file cannot be written.
    ReadOnly,
    /// The data folder is on a network file system, where commits can get lost.
    NetworkFileSystem,
    /// A file is not what it should be.
    Damaged,
    /// A newer version of mindcache has upgraded the file.
    Newer,
    /// Another process holds the store for longer than a caller waits.
    Busy,
    /// The operating system reported an error.
    Io,
    /// What is asked for was there, and is not kept any more.
    NotKept,
    /// A setting switches it off.
    Off,
    /// This process is ending or its store could not be started.
    Stopped,
}

fn mismatch(expected: u64, current: u64) -> String {
    match (expected, current) {
        (0, _) => format!(
            "exists already, at version {current}, and if_version 0 asks that it does not. Read it before you decide"
        ),
        (_, 0) => format!(
            "does not exist, and if_version asks for version {expected}: it was deleted. Write with if_version 0 to make it anew"
        ),
        _ => format!(
            "is at version {current}, not {expected}: someone changed it. Read it again, apply your change to what you \
             read, and write with if_version {current}"
        ),
    }
}

/// What came, where that helps.
fn shown(got: &str) -> String {
    if got.is_empty() { String::new() } else { format!(" (got {got})") }
}

impl Reason {
    /// The word of the reason in replies.
    pub fn name(self) -> &'static str {
        match self {
            Self::DiskFull => "disk_full",
            Self::ReadOnly => "read_only",
            Self::NetworkFileSystem => "network_file_system",
            Self::Damaged => "damaged",
            Self::Newer => "newer",
            Self::Busy => "busy",
            Self::Io => "io",
            Self::NotKept => "not_kept",
            Self::Off => "off",
            Self::Stopped => "stopped",
        }
    }
}

impl OpError {
    /// Too many calls that wait, for an instance, a session or a process.
    pub fn waiting(what: impl Into<String>, waiting: usize) -> Self {
        Self::Overloaded { what: what.into(), of: "calls waiting", waiting }
    }

    /// An argument that breaks a rule; `got` is shortened to 60 characters.
    pub fn invalid(path: impl Into<String>, rule: impl Into<String>, got: &str) -> Self {
        let mut shown: String = got.chars().take(60).collect();
        if shown.len() < got.len() {
            shown.push('…');
        }
        Self::InvalidArgument { path: path.into(), rule: rule.into(), got: shown }
    }

    /// The same refusal without a quotation of what it was about. A parser's own words may quote it too.
    #[must_use]
    pub fn without_quote(self) -> Self {
        match self {
            Self::InvalidArgument { path, rule, .. } => {
                let rule = rule.split(": ").next().unwrap_or_default().to_owned();
                Self::InvalidArgument { path, rule, got: String::new() }
            }
            other => other,
        }
    }

    /// The absent key, with the way to see what exists.
    pub fn no_key(name: &str) -> Self {
        Self::NotFound { what: format!("key \"{name}\""), remedy: "list_keys shows the keys that exist".into() }
    }

    /// The stable code of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidArgument { .. } => "invalid_argument",
            Self::PermissionDenied { .. } => "permission_denied",
            Self::Unauthenticated { .. } => "unauthenticated",
            Self::NotFound { .. } => "not_found",
            Self::AlreadyExists { .. } => "already_exists",
            Self::VersionMismatch { .. } => "version_mismatch",
            Self::IdempotencyMismatch { .. } => "idempotency_mismatch",
            Self::LogTruncated { .. } => "log_truncated",
            Self::TooLarge { .. } => "too_large",
            Self::Overloaded { .. } => "overloaded",
            Self::Unavailable { .. } => "unavailable",
        }
    }

    /// The error as faces send it: `{code, message, …}` with the fields a program can act on.
    pub fn to_json(&self) -> Map<String, Value> {
        let mut object = Map::new();
        object.insert("code".into(), self.code().into());
        object.insert("message".into(), self.to_string().into());
        let details = match self {
            Self::InvalidArgument { path, rule, got } => json!({"path": path, "rule": rule, "got": got}),
            Self::VersionMismatch { expected, current, .. } => json!({"expected": expected, "current": current}),
            Self::TooLarge { got_bytes, limit_bytes, .. } => {
                json!({"got_bytes": got_bytes, "limit_bytes": limit_bytes})
            }
            Self::IdempotencyMismatch { key, .. } => json!({"idempotency_key": key}),
            Self::LogTruncated { floor } => json!({"floor": floor}),
            Self::Overloaded { waiting, .. } => json!({"waiting": waiting}),
            Self::Unavailable { reason, .. } => json!({"reason": reason.name()}),
            Self::PermissionDenied { .. }
            | Self::Unauthenticated { .. }
            | Self::NotFound { .. }
            | Self::AlreadyExists { .. } => json!({}),
        };
        if let Value::Object(details) = details {
            object.extend(details);
        }
        object
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_code_and_what_a_program_needs() {
        let error = OpError::VersionMismatch { what: "key \"a\"".into(), expected: 3, current: 7 };
        let json = Value::Object(error.to_json());
        assert_eq!(json["code"], "version_mismatch");
        assert_eq!(json["current"], 7);
        assert!(json["message"].as_str().unwrap().contains("key \"a\" is at version 7, not 3"));
    }

    #[test]
    fn what_came_is_shown_shortened() {
        let OpError::InvalidArgument { got, .. } = OpError::invalid("value", "short", &"é".repeat(100)) else {
            panic!()
        };
        assert_eq!(got.chars().count(), 61);
    }
}
