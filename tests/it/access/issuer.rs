//! An issuer of tokens on the loopback, with every fault that one can have.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde_json::{Value, json};

use super::certificate::{Certificate, over_tls};

/// For whom its tokens are unless told otherwise.
pub(super) const AUDIENCE: &str = "mindcache";

/// What it answers to who asks for its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Keys,
    /// Its keys, once the test lets it.
    Held,
    Status(u16),
    /// Nothing, and the connection stays open.
    Never,
    Endless,
    Garbage,
    NoKeys,
    /// Its keys are elsewhere.
    Redirect,
    /// Its discovery document is of somebody else.
    OtherIssuer,
    /// Its discovery document leads away from this machine without TLS.
    UnsafeKeys,
}

struct State {
    keys: Mutex<Vec<Value>>,
    answer: Mutex<Answer>,
    changed: Condvar,
    fetches: AtomicUsize,
    address: String,
}

/// The issuer.
pub(super) struct Issuer(Arc<State>);

impl Issuer {
    /// One that gives these keys.
    pub(super) fn start(signers: &[&Signer]) -> Self {
        Self::start_with(signers, None)
    }

    /// The same over TLS if it has a certificate.
    pub(super) fn start_with(signers: &[&Signer], certificate: Option<&Certificate>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let config = certificate.map(Certificate::config);
        let scheme = if config.is_some() { "https" } else { "http" };
        let address = format!("{scheme}://{}", listener.local_addr().unwrap());
        let keys = Mutex::new(signers.iter().map(|signer| signer.jwk()).collect());
        let (changed, fetches) = (Condvar::new(), AtomicUsize::new(0));
        let state = Arc::new(State { keys, answer: Mutex::new(Answer::Keys), changed, fetches, address });
        let serving = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (state, config) = (Arc::clone(&serving), config.clone());
                thread::spawn(move || match &config {
                    Some(config) => state.serve(over_tls(config, stream)),
                    None => state.serve(stream),
                });
            }
        });
        Self(state)
    }

    /// Its name, as tokens have it.
    pub(super) fn name(&self) -> String {
        self.0.address.clone()
    }

    /// What a server is told of it, with more words.
    pub(super) fn told(&self, words: &str) -> String {
        format!("{} aud={AUDIENCE} {words}", self.name())
    }

    /// How often its keys, or where they are, were asked for. Each fetch asks for both.
    pub(super) fn fetches(&self) -> usize {
        self.0.fetches.load(Ordering::SeqCst)
    }

    pub(super) fn now_answers(&self, answer: Answer) {
        *self.0.answer.lock().unwrap() = answer;
        self.0.changed.notify_all();
    }

    pub(super) fn now_has(&self, signers: &[&Signer]) {
        *self.0.keys.lock().unwrap() = signers.iter().map(|signer| signer.jwk()).collect();
    }

    /// Claims that are good for an hour.
    pub(super) fn claims(&self, subject: &str) -> Value {
        json!({"iss": self.name(), "aud": AUDIENCE, "sub": subject, "exp": now() + 3600, "nbf": now() - 5})
    }
}

impl State {
    fn serve(&self, stream: impl Read + Write) {
        let mut reader = BufReader::new(stream);
        loop {
            let mut asked = String::new();
            if reader.read_line(&mut asked).is_err() || asked.is_empty() {
                return;
            }
            let mut header = String::new();
            while reader.read_line(&mut header).is_ok_and(|read| read > 2) {
                header.clear();
            }
            let is_discovery = asked.contains("/.well-known/openid-configuration ");
            assert!(is_discovery || asked.contains("/keys "), "{asked}");
            if is_discovery {
                self.fetches.fetch_add(1, Ordering::SeqCst);
            }
            if self.answer(is_discovery, reader.get_mut()).is_err() {
                return;
            }
        }
    }

    fn answer(&self, is_discovery: bool, stream: &mut impl Write) -> std::io::Result<()> {
        let mut answer = self.answer.lock().unwrap();
        while matches!(*answer, Answer::Never | Answer::Held) {
            answer = self.changed.wait(answer).unwrap();
        }
        let answer = *answer;
        let own = &self.address;
        let document = match answer {
            Answer::OtherIssuer => json!({"issuer": "https://other.example", "jwks_uri": format!("{own}/keys")}),
            Answer::UnsafeKeys => json!({"issuer": own, "jwks_uri": "http://other.example/keys"}),
            _ => json!({"issuer": own, "jwks_uri": format!("{own}/keys")}),
        };
        let (status, head, body) = match answer {
            _ if is_discovery => (200, String::new(), document.to_string()),
            Answer::Status(status) => (status, String::new(), String::new()),
            Answer::Endless => (200, String::new(), format!("{{\"keys\": [{}", " ".repeat(256 * 1024))),
            Answer::Garbage => (200, String::new(), "<html>".into()),
            Answer::NoKeys => (200, String::new(), json!({"keys": []}).to_string()),
            Answer::Redirect => (302, format!("Location: {own}/keys\r\n"), String::new()),
            _ => (200, String::new(), json!({"keys": *self.keys.lock().unwrap()}).to_string()),
        };
        let head = format!("HTTP/1.1 {status} Told\r\nContent-Length: {}\r\n{head}\r\n", body.len());
        stream.write_all((head + &body).as_bytes())?;
        stream.flush()
    }
}

enum Secret {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

/// A key pair that signs tokens.
pub(super) struct Signer {
    /// The id of the key.
    pub(super) kid: String,
    secret: Secret,
}

impl Signer {
    pub(super) fn rsa(kid: &str) -> Self {
        Self { kid: kid.into(), secret: Secret::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()) }
    }

    pub(super) fn ec(kid: &str) -> Self {
        let secret = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { kid: kid.into(), secret: Secret::Ec(secret) }
    }

    pub(super) fn ed(kid: &str) -> Self {
        Self { kid: kid.into(), secret: Secret::Ed(Ed25519KeyPair::generate().unwrap()) }
    }

    /// What it signs with, by its name in tokens.
    pub(super) fn algorithm(&self) -> &'static str {
        match &self.secret {
            Secret::Rsa(_) => "RS256",
            Secret::Ec(_) => "ES256",
            Secret::Ed(_) => "EdDSA",
        }
    }

    /// Its public key as bytes.
    pub(super) fn public(&self) -> Vec<u8> {
        match &self.secret {
            Secret::Rsa(pair) => pair.public_key().as_ref().to_vec(),
            Secret::Ec(pair) => pair.public_key().as_ref().to_vec(),
            Secret::Ed(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    /// Its public key as issuers give it.
    pub(super) fn jwk(&self) -> Value {
        let public = self.public();
        let mut key = match &self.secret {
            Secret::Rsa(pair) => {
                let public = pair.public_key();
                let modulus = BASE64.encode(public.modulus().big_endian_without_leading_zero());
                json!({"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256"})
            }
            Secret::Ec(_) => {
                json!({"kty": "EC", "crv": "P-256", "x": BASE64.encode(&public[1..33]), "y": BASE64.encode(&public[33..])})
            }
            Secret::Ed(_) => json!({"kty": "OKP", "crv": "Ed25519", "x": BASE64.encode(public)}),
        };
        key["kid"] = json!(self.kid);
        key["use"] = json!("sig");
        key
    }

    /// The signature of a text.
    pub(super) fn sign(&self, text: &str) -> Vec<u8> {
        let chance = SystemRandom::new();
        match &self.secret {
            Secret::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &chance, text.as_bytes(), &mut signature).unwrap();
                signature
            }
            Secret::Ec(pair) => pair.sign(&chance, text.as_bytes()).unwrap().as_ref().to_vec(),
            Secret::Ed(pair) => pair.sign(text.as_bytes()).as_ref().to_vec(),
        }
    }

    /// A token.
    pub(super) fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({"alg": self.algorithm(), "kid": self.kid, "typ": "JWT"}), claims)
    }

    /// A token with another header.
    pub(super) fn token_with(&self, header: &Value, claims: &Value) -> String {
        let text = unsigned(header, claims);
        let signature = BASE64.encode(self.sign(&text));
        format!("{text}.{signature}")
    }
}

/// What of a token is signed.
pub(super) fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()))
}

/// A token that is signed with a secret, as no issuer may.
pub(super) fn with_secret(secret: &[u8], header: &Value, claims: &Value) -> String {
    use aws_lc_rs::hmac;
    let text = unsigned(header, claims);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
    format!("{text}.{}", BASE64.encode(tag))
}

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "tokens are good by the clock of the machine")]
pub(super) fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}
