//! mindcache: shared, live, durable working memory for AI agents.
//!
//! What lives where, and who may import whom (a test holds it):
//!
//! - [`model`]: the nouns, pure. Imports nothing of ours.
//! - [`derive`]: what is computed from records, pure. Imports `model`.
//! - [`ops`]: the verbs, pure. Imports `model` and `derive`.
//!
//! Nothing imports a face.

pub mod cli;
pub mod config;
pub mod derive;
pub mod face;
pub mod kernel;
pub mod model;
pub mod ops;
pub mod store;
