//! How the world reaches the kernel. A face decodes, names the caller, calls the kernel and encodes; it has no
//! rules of its own, and nothing imports it but the command line.

pub mod http;
pub mod mcp;
pub mod rest;
pub mod sync;
pub mod web;
