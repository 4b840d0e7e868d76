//! Every limit of `docs/limits.md` that has no test beside its capability: at the limit it works; beyond it is refused
//! with its code and a word on what to do, and nothing is changed.

mod calls;
mod memory;
mod messages;
mod replies;
mod requests;
