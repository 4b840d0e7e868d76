//! What `serve` is told of the issuers whose tokens people sign in with.

use std::time::Duration;

use clap::Args;

use super::output::Failure;
use crate::{
    access::{issuer::Issuer, tokens::Tokens},
    model::limits,
};

/// The part of `serve` about tokens.
#[derive(Debug, Args)]
pub(super) struct TokenArgs {
    /// Take the tokens of an OpenID Connect provider (Clerk, Auth0, Keycloak): its address as its tokens write it, then
    /// who they are for
    ///
    /// Words behind the address: aud=A (the token's aud has one of these), azp=P (its azp is one of these; for Clerk,
    /// whose tokens have no aud), alg=RS256|ES256|EdDSA (how it signs; RS256 unless told), jwks=URL (where its keys are;
    /// unless told, its discovery document says it). At least one aud or azp. https only, but for an issuer on this
    /// machine. Several times for several; divided by ; in the environment. A token is its user's by the issuer and sub;
    /// who comes for the first time is the user of its email if email_verified is true in it: an issuer is trusted with
    /// that.
    #[arg(
        long = "issuer",
        value_name = "ADDRESS aud=…",
        env = "MINDCACHE_ISSUERS",
        value_delimiter = ';',
        conflicts_with = "no_auth"
    )]
    issuers: Vec<Issuer>,
    /// Make a user of everybody who comes with a token of an issuer, not only of those who are known by their address
    #[arg(long, env = "MINDCACHE_ADMIT_ANYBODY", requires = "issuers")]
    admit_anybody: bool,
    /// Seconds by which the clocks of issuers may differ from this one
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 30,
        env = "MINDCACHE_CLOCK_SKEW",
        value_parser = clap::value_parser!(u64).range(..=limits::CLOCK_SKEW_S)
    )]
    clock_skew: u64,
    /// After how long the keys of an issuer are fetched again; for tests
    #[arg(long, hide = true, value_name = "MS", default_value_t = 600_000, env = "MINDCACHE_ISSUER_FRESH_MS")]
    issuer_fresh_ms: u64,
    /// Of the MindCache that this one follows: not needed, as an issuer's keys are public
    #[arg(long, hide = true, hide_env_values = true, env = "CLERK_SECRET_KEY")]
    clerk_secret_key: Option<String>,
}

impl TokenArgs {
    /// Whether an issuer is named.
    pub(super) fn names_any(&self) -> bool {
        !self.issuers.is_empty()
    }

    /// The tokens that are taken; nothing where no issuer is known. Errors: two of one name, too many, no certificates.
    pub(super) fn tokens(&self) -> Result<Option<Tokens>, Failure> {
        if self.issuers.is_empty() {
            if self.clerk_secret_key.as_deref().is_some_and(|key| !key.is_empty()) {
                tracing::warn!(
                    "CLERK_SECRET_KEY alone lets nobody in: name your Clerk domain and who its tokens are for, such as \
                     --issuer \"https://clerk.example.com azp=https://app.example.com\""
                );
            }
            return Ok(None);
        }
        let mut names: Vec<_> = self.issuers.iter().map(|issuer| &issuer.name).collect();
        names.sort();
        names.dedup();
        if names.len() < self.issuers.len() {
            return Err(Failure::Usage("an issuer is named once, with everything that is said of it".into()));
        }
        if names.len() > limits::ISSUERS {
            return Err(Failure::Usage(format!("there are at most {} issuers", limits::ISSUERS)));
        }
        let (skew, fresh) = (Duration::from_secs(self.clock_skew), Duration::from_millis(self.issuer_fresh_ms));
        let tokens = Tokens::new(self.issuers.clone(), skew, fresh, self.admit_anybody);
        let told =
            |error| anyhow::anyhow!("cannot check the certificates of issuers: {error}; install ca-certificates");
        Ok(Some(tokens.map_err(told)?))
    }
}
