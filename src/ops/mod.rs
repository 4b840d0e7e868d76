//! The verbs, pure: every change of an instance is an operation of this registry, a line each.
//!
//! An operation does no IO, reads no clock and rolls no dice. Faces and the CLI find it here by name.

pub mod access;
pub mod batch;
pub mod bounds;
pub mod catalog;
pub mod expiry;
pub mod idempotency;
pub mod instances;
pub mod key_schema;
pub mod keys;
pub mod log;
pub mod operation;
pub mod port;
pub mod procedure;
pub mod schema;
pub mod sign_in;
pub mod tx;
pub mod undo;

use std::sync::LazyLock;

use operation::Entry;

static REGISTRY: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    vec![
        Entry::of::<keys::list::List>(),
        Entry::of::<keys::read::Read>(),
        Entry::of::<keys::write::Write>(),
        Entry::of::<keys::edit::Append>(),
        Entry::of::<keys::edit::Edit>(),
        Entry::of::<keys::delete::Delete>(),
        Entry::procedure::<keys::search::SearchKeys>(),
        Entry::of::<keys::history::History>(),
        Entry::of::<keys::wait::WaitForChange>(),
        Entry::of::<keys::prompt::SystemPrompt>(),
        catalog::search_entry(),
        catalog::call_entry(),
        Entry::of::<keys::attributes::SetAttributes>(),
        Entry::of::<keys::attributes::Rename>(),
        Entry::of::<keys::delete::Clear>(),
        Entry::of::<keys::history::Restore>(),
        Entry::of::<batch::Batch>(),
        Entry::of::<undo::Undo>(),
        Entry::procedure::<keys::purge::Purge>(),
        Entry::of::<log::LogRead>(),
        Entry::of::<keys::browse::Browse>(),
        Entry::of::<keys::facets::Facets>(),
        Entry::of::<keys::tool::KeyTool>(),
        Entry::procedure::<instances::Create>(),
        Entry::of::<instances::catalog::List>(),
        Entry::of::<instances::catalog::Read>(),
        Entry::of::<instances::catalog::Rename>(),
        Entry::procedure::<instances::state::Delete>(),
        Entry::procedure::<instances::state::Undelete>(),
        Entry::procedure::<instances::state::SetReadOnly>(),
        Entry::procedure::<instances::copies::Duplicate>(),
        Entry::procedure::<instances::copies::Snapshot>(),
        Entry::procedure::<instances::restore::Restore>(),
        Entry::procedure::<instances::diff::Diff>(),
        Entry::of::<access::users::Create>(),
        Entry::of::<access::users::List>(),
        Entry::of::<access::users::Delete>(),
        Entry::of::<access::users::Found>(),
        Entry::of::<access::arriving::Arrive>(),
        Entry::of::<access::projects::Create>(),
        Entry::of::<access::projects::List>(),
        Entry::of::<access::projects::Read>(),
        Entry::of::<access::projects::Update>(),
        Entry::procedure::<access::projects::Delete>(),
        Entry::procedure::<access::joining::Join>(),
        Entry::of::<access::keys::Create>(),
        Entry::of::<access::keys::List>(),
        Entry::of::<access::keys::Revoke>(),
        Entry::of::<access::delegates::Create>(),
        Entry::of::<access::delegates::List>(),
        Entry::of::<access::delegates::Delete>(),
        Entry::of::<access::delegates::CreateSecret>(),
        Entry::of::<access::delegates::ListSecrets>(),
        Entry::of::<access::delegates::RevokeSecret>(),
        Entry::of::<access::grants::List>(),
        Entry::of::<access::groups::Create>(),
        Entry::of::<access::groups::List>(),
        Entry::of::<access::groups::Delete>(),
        Entry::of::<access::groups::Add>(),
        Entry::of::<access::groups::Remove>(),
        Entry::of::<access::groups::Leave>(),
        Entry::of::<access::shares::Create>(),
        Entry::of::<access::shares::List>(),
        Entry::of::<access::shares::Remove>(),
        Entry::of::<access::trail::Trail>(),
        Entry::of::<sign_in::List>(),
        Entry::of::<sign_in::Revoke>(),
        Entry::of::<expiry::ExpireDue>(),
    ]
});

/// All operations, in the order in which tools are listed.
pub fn registry() -> &'static [Entry] {
    &REGISTRY
}

/// The operation of a name.
pub fn find(name: &str) -> Option<&'static Entry> {
    registry().iter().find(|entry| entry.name == name)
}

#[cfg(test)]
mod tests;
