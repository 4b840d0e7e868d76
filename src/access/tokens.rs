//! Tokens of issuers: a signed text becomes who it speaks of, and until when. Neither it nor what it says is logged.

use std::{sync::Arc, time::Duration};

use jsonwebtoken::{Algorithm, Validation, dangerous::insecure_decode_claims, decode, decode_header};
use serde::Deserialize;
use serde_json::{Number, Value};

use super::{
    issuer::Issuer,
    jwks::{Keys, Missing},
};
use crate::model::{
    access::{Arrival, Identity},
    error::{OpError, Reason},
    permission::party,
};

/// The tokens that a server takes.
pub struct Tokens {
    issuers: Vec<Arc<Keys>>,
    skew_ms: i64,
    admits_anybody: bool,
}

/// What of a token counts before its signature was checked: whose keys to check it by.
#[derive(Deserialize)]
struct Unchecked {
    iss: String,
}

/// What a token says. Times are seconds since 1970.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: Number,
    nbf: Option<Number>,
    azp: Option<String>,
    email: Option<String>,
    email_verified: Option<Value>,
    name: Option<String>,
}

impl Tokens {
    /// Tokens of these issuers, whose clocks and ours may differ by so much; keys older than `fresh` are fetched again.
    /// With `admits_anybody` whoever has a token becomes a user. Errors: the system has no certificates.
    pub fn new(
        issuers: Vec<Issuer>,
        skew: Duration,
        fresh: Duration,
        admits_anybody: bool,
    ) -> Result<Self, reqwest::Error> {
        let issuers =
            issuers.into_iter().map(|issuer| Keys::new(issuer, fresh).map(Arc::new)).collect::<Result<_, _>>();
        let skew_ms = i64::try_from(skew.as_millis()).unwrap_or_default();
        Ok(Self { issuers: issuers?, skew_ms, admits_anybody })
    }

    /// Who a token speaks of, and when that ends in milliseconds. Errors: `unauthenticated`; `unavailable` while its
    /// issuer cannot be asked.
    pub(super) async fn check(&self, token: &str, now_ms: i64) -> Result<(Arrival, i64), OpError> {
        self.checked(token, now_ms).await.inspect_err(|error| {
            if let OpError::Unauthenticated { what, .. } = error {
                tracing::info!("{what}");
            }
        })
    }

    async fn checked(&self, token: &str, now_ms: i64) -> Result<(Arrival, i64), OpError> {
        // `none`, and every algorithm that the library has not, ends here.
        let header = decode_header(token).map_err(|_| refused("it is no signed token"))?;
        if header.crit.is_some() {
            return Err(refused("it asks for rules that are not known here"));
        }
        let unchecked = insecure_decode_claims::<Unchecked>(token).map_err(|_| refused("it names no issuer"))?;
        let of = self.issuers.iter().find(|keys| keys.issuer.name == unchecked.iss);
        let keys = of.ok_or_else(|| refused("its issuer is not one of this server's"))?;
        let issuer = &keys.issuer;
        if !issuer.algorithms.contains(&header.alg) {
            return Err(refused("its issuer does not sign in that way"));
        }
        let key = keys.find(header.kid.as_deref(), header.alg).await.map_err(|missing| match missing {
            Missing::Key => refused("its issuer has no such key"),
            Missing::Issuer => unreachable_issuer(),
        })?;
        let claims = decode::<Claims>(token, &key, &rules(issuer, header.alg))
            .map_err(|error| refused(why(error.kind())))?
            .claims;
        let ends_ms = ms(&claims.exp).saturating_add(self.skew_ms);
        if ends_ms <= now_ms {
            return Err(refused("it has expired"));
        }
        if claims.nbf.as_ref().is_some_and(|from| ms(from) > now_ms.saturating_add(self.skew_ms)) {
            return Err(refused("it is not valid yet"));
        }
        let party = claims.azp.as_deref().unwrap_or_default();
        if !issuer.parties.is_empty() && !issuer.parties.iter().any(|known| known == party) {
            return Err(refused("it was given to somebody else"));
        }
        Ok((self.arrival(issuer, claims)?, ends_ms))
    }

    fn arrival(&self, issuer: &Issuer, claims: Claims) -> Result<Arrival, OpError> {
        let identity = Identity::new(&issuer.name, &claims.sub);
        let identity = identity.ok_or_else(|| refused("it does not say of whom it speaks"))?;
        // Some issuers write it as a text.
        let is_verified = matches!(&claims.email_verified, Some(Value::Bool(true)))
            || claims.email_verified.as_ref().and_then(Value::as_str) == Some("true");
        let email = claims.email.as_deref().filter(|_| is_verified).and_then(party::email);
        Ok(Arrival { identity, email, name: claims.name, may_be_new: self.admits_anybody })
    }
}

/// What the library checks beside the signature. Times are ours to check: they are told by one clock.
fn rules(issuer: &Issuer, algorithm: Algorithm) -> Validation {
    let mut rules = Validation::new(algorithm);
    rules.set_issuer(&[&issuer.name]);
    rules.validate_exp = false;
    let mut required = vec!["exp", "iss", "sub"];
    if issuer.audiences.is_empty() {
        rules.validate_aud = false;
    } else {
        rules.set_audience(&issuer.audiences);
        required.push("aud");
    }
    rules.set_required_spec_claims(&required);
    rules
}

fn why(kind: &jsonwebtoken::errors::ErrorKind) -> &'static str {
    use jsonwebtoken::errors::ErrorKind;
    match kind {
        ErrorKind::InvalidSignature => "its signature is wrong",
        ErrorKind::InvalidAudience => "it is for somebody else",
        ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => "it does not say for whom it is",
        ErrorKind::InvalidAlgorithm => "its issuer does not sign in that way",
        _ => "it cannot be read",
    }
}

/// Milliseconds of a time in a token, which may have fractions.
fn ms(seconds: &Number) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "it saturates, and a fraction of a millisecond is nothing")]
    let of_fraction = |seconds: f64| (seconds * 1000.0) as i64;
    match seconds.as_i64() {
        Some(seconds) => seconds.saturating_mul(1000),
        None => seconds.as_f64().map(of_fraction).unwrap_or_default(),
    }
}

fn refused(why: &str) -> OpError {
    OpError::Unauthenticated {
        what: format!("the token is refused: {why}"),
        remedy: "Sign in again for a new one, or send an API key".into(),
    }
}

fn unreachable_issuer() -> OpError {
    OpError::Unavailable {
        reason: Reason::Io,
        what: "the issuer of the token does not give its keys at the moment".into(),
        remedy: "try again in some seconds".into(),
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// Members as a token has them, and as it must not have them.
    fn part() -> impl Strategy<Value = Value> {
        let value = prop_oneof![
            prop::sample::select(vec![json!(null), json!(["RS256"]), json!({}), json!(-1), json!(1e308), json!(true)]),
            "none|HS256|RS256|ES256|EdDSA|JWT|https://issuer.example|\\PC{0,12}".prop_map(Value::from),
        ];
        let name = "alg|typ|kid|crit|jwk|iss|sub|exp|nbf|aud|azp|email|email_verified";
        prop::collection::vec((name, value), 0..6).prop_map(|members| members.into_iter().collect())
    }

    proptest! {
        #[test]
        fn whatever_comes_as_a_token_of_nobody_is_refused(header in part(), claims in part(), text in "\\PC{0,60}") {
            let issuer = Issuer {
                name: "https://issuer.example".into(),
                audiences: vec!["us".into()],
                parties: vec![],
                algorithms: vec![Algorithm::EdDSA],
                keys: None,
            };
            let tokens = Tokens::new(vec![], Duration::ZERO, Duration::ZERO, true).unwrap();
            let packed = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            for token in [format!("{}.{}.c2ln", packed(&header), packed(&claims)), format!("{text}.{text}.{text}"), text] {
                let refused = runtime.block_on(tokens.check(&token, 0)).unwrap_err();
                prop_assert_eq!(refused.code(), "unauthenticated");
                prop_assert!(token.len() < 8 || !refused.to_string().contains(&token), "it is not quoted");
                // With a key at hand it is read further, and no further than its signature.
                let key = jsonwebtoken::DecodingKey::from_ed_der(&[0; 32]);
                prop_assert!(decode::<Claims>(&token, &key, &rules(&issuer, Algorithm::EdDSA)).is_err());
            }
        }
    }

    #[test]
    fn times_are_read_with_and_without_fractions() {
        for (text, expected) in
            [("1", 1000), ("1.5", 1500), ("-1", -1000), ("1e300", i64::MAX), ("9223372036854775807", i64::MAX)]
        {
            assert_eq!(ms(&serde_json::from_str(text).unwrap()), expected, "{text}");
        }
    }
}
