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
    kept: Mutex<HashMap<String, Kept>>,
}

impl std::fmt::Debug for WsTokens {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("WsTokens")
    }
}

impl WsTokens {
    /// None is out yet.
    pub fn new(kernel: Arc<Kernel>) -> Self {
        Self { kernel, kept: Mutex::default() }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<String, Kept>> {
        // Each change is a single step, so the map is whole even if a holder panicked.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new token, and when it ends, in milliseconds since 1970. Errors: `overloaded` when too many are out.
    pub fn issue(&self, admitted: Admitted) -> Result<(String, i64), OpError> {
        let now_ms = self.kernel.now_ms();
        // 244 random bits from the system's generator.
        let token = format!("{}{}", uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
        let ends_ms = now_ms + limits::WS_TOKEN_MS;
        let mut kept = self.kept();
        if kept.len() >= limits::WS_TOKENS_OF_ONE {
            // Who comes a little late is told that, and not that there was none.
            kept.retain(|_, kept| kept.ends_ms + limits::WS_TOKEN_MS > now_ms);
            let of_one = kept.values().filter(|kept| kept.admitted.principal == admitted.principal).count();
            if kept.len() >= limits::WS_TOKENS || of_one >= limits::WS_TOKENS_OF_ONE {
                return Err(OpError::Overloaded { what: "this server, for WebSocket tokens,".into(), waiting: of_one });
            }
        }
        kept.insert(sha256(&token), Kept { admitted, ends_ms });
        Ok((token, ends_ms))
    }

    /// Spends a token.
    pub fn spend(&self, token: &str) -> Result<Admitted, Refused> {
        // Found by its hash: how long that takes tells nothing of the tokens that are out.
        let kept = self.kept().remove(&sha256(token)).ok_or(Refused::Unknown)?;
        if kept.ends_ms <= self.kernel.now_ms() { Err(Refused::Expired) } else { Ok(kept.admitted) }
    }
}
