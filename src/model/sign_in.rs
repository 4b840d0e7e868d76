//! A sign-in: a browser that may show the page. Record kind `sign_in` of the catalog, its id is random and no secret.

use serde::{Deserialize, Serialize};

use super::{kind::Kind, record::IndexEntry};

/// What is kept of a browser that has signed in: hashes of the two halves that it has to show, and what it calls itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    /// SHA-256 of what its cookie carries, in lower-case hexadecimal.
    pub cookie: String,
    /// SHA-256 of its page key, in lower-case hexadecimal.
    pub page_key: String,
    /// The browser, as it names itself.
    pub browser: String,
}

impl Kind for SignIn {
    const KIND: &'static str = "sign_in";

    fn entries(&self, _: &str) -> Vec<IndexEntry> {
        Vec::new()
    }
}
