//! The public keys of an issuer: fetched when a token first needs them, kept, and fetched anew when they are old or a
//! token names one that is not among them. One fetch at a time, and not often: anybody may send a token that names a
//! key. An issuer that does not answer keeps its keys for a day.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use reqwest::{Client, StatusCode, Url, redirect::Policy};
use serde::Deserialize;
use serde_json::Value;
use tokio::{sync::Mutex, time::timeout};

use super::issuer::Issuer;
use crate::{kernel::clock::Stopwatch, model::limits};

/// How long a fetch may take, with all that belongs to it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Least time between two fetches because of keys that are not there, in milliseconds.
const PAUSE_MS: u128 = 10_000;
/// The same while there are no keys at all.
const PAUSE_WITHOUT_MS: u128 = 1_000;
/// How long keys are good for whose issuer does not answer, in milliseconds.
const KEEP_MS: u128 = 24 * 3600 * 1000;

/// Why there is no key for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// The issuer has none that fits.
    Key,
    /// The issuer cannot be asked.
    Issuer,
}

/// A public key, for what it may check.
struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    checks: DecodingKey,
}

/// The keys as they came.
struct Set {
    keys: Vec<Key>,
    since: Stopwatch,
}

/// The last fetch, but for a first one that succeeded.
#[derive(Default)]
struct Tried {
    at: Option<Stopwatch>,
    has_failed: bool,
}

/// What is known of an issuer's keys.
pub(super) struct Keys {
    /// Whose they are.
    pub(super) issuer: Issuer,
    client: Client,
    fresh_ms: u128,
    set: RwLock<Option<Arc<Set>>>,
    turn: Arc<Mutex<Tried>>,
}

impl Keys {
    /// Nothing is fetched yet. Errors: the system has no certificates to check others by.
    pub(super) fn new(issuer: Issuer, fresh: Duration) -> reqwest::Result<Self> {
        let client = Client::builder().redirect(Policy::none()).timeout(PATIENCE).user_agent("mindcache");
        // To this machine no proxy leads, and an issuer on it may do without TLS.
        let client = if issuer.is_local() { client.no_proxy() } else { client };
        let client = if issuer.name.starts_with("https:") {
            client.https_only(true).build()?
        } else {
            client.tls_certs_only([]).build()?
        };
        let (set, turn) = (RwLock::default(), Arc::default());
        Ok(Self { issuer, client, fresh_ms: fresh.as_millis(), set, turn })
    }

    fn set(&self) -> Option<Arc<Set>> {
        // It is replaced in a single step, so it is whole even if a holder panicked.
        let set = self.set.read().unwrap_or_else(PoisonError::into_inner).clone();
        set.filter(|set| set.since.elapsed_ms() <= KEEP_MS)
    }

    /// The key that a token names. Fetches the keys if it is not there.
    pub(super) async fn find(self: &Arc<Self>, id: Option<&str>, algorithm: Algorithm) -> Result<DecodingKey, Missing> {
        let known = |keys: &Self| keys.set()?.key(id, algorithm);
        if let Some(key) = known(self) {
            self.renew();
            return Ok(key);
        }
        let mut tried = Arc::clone(&self.turn).lock_owned().await;
        // Who waited for somebody else's fetch finds what that has brought.
        if let Some(key) = known(self) {
            return Ok(key);
        }
        if !self.is_too_soon(&tried) {
            let keys = Arc::clone(self);
            // A client that hangs up does not end what others wait for.
            let fetching = tokio::spawn(async move {
                keys.fetch_into(&mut tried).await;
                tried.has_failed
            });
            let has_failed = fetching.await.unwrap_or(true);
            return known(self).ok_or(if has_failed { Missing::Issuer } else { Missing::Key });
        }
        Err(if tried.has_failed { Missing::Issuer } else { Missing::Key })
    }

    /// Fetches keys that are old, while nobody waits for it.
    fn renew(self: &Arc<Self>) {
        if self.set().is_none_or(|set| set.since.elapsed_ms() <= self.fresh_ms) {
            return;
        }
        if let Ok(mut tried) = Arc::clone(&self.turn).try_lock_owned()
            && !self.is_too_soon(&tried)
        {
            let keys = Arc::clone(self);
            drop(tokio::spawn(async move { keys.fetch_into(&mut tried).await }));
        }
    }

    fn is_too_soon(&self, tried: &Tried) -> bool {
        let pause = if self.set().is_some() { PAUSE_MS } else { PAUSE_WITHOUT_MS };
        tried.at.is_some_and(|at| at.elapsed_ms() < pause)
    }

    async fn fetch_into(&self, tried: &mut Tried) {
        let is_first = self.set().is_none();
        let fetched = timeout(PATIENCE, self.fetch()).await;
        let fetched = fetched.unwrap_or_else(|_| Err("it takes too long to answer".into()));
        *tried = Tried { at: Some(Stopwatch::start()), has_failed: fetched.is_err() };
        match fetched {
            Ok(keys) => {
                if is_first {
                    tried.at = None;
                }
                let set = Arc::new(Set { keys, since: Stopwatch::start() });
                *self.set.write().unwrap_or_else(PoisonError::into_inner) = Some(set);
            }
            Err(why) => tracing::warn!(issuer = self.issuer.name, why, "the keys of an issuer cannot be fetched"),
        }
    }

    /// The keys of the issuer that can be used. Errors: why there are none, in words that nobody else chose.
    async fn fetch(&self) -> Result<Vec<Key>, String> {
        let url = match &self.issuer.keys {
            Some(url) => url.clone(),
            None => self.discover().await?,
        };
        let body = self.get(url).await?;
        let keys = keys_of(&body, &self.issuer).ok_or("its answer is no set of keys")?;
        if keys.is_empty() { Err("none of its keys is for a signature that is taken".into()) } else { Ok(keys) }
    }

    /// Where the discovery document says that the keys are.
    async fn discover(&self) -> Result<Url, String> {
        #[derive(Deserialize)]
        struct Document {
            issuer: String,
            jwks_uri: String,
        }
        let url = self.issuer.discovery().ok_or("it has no address")?;
        let body = self.get(url).await?;
        let document = serde_json::from_slice::<Document>(&body).map_err(|_| "its discovery document is none")?;
        if document.issuer != self.issuer.name {
            return Err("its discovery document is of another issuer".into());
        }
        let url = Url::parse(&document.jwks_uri).ok().filter(|url| self.issuer.may_fetch(url));
        url.ok_or_else(|| "its discovery document names an address for the keys that is not safe".into())
    }

    /// What is at an address.
    async fn get(&self, url: Url) -> Result<Vec<u8>, String> {
        let told = |error: reqwest::Error| {
            let error = error.without_url();
            // The reason is the innermost: a refused connection, a certificate.
            let mut inner: &dyn std::error::Error = &error;
            while let Some(source) = inner.source() {
                inner = source;
            }
            if error.is_timeout() { "it takes too long to answer".to_owned() } else { inner.to_string() }
        };
        let mut response = self.client.get(url).send().await.map_err(told)?;
        if response.status() != StatusCode::OK {
            return Err(format!("it answers with the status {}", response.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(told)? {
            body.extend_from_slice(&piece);
            if body.len() > limits::JWKS_BYTES {
                return Err(format!("its answer is longer than {} bytes", limits::JWKS_BYTES));
            }
        }
        Ok(body)
    }
}

impl Set {
    /// The key of this id; without an id, the only one for the algorithm.
    fn key(&self, id: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
        let mut fit = self.keys.iter().filter(|key| key.algorithm == algorithm);
        let found = match id {
            Some(_) => fit.find(|key| key.id.as_deref() == id),
            None => fit.next().filter(|_| fit.next().is_none()),
        };
        found.map(|key| key.checks.clone())
    }
}

/// The keys of a set that check what the issuer signs with; others are left out, as sets may hold more. Nothing for what
/// is no set.
fn keys_of(body: &[u8], issuer: &Issuer) -> Option<Vec<Key>> {
    #[derive(Deserialize)]
    struct Body {
        keys: Vec<Value>,
    }
    let body: Body = serde_json::from_slice(body).ok()?;
    let keys = body.keys.into_iter().filter_map(|key| {
        let key: Jwk = serde_json::from_value(key).ok()?;
        let algorithm = algorithm_of(&key).filter(|algorithm| issuer.algorithms.contains(algorithm))?;
        let checks = DecodingKey::from_jwk(&key).ok()?;
        Some(Key { id: key.common.key_id, algorithm, checks })
    });
    Some(keys.collect())
}

/// What a key may check: its type decides it, and what it says of itself may not contradict.
fn algorithm_of(key: &Jwk) -> Option<Algorithm> {
    let (algorithm, named) = match &key.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        _ => return None,
    };
    let common = &key.common;
    let is_for_it = common.key_algorithm.is_none_or(|says| says == named)
        && common.public_key_use.as_ref().is_none_or(|says| *says == PublicKeyUse::Signature)
        && common.key_operations.as_ref().is_none_or(|says| says.contains(&KeyOperations::Verify));
    is_for_it.then_some(algorithm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_for_the_signatures_that_are_taken_are_kept() {
        let issuer: Issuer = "https://a.example aud=x alg=RS256 alg=EdDSA".parse().unwrap();
        let set = br#"{"keys": [
            {"kty": "RSA", "kid": "rsa", "n": "sXch", "e": "AQAB"},
            {"kty": "RSA", "kid": "encrypts", "use": "enc", "n": "sXch", "e": "AQAB"},
            {"kty": "RSA", "kid": "other", "alg": "RS512", "n": "sXch", "e": "AQAB"},
            {"kty": "oct", "kid": "secret", "k": "c2VjcmV0"},
            {"kty": "EC", "kid": "not taken", "crv": "P-256", "x": "eA", "y": "eQ"},
            {"kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": "eA", "key_ops": ["verify"]},
            {"kty": "OKP", "kid": "signs", "crv": "Ed25519", "x": "eA", "key_ops": ["sign"]},
            {"kty": "new"}, 7
        ]}"#;
        let keys = keys_of(set, &issuer).unwrap();
        let ids: Vec<_> = keys.iter().filter_map(|key| key.id.as_deref()).collect();
        assert_eq!(ids, ["rsa", "ed"]);
        let set = Set { keys, since: Stopwatch::start() };
        assert!(set.key(Some("rsa"), Algorithm::RS256).is_some());
        assert!(set.key(Some("rsa"), Algorithm::EdDSA).is_none(), "a key is for its algorithm alone");
        assert!(set.key(None, Algorithm::EdDSA).is_some());
        for none in [&b"[]"[..], b"{}", b"", b"{\"keys\": {}}"] {
            assert!(keys_of(none, &issuer).is_none());
        }
    }
}
