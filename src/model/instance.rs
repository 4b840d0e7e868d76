//! Instances: their ids, their names, and the catalog's record of one.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{error::OpError, limits, view::Access};

/// The id of an instance: a UUID, or `_catalog`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstanceId(String);

impl InstanceId {
    /// The instance that lists the others.
    pub fn catalog() -> Self {
        Self("_catalog".into())
    }

    /// The instance of a random id.
    pub fn from_uuid(id: Uuid) -> Self {
        Self(id.hyphenated().to_string())
    }

    /// The id that this text is; nothing when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        match InstanceRef::parse(text) {
            Ok(InstanceRef::Id(id)) => Some(id),
            _ => None,
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the catalog.
    pub fn is_catalog(&self) -> bool {
        self.0 == "_catalog"
    }
}

impl std::fmt::Display for InstanceId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// How a caller names an instance: by id or by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstanceRef {
    /// An id.
    Id(InstanceId),
    /// A name within the default project.
    Name(String),
}

impl InstanceRef {
    /// Reads what a caller wrote. Errors: `invalid_argument` for what can be neither.
    ///
    /// Names are 1 to 128 characters without `/`, `\` and control characters, not `.` or `..`, not
    /// beginning with `_`, and not shaped like an id. Only names reach a path or a URL, so nothing else may.
    pub fn parse(text: &str) -> Result<Self, OpError> {
        if text == "_catalog" {
            return Ok(Self::Id(InstanceId::catalog()));
        }
        // The hyphenated form only: `Uuid` also reads 32 digits, braces and a URN.
        if text.len() == 36
            && let Ok(id) = Uuid::parse_str(text)
        {
            return Ok(Self::Id(InstanceId::from_uuid(id)));
        }
        let refused = |rule: &str| Err(OpError::invalid("instance", rule, text));
        if text.is_empty() || text.chars().count() > limits::INSTANCE_NAME_CHARACTERS {
            return refused("an instance name has 1 to 128 characters");
        }
        if text.chars().any(|c| c.is_control() || c == '/' || c == '\\') {
            return refused("an instance name has no /, no \\ and no control characters");
        }
        if text == "." || text == ".." || text.starts_with('_') {
            return refused("an instance name is not . or .. and does not begin with _");
        }
        Ok(Self::Name(text.to_owned()))
    }
}

/// The catalog's record of an instance; its id is the instance's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its name, unique in its project.
    pub name: String,
    /// The project it belongs to; `default` on a machine of one user.
    pub project: String,
    /// Whose own it is in a project that gives each their own: theirs while the project is shared with them, and of
    /// those who administer the project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_of: Option<String>,
    /// The instance it was cloned from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<InstanceId>,
    /// What a snapshot was taken for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Nothing may be written to it.
    #[serde(default)]
    pub read_only: bool,
    /// It was taken to stay as it was. Once opened for writing it is a clone like any other.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub snapshot: bool,
    /// Whose project it was in, of one that was deleted with its project: they may bring it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_by: Option<String>,
    /// When it was deleted, in milliseconds since 1970. It is kept for [`limits::GRACE_MS`], and its name is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<i64>,
}

impl Instance {
    /// What may be done with it: what the instance itself must say too.
    pub fn access(&self) -> Access {
        match self {
            Self { deleted_at: Some(_), .. } => Access::Deleted,
            Self { read_only: true, .. } => Access::ReadOnly,
            Self { .. } => Access::Open,
        }
    }

    /// Whether it was deleted so long ago that nothing of it is to be kept.
    pub fn is_expired(&self, now_ms: i64) -> bool {
        self.deleted_at.is_some_and(|at| at.saturating_add(limits::GRACE_MS) <= now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_be_paths_or_ids_are_refused() {
        for bad in ["", ".", "..", "a/b", "a\\b", "../x", "_x", "a\0b", "a\nb", &"x".repeat(129)] {
            assert!(InstanceRef::parse(bad).is_err(), "{bad:?}");
        }
        for good in ["default", "team notes", "a.b", "..a", "é", &"x".repeat(128)] {
            assert_eq!(InstanceRef::parse(good).unwrap(), InstanceRef::Name(good.to_owned()));
        }
    }

    #[test]
    fn an_id_is_read_in_any_case_and_is_never_a_name() {
        let id = "0AD0A8A6-2D6C-4B6E-9F0F-0E6C6B6F4A11";
        let InstanceRef::Id(parsed) = InstanceRef::parse(id).unwrap() else { panic!() };
        assert_eq!(parsed.as_str(), id.to_lowercase());
        assert!(matches!(InstanceRef::parse("_catalog").unwrap(), InstanceRef::Id(id) if id.is_catalog()));
    }
}
