//! The nouns, pure: what a key, a record, a change and an error are, and who may do what.
//!
//! Nothing here does IO, reads a clock or knows a wire format. It imports nothing of ours and holds
//! what the layers above share: the permission decision, the read view's trait, the effects.

pub mod access;
pub mod actor;
pub mod digest;
pub mod erasure;
pub mod error;
pub mod index;
pub mod instance;
pub mod key;
pub mod kind;
pub mod legacy;
pub mod limits;
#[cfg(test)]
mod limits_table;
pub mod permission;
pub mod portable;
pub mod record;
pub mod reply;
pub mod search;
pub mod sign_in;
pub mod tags;
pub mod time;
pub mod tool_name;
pub mod undone;
pub mod value;
pub mod view;
