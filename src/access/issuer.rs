//! What a server is told of an issuer whose tokens it takes. Nothing is taken from a token that is not held against
//! this first.

use std::{net::IpAddr, str::FromStr};

use jsonwebtoken::Algorithm;
use reqwest::Url;

/// Algorithms by their names in tokens. Each goes with one type of public key, so that a key says which it is for; there
/// is no secret among them that a public key could be taken for.
pub(super) const ALGORITHMS: [(&str, Algorithm); 3] =
    [("RS256", Algorithm::RS256), ("ES256", Algorithm::ES256), ("EdDSA", Algorithm::EdDSA)];

/// An issuer of tokens, and which of its tokens are for this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// Its name as its tokens carry it, to the letter; an address.
    pub name: String,
    /// A token is for one of these (`aud`). None: it is not asked.
    pub audiences: Vec<String>,
    /// A token was given to one of these (`azp`). None: it is not asked.
    pub parties: Vec<String>,
    /// How its tokens may be signed.
    pub algorithms: Vec<Algorithm>,
    /// Where its public keys are; without it, its discovery document says so.
    pub keys: Option<Url>,
}

impl Issuer {
    /// Whether it is on this machine, and may be asked without TLS.
    pub(super) fn is_local(&self) -> bool {
        Url::parse(&self.name).is_ok_and(|url| is_loopback(&url))
    }

    /// Whether an address is one to fetch from on its behalf: over TLS, or from one that is itself on this machine.
    pub(super) fn may_fetch(&self, url: &Url) -> bool {
        url.scheme() == "https" || (url.scheme() == "http" && self.is_local() && is_loopback(url))
    }

    /// Where its discovery document is.
    pub(super) fn discovery(&self) -> Option<Url> {
        Url::parse(&format!("{}/.well-known/openid-configuration", self.name.trim_end_matches('/'))).ok()
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

impl FromStr for Issuer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let name = words.next().unwrap_or_default().to_owned();
        let mut issuer = Self { name, audiences: vec![], parties: vec![], algorithms: vec![], keys: None };
        let url = Url::parse(&issuer.name).map_err(|error| format!("an issuer begins with its address: {error}"))?;
        check(&issuer, &url)?;
        for word in words {
            let (what, value) = word.split_once('=').filter(|(_, value)| !value.is_empty()).unwrap_or((word, ""));
            match what {
                "aud" if !value.is_empty() => issuer.audiences.push(value.into()),
                "azp" if !value.is_empty() => issuer.parties.push(value.into()),
                "alg" => {
                    let known = ALGORITHMS.iter().find(|(name, _)| *name == value);
                    let (_, algorithm) = known.ok_or("alg is RS256, ES256 or EdDSA")?;
                    issuer.algorithms.push(*algorithm);
                }
                "jwks" => {
                    let url = Url::parse(value).map_err(|error| format!("jwks is an address: {error}"))?;
                    check(&issuer, &url)?;
                    issuer.keys = Some(url);
                }
                _ => return Err(format!("\"{word}\" is none of aud=…, azp=…, alg=…, jwks=…")),
            }
        }
        if issuer.audiences.is_empty() && issuer.parties.is_empty() {
            return Err(
                "name who its tokens are for with aud=…, or to whom they were given with azp=…: others of the \
                        issuer's tokens are not for this server"
                    .into(),
            );
        }
        if issuer.algorithms.is_empty() {
            issuer.algorithms.push(Algorithm::RS256);
        }
        Ok(issuer)
    }
}

/// Refuses an address that could be read or changed on the way, or that carries a secret.
fn check(issuer: &Issuer, url: &Url) -> Result<(), String> {
    if !issuer.may_fetch(url) {
        return Err(format!("{url} is neither https nor, as its issuer, on this machine"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("an address has neither a name, a password nor a fragment".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_read_with_everything_that_was_said_of_it() {
        let read: Issuer =
            "https://a.example/ aud=x aud=y azp=z alg=ES256 alg=EdDSA jwks=https://b.example/k".parse().unwrap();
        assert_eq!(read.name, "https://a.example/", "as it is written: a slash more would be another issuer");
        assert_eq!((read.audiences, read.parties), (vec!["x".into(), "y".into()], vec!["z".into()]));
        assert_eq!(read.algorithms, [Algorithm::ES256, Algorithm::EdDSA]);
        assert_eq!(read.keys.unwrap().as_str(), "https://b.example/k");
        let read: Issuer = "https://a.example/realms/r aud=x".parse().unwrap();
        assert_eq!(read.algorithms, [Algorithm::RS256]);
        assert_eq!(read.discovery().unwrap().path(), "/realms/r/.well-known/openid-configuration");
        for local in ["http://localhost:1 aud=x", "http://127.0.0.1 azp=x jwks=http://[::1]:5/k"] {
            assert!(local.parse::<Issuer>().is_ok(), "{local}");
        }
    }

    #[test]
    fn an_issuer_that_proves_nothing_is_refused() {
        for bad in [
            "",
            "a.example aud=x",
            "https://a.example",
            "https://a.example aud=",
            "https://a.example aud=x alg=HS256",
            "https://a.example aud=x alg=none",
            "https://a.example aud=x jwks=http://a.example/k",
            "https://a.example aud=x jwks=http://127.0.0.1/k",
            "https://u:p@a.example aud=x",
            "http://a.example aud=x",
            "http://127.0.0.1.a.example aud=x",
            "http://127.0.0.1 aud=x jwks=http://a.example/k",
            "file:///etc/passwd aud=x",
            "https://a.example audience=x",
        ] {
            assert!(bad.parse::<Issuer>().is_err(), "{bad}");
        }
    }
}
