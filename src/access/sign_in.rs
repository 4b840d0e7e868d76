//! Getting in with a browser: a one-time code becomes a sign-in of two halves, a cookie and a page key.
//!
//! Cookies ignore the port: every server of this machine receives ours, so the cookie alone proves nothing. The page key
//! is in the storage of our own origin and goes in a header, which no other origin can send. Of all three only hashes
//! are kept, those of codes in memory.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use subtle::ConstantTimeEq as _;

use crate::{
    kernel::{Caller, Kernel},
    model::{
        digest::sha256,
        error::OpError,
        limits,
        permission::{Mode, PrincipalKind},
        sign_in::SignIn,
    },
};

/// Longest name of a browser that is kept, in characters.
const BROWSER_CHARACTERS: usize = 200;

/// The codes and sign-ins of one server.
pub struct SignIns {
    kernel: Arc<Kernel>,
    /// Hashes of the codes that are out, with when they end, in milliseconds since 1970.
    codes: Mutex<HashMap<String, i64>>,
}

impl std::fmt::Debug for SignIns {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SignIns")
    }
}

/// A new sign-in: the only time that its halves are known here.
pub struct Halves {
    /// For the cookie.
    pub cookie: String,
    /// For the storage of the page.
    pub page_key: String,
}

impl SignIns {
    /// None is out yet.
    pub fn new(kernel: Arc<Kernel>) -> Self {
        Self { kernel, codes: Mutex::default() }
    }

    fn codes(&self) -> std::sync::MutexGuard<'_, HashMap<String, i64>> {
        // Each change is a single step, so the map is whole even if a holder panicked.
        self.codes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new code: for one use, within ten minutes. Of too many the oldest is forgotten.
    pub fn issue_code(&self) -> String {
        let (code, now_ms) = (secret(), self.kernel.now_ms());
        let mut codes = self.codes();
        codes.retain(|_, ends| *ends > now_ms);
        if codes.len() >= limits::CODES
            && let Some(oldest) = codes.iter().min_by_key(|(_, ends)| **ends).map(|(hash, _)| hash.clone())
        {
            codes.remove(&oldest);
        }
        codes.insert(sha256(&code), now_ms + limits::CODE_MS);
        code
    }

    /// Takes a code for a sign-in of this browser; nothing when it was used, is over or never was.
    pub async fn exchange(&self, code: &str, browser: &str) -> Result<Option<Halves>, OpError> {
        // Found by its hash: how long that takes tells nothing of the codes that are out.
        let ends = self.codes().remove(&sha256(code));
        if ends.is_none_or(|ends| ends <= self.kernel.now_ms()) {
            return Ok(None);
        }
        let (id, in_cookie, page_key) = (uuid::Uuid::new_v4().simple().to_string(), secret(), secret());
        let browser = browser.chars().filter(|c| !c.is_control()).take(BROWSER_CHARACTERS).collect();
        let sign_in = SignIn { cookie: sha256(&in_cookie), page_key: sha256(&page_key), browser };
        let caller = Caller::local(PrincipalKind::Human, Mode::Edit, "page", String::new());
        self.kernel.keep_sign_in(&caller, &id, sign_in).await?;
        Ok(Some(Halves { cookie: format!("{id}.{in_cookie}"), page_key }))
    }

    /// The id of the sign-in that both halves belong to.
    pub fn check(&self, cookie: &str, page_key: &str) -> Result<Option<String>, OpError> {
        let Some((id, in_cookie)) = cookie.split_once('.') else { return Ok(None) };
        let Some(kept) = self.kernel.sign_in(id)? else { return Ok(None) };
        let same = |given: &str, kept: &str| sha256(given).as_bytes().ct_eq(kept.as_bytes());
        let is_it = same(in_cookie, &kept.cookie) & same(page_key, &kept.page_key);
        Ok(bool::from(is_it).then(|| id.to_owned()))
    }

    /// Follows a sign-in: asked now and then, it says whether it still holds.
    pub fn watch(self: &Arc<Self>, id: &str) -> Watched {
        Watched { sign_ins: Arc::clone(self), id: id.to_owned(), seen: None }
    }
}

/// A sign-in that something lasting depends on.
#[derive(Debug)]
pub struct Watched {
    sign_ins: Arc<SignIns>,
    id: String,
    /// Where the catalog stood, and until when what was found there holds.
    seen: Option<(u64, i64)>,
}

impl Watched {
    /// Whether it still holds. Cheap while nothing changes in the catalog.
    pub fn holds(&mut self) -> bool {
        /// How long what was found holds without asking: a sign-in also ends by its age.
        const HOLDS_MS: i64 = 10_000;
        let (kernel, now_ms) = (&self.sign_ins.kernel, self.sign_ins.kernel.now_ms());
        let hint = kernel.catalog_hint();
        if let (Some(hint), Some((seen, until))) = (hint, self.seen)
            && hint == seen
            && now_ms < until
        {
            return true;
        }
        let holds = kernel.sign_in(&self.id).is_ok_and(|found| found.is_some());
        self.seen = hint.filter(|_| holds).map(|hint| (hint, now_ms + HOLDS_MS));
        holds
    }
}

/// 244 random bits from the system's generator.
fn secret() -> String {
    format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple())
}
