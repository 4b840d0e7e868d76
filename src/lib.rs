//! mindcache: shared, live, durable working memory for AI agents.
//!
//! What lives where, and who may import whom (`tests/it/tidy/` holds it):
//!
//! - [`model`]: the nouns, pure. Imports nothing of ours.
//! - [`mod@derive`]: what is computed from records, pure. Imports `model`.
//! - [`ops`]: the verbs, pure. Imports `model` and `derive`.
//! - [`store`]: what remembers. Imports `model`.
//! - [`kernel`]: order. Imports `model`, `ops` and the store's trait.
//! - [`access`]: who is it. Imports `model` and `kernel`.
//! - [`face`]: how the world reaches the kernel. Imports all of the above; nothing imports a face but
//! - [`cli`]: the commands a person types, with [`config`].

pub mod access;
pub mod cli;
pub mod config;
pub mod derive;
pub mod face;
pub mod kernel;
pub mod model;
pub mod ops;
pub mod store;
