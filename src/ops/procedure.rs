//! Procedures: what the kernel does in more than one file. Two files never commit together, so there is no one turn
//! in which it could happen; the kernel takes the steps in an order in which a crash between them is harmless.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::{
    access::{
        joining::Join,
        projects::{Begin, Delete as RemoveProject},
    },
    instances::{
        Create,
        copies::{Duplicate, Snapshot},
        diff::Diff,
        restore::Restore,
        state::{Delete, SetReadOnly, Undelete},
    },
    keys::{purge::Purge, search::SearchKeys},
    operation::OpMeta,
};

/// A procedure with its arguments.
#[derive(Debug)]
pub enum Procedure {
    /// An empty instance is made.
    Create(Create),
    /// An instance is copied, whole or in part.
    Duplicate(Duplicate),
    /// An instance is copied as it is, for later.
    Snapshot(Snapshot),
    /// An instance is put away.
    Delete(Delete),
    /// A deleted instance is brought back.
    Undelete(Undelete),
    /// An instance is closed or opened for writing.
    SetReadOnly(SetReadOnly),
    /// The keys of an instance become those of another.
    Restore(Restore),
    /// Two instances are compared.
    Diff(Diff),
    /// Older values of a key are erased, in clones and snapshots too.
    Purge(Purge),
    /// Somebody enters a project.
    Join(Join),
    /// A project is made, with its first instance.
    BeginProject(Begin),
    /// A project is removed, with its instances where that is wanted.
    RemoveProject(RemoveProject),
    /// Keys are found by their words, in the index and in the instance.
    SearchKeys(SearchKeys),
}

/// The arguments of a procedure, which stands in the registry like any operation.
pub trait Arguments: DeserializeOwned + JsonSchema + Into<Procedure> + 'static {
    /// Its name on every face. This is the only place that writes it.
    const NAME: &'static str;
    /// Its other facts.
    const META: OpMeta;
    /// Its result.
    type Out: JsonSchema;
}

/// Each procedure is one of its arguments' type.
macro_rules! procedures {
    ($($name:ident),+) => {
        $(impl From<$name> for Procedure {
            fn from(arguments: $name) -> Self {
                Self::$name(arguments)
            }
        })+
    };
}

procedures!(
    Create,
    Duplicate,
    Snapshot,
    Delete,
    Undelete,
    SetReadOnly,
    Restore,
    Diff,
    Purge,
    Join,
    RemoveProject,
    SearchKeys
);
