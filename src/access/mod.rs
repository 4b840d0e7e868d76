//! Who is it: from what a client shows to who it is. What they may do is asked of the kernel, call by call.

pub mod issuer;
mod jwks;
pub mod proofs;
pub mod sign_in;
pub mod tokens;
pub mod ws_tokens;
