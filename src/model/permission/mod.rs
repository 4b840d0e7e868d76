//! Who may do what: the functions that every face's calls pass, asked by the kernel and by operations.
//!
//! How much somebody may do with an instance is `decision.rs`; the mode that follows from it is held here against each
//! key.

mod decision;
pub mod party;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    error::OpError,
    key::Key,
    tags::{SystemTag, SystemTags},
};

pub use decision::{Decision, Grant, Permission, Place, Standing, decide, permission, reaches, together};
use party::{LOCAL, Party};

/// What kind of party a principal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PrincipalKind {
    /// A person, at a terminal or on the page.
    Human,
    /// A program with a key of its own.
    App,
    /// A model's client.
    Agent,
}

impl PrincipalKind {
    /// The word of the kind.
    pub fn name(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::App => "app",
            Self::Agent => "agent",
        }
    }

    /// Whether it is a person.
    pub fn is_human(self) -> bool {
        self == Self::Human
    }
}

/// Somebody who has been identified.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Principal {
    /// Who: `local` is the user of this machine; others are the text of a [`Party`].
    pub id: String,
    /// What kind of party.
    pub kind: PrincipalKind,
    /// By which of several secrets it proved itself, where it has several.
    pub secret: Option<String>,
    /// When its proof ends, in milliseconds since 1970.
    pub until_ms: Option<i64>,
    /// By which face and from which address it came; nothing for what runs on this machine.
    pub from: Option<Arc<str>>,
}

impl Principal {
    /// The user of this machine, through a program of this kind.
    pub fn local(kind: PrincipalKind) -> Self {
        Self { id: LOCAL.into(), kind, secret: None, until_ms: None, from: None }
    }

    /// A party of the catalog.
    pub fn of(party: &Party, kind: PrincipalKind) -> Self {
        Self { id: party.to_string(), ..Self::local(kind) }
    }

    /// Whom no one has identified, and who may do nothing.
    pub fn nobody() -> Self {
        Self { id: "nobody".into(), ..Self::local(PrincipalKind::App) }
    }

    /// The same through a program of this kind. Keys and delegates are of one kind wherever they are used.
    #[must_use]
    pub fn through(self, kind: PrincipalKind) -> Self {
        let is_person = self.is_local() || matches!(Party::parse(&self.id), Some(Party::User(_)));
        if is_person { Self { kind, ..self } } else { self }
    }

    /// Whether it is the user of this machine, who may do everything.
    pub fn is_local(&self) -> bool {
        self.id == LOCAL
    }
}

/// How much a connection may do with an instance. Models use `use` unless their person chose otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Read what models may read.
    Read,
    /// Work with the keys that models may read and write.
    Use,
    /// Work with all keys and decide their attributes, as the apps do whose keys they are.
    Write,
    /// Everything, as a person does.
    Edit,
}

impl Mode {
    /// The word of the mode.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Use => "use",
            Self::Write => "write",
            Self::Edit => "edit",
        }
    }
}

/// What somebody wants to do: the columns of the mode table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Read a key.
    Read,
    /// Write, append to or edit the value of an existing key.
    Write,
    /// Make a key.
    Create,
    /// Remove a key.
    Delete,
    /// Change attributes and tags.
    Attributes,
    /// Rename, clear, bring back older versions, purge, import.
    Arrange,
    /// Create, rename or remove instances.
    Instances,
    /// Change people, keys and shares.
    Access,
}

/// Whether a mode may ever do this: what decides which tools are listed, and what is refused before a turn.
pub fn mode_allows(mode: Mode, action: Action) -> bool {
    match action {
        Action::Read => true,
        Action::Write | Action::Create | Action::Delete => mode >= Mode::Use,
        Action::Attributes => mode >= Mode::Write,
        Action::Arrange | Action::Instances | Action::Access => mode == Mode::Edit,
    }
}

/// Whether a mode reads every key.
pub fn reads_all(mode: Mode) -> bool {
    mode >= Mode::Write
}

/// Whether a mode may read this key.
pub fn may_read(mode: Mode, key: &Key) -> bool {
    reads_all(mode) || key.system_tags.llm_readable()
}

/// The mode table of the design for one key. `key` is the stored one, or the one to be made for `Create`.
///
/// A key that may not be read answers a reader as if it were absent.
pub fn check(mode: Mode, action: Action, name: &str, key: &Key) -> Result<(), OpError> {
    let denied = |what: &str, remedy: &str| {
        Err(OpError::PermissionDenied { what: format!("{what} key \"{name}\""), remedy: remedy.to_owned() })
    };
    if !mode_allows(mode, action) {
        return denied(verb(action), &needs(action));
    }
    let llm_write = key.system_tags.llm_writable() || mode >= Mode::Write;
    let is_protected = key.system_tags.has(SystemTag::Protected);
    match action {
        Action::Read if !may_read(mode, key) => Err(OpError::no_key(name)),
        Action::Write if !llm_write => {
            denied("writing", "It lacks the tag LLMWrite; a person can add it, or write it in edit mode")
        }
        Action::Delete if !llm_write => {
            denied("deleting", "It lacks the tag LLMWrite; a person can add it, or delete it in edit mode")
        }
        Action::Delete if is_protected => denied("deleting", "It is protected; a person must take the tag off first"),
        Action::Attributes if is_protected && mode != Mode::Edit => {
            denied(verb(action), "It is protected; only a person changes them, in edit mode")
        }
        // A template that models may not write shows what they may not read; a key of the prompt speaks for the person.
        Action::Create if mode < Mode::Write && key.system_tags != SystemTags::for_new_key() => {
            denied("creating", "Only people and apps choose its system tags; without them it is made")
        }
        _ => Ok(()),
    }
}

/// The refusal of an action that the mode never allows.
pub fn refuse_operation(mode: Mode, action: Action, operation: &str) -> OpError {
    OpError::PermissionDenied { what: format!("{operation} in {} mode", mode.name()), remedy: needs(action) }
}

fn needs(action: Action) -> String {
    let mode = match action {
        Action::Attributes => "write or edit",
        Action::Arrange | Action::Instances | Action::Access => "edit",
        _ => "use or edit",
    };
    format!("It needs {mode} mode, which the person who connects this client chooses")
}

fn verb(action: Action) -> &'static str {
    match action {
        Action::Read => "reading",
        Action::Write => "writing",
        Action::Create => "creating",
        Action::Delete => "deleting",
        Action::Attributes => "changing attributes of",
        Action::Arrange => "rearranging",
        Action::Instances => "changing instances for",
        Action::Access => "changing rights to",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{key::KeyType, value::Stored};

    fn key(tags: &[SystemTag]) -> Key {
        let mut key = Key::new(KeyType::Text, Stored::Inline(String::new()));
        key.system_tags = tags.iter().copied().collect::<SystemTags>();
        key
    }

    /// DESIGN decision 11, one line a cell: action, tags of the key, then whether read, use, write and edit may.
    #[test]
    fn the_mode_table() {
        use Action::{Arrange, Attributes, Create, Delete, Read, Write};
        use SystemTag::{ApplyTemplate, LlmRead, LlmWrite, Protected, SystemPrompt};
        let table: &[(Action, &[SystemTag], [bool; 4])] = &[
            (Read, &[], [false, false, true, true]),
            (Read, &[LlmWrite], [false, false, true, true]),
            (Read, &[LlmRead], [true, true, true, true]),
            (Read, &[SystemPrompt], [true, true, true, true]),
            (Write, &[LlmRead], [false, false, true, true]),
            (Write, &[LlmWrite], [false, true, true, true]),
            (Write, &[Protected], [false, false, true, true]),
            (Write, &[SystemPrompt, LlmWrite], [false, true, true, true]),
            (Create, &[LlmRead, LlmWrite], [false, true, true, true]),
            (Create, &[SystemPrompt], [false, false, true, true]),
            (Create, &[LlmRead, ApplyTemplate], [false, false, true, true]),
            (Create, &[LlmRead, LlmWrite, Protected], [false, false, true, true]),
            (Delete, &[LlmRead], [false, false, true, true]),
            (Delete, &[LlmWrite], [false, true, true, true]),
            (Delete, &[LlmWrite, Protected], [false, false, false, false]),
            (Delete, &[Protected], [false, false, false, false]),
            (Attributes, &[LlmRead, LlmWrite], [false, false, true, true]),
            (Attributes, &[Protected], [false, false, false, true]),
            (Arrange, &[LlmRead, LlmWrite], [false, false, false, true]),
        ];
        for (action, tags, expected) in table {
            let got = [Mode::Read, Mode::Use, Mode::Write, Mode::Edit]
                .map(|mode| check(mode, *action, "k", &key(tags)).is_ok());
            assert_eq!(got, *expected, "{action:?} {tags:?}");
        }
    }

    #[test]
    fn a_key_that_may_not_be_read_answers_like_an_absent_one() {
        assert_eq!(check(Mode::Use, Action::Read, "k", &key(&[])).unwrap_err(), OpError::no_key("k"));
    }
}
