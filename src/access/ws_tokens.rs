//! Tokens that open one WebSocket each: for pages, which cannot send a header with it and must not hold a key.
//!
//! They are in memory alone, by their hashes, for a minute; whatever one is shown for, it is spent.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    kernel::Kernel,
    model::{
        digest::sha256,
        error::OpError,
        instance::InstanceId,
        limits,
        permission::{Permission, Principal},
    },
};

/// What a token stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// Who asked for it.
    pub principal: Principal,
    /// By which sign-in of a browser, where it was the page.
    pub sign_in: Option<String>,
    /// For which instance.
    pub instance: InstanceId,
    /// The most that may be done there with it.
    pub permission: Permission,
}

struct Kept {
    /// For whom it counts: a user, with all their keys.
    of: String,
    admitted: Admitted,
    ends_ms: i64,
}

/// Why a token opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It was used, or never was.
    Unknown,
    /// Its minute is over.
    Expired,
}

/// The tokens of one server that are out.
pub struct WsTokens {
    kernel: Arc<Kernel>,
    out: Mutex<Out>,
}

impl std::fmt::Debug for WsTokens {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("WsTokens")
    }
}

impl WsTokens {
    /// None is out yet.
    pub fn new(kernel: Arc<Kernel>) -> Self {
        Self { kernel, out: Mutex::default() }
    }

    fn out(&self) -> std::sync::MutexGuard<'_, Out> {
        // A count that is too high after a panic lets in fewer, not more.
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new token, and when it ends, in milliseconds since 1970. Errors: `overloaded` when too many are out.
    pub fn issue(&self, admitted: Admitted) -> Result<(String, i64), OpError> {
        // 244 random bits from the system's generator.
        let token = format!("{}{}", uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
        let of = self.kernel.whose(&admitted.principal)?.unwrap_or_else(|| admitted.principal.id.clone());
        let ends_ms = self.out().keep(sha256(&token), of, admitted, self.kernel.now_ms())?;
        Ok((token, ends_ms))
    }

    /// Spends a token.
    pub fn spend(&self, token: &str) -> Result<Admitted, Refused> {
        // Found by its hash: how long that takes tells nothing of the tokens that are out.
        self.out().spend(&sha256(token), self.kernel.now_ms())
    }
}

/// Tokens by their hashes.
#[derive(Default)]
struct Out {
    kept: HashMap<String, Kept>,
    /// How many there are of each user.
    of_one: HashMap<String, usize>,
    /// When those that ended long ago were forgotten last.
    tidied_ms: i64,
}

impl Out {
    fn keep(&mut self, hash: String, of: String, admitted: Admitted, now_ms: i64) -> Result<i64, OpError> {
        if now_ms - self.tidied_ms >= limits::WS_TOKEN_MS || now_ms < self.tidied_ms {
            self.tidy(now_ms);
        }
        let of_one = self.of_one.entry(of.clone()).or_default();
        for (what, waiting, most) in
            [("your user", *of_one, limits::WS_TOKENS_OF_ONE), ("this server", self.kept.len(), limits::WS_TOKENS)]
        {
            if waiting >= most {
                return Err(OpError::Overloaded { what: what.into(), of: "WebSocket tokens out", waiting });
            }
        }
        *of_one += 1;
        let ends_ms = now_ms + limits::WS_TOKEN_MS;
        self.kept.insert(hash, Kept { of, admitted, ends_ms });
        Ok(ends_ms)
    }

    fn spend(&mut self, hash: &str, now_ms: i64) -> Result<Admitted, Refused> {
        let Kept { of, admitted, ends_ms } = self.kept.remove(hash).ok_or(Refused::Unknown)?;
        if let Some(of_one) = self.of_one.get_mut(&of) {
            *of_one -= 1;
        }
        if ends_ms <= now_ms { Err(Refused::Expired) } else { Ok(admitted) }
    }

    /// Who comes a little late is told that, and not that there was none.
    fn tidy(&mut self, now_ms: i64) {
        self.tidied_ms = now_ms;
        self.kept.retain(|_, kept| kept.ends_ms + limits::WS_TOKEN_MS > now_ms);
        self.of_one.clear();
        for kept in self.kept.values() {
            *self.of_one.entry(kept.of.clone()).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::permission::PrincipalKind;

    fn admitted() -> Admitted {
        let principal = Principal::local(PrincipalKind::App);
        Admitted { principal, sign_in: None, instance: InstanceId::catalog(), permission: Permission::Read }
    }

    fn keep(tokens: &mut Out, hash: impl Into<String>, user: usize, now_ms: i64) -> Result<i64, OpError> {
        tokens.keep(hash.into(), user.to_string(), admitted(), now_ms)
    }

    #[test]
    fn a_token_is_for_one_use_within_its_minute() {
        let mut tokens = Out::default();
        let end = limits::WS_TOKEN_MS;
        for (hash, now_ms, expected) in
            [("a", end - 1, Ok(admitted())), ("b", end, Err(Refused::Expired)), ("none", 0, Err(Refused::Unknown))]
        {
            if hash != "none" {
                keep(&mut tokens, hash, 1, 0).unwrap();
            }
            assert_eq!(tokens.spend(hash, now_ms), expected);
            assert_eq!(tokens.spend(hash, now_ms), Err(Refused::Unknown));
        }
    }

    #[test]
    fn only_so_many_tokens_are_out() {
        let mut tokens = Out::default();
        for number in 0..limits::WS_TOKENS {
            keep(&mut tokens, number.to_string(), number / limits::WS_TOKENS_OF_ONE, 0).unwrap();
        }
        assert_eq!(keep(&mut tokens, "more", 1000, 0).unwrap_err().code(), "overloaded");
        // Long after their end they are forgotten.
        let later = 3 * limits::WS_TOKEN_MS;
        keep(&mut tokens, "more", 1000, later).unwrap();
        for number in 1..limits::WS_TOKENS_OF_ONE {
            keep(&mut tokens, number.to_string(), 1000, later).unwrap();
        }
        assert_eq!(keep(&mut tokens, "too many", 1000, later).unwrap_err().code(), "overloaded");
        keep(&mut tokens, "another's", 7, later).unwrap();
    }
}
