//! The Model Context Protocol: one handler for both eras (sessions up to 2025-11-25, stateless 2026-07-28),
//! over stdio and streamable HTTP.

mod completions;
mod connection;
pub mod http;
mod message;
mod prompts;
mod push;
mod resources;
mod server;
pub mod stdio;
mod tools;

pub use connection::{Mount, Server};
pub use tools::listed as listed_tools;
