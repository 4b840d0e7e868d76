//! What programs prove themselves with: the `Authorization` header becomes a principal.

use std::sync::Arc;

use crate::{
    kernel::{Caller, Hold, Kernel, Lasting, Part},
    model::{
        error::OpError,
        instance::InstanceRef,
        permission::{Mode, Principal},
    },
};

use super::tokens::Tokens;

/// What a server takes as a proof, beside the token of the local user.
#[derive(Clone)]
pub struct Proofs {
    kernel: Arc<Kernel>,
    tokens: Option<Arc<Tokens>>,
}

impl std::fmt::Debug for Proofs {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Proofs")
    }
}

/// A proof as it is written in the header.
#[derive(Debug, PartialEq, Eq)]
enum Shown<'h> {
    /// An API key, or what looks like one.
    Key(&'h str),
    /// The id of a delegate and one of its secrets.
    Delegate(&'h str, &'h str),
    /// A token of an issuer, or what looks like one.
    Token(&'h str),
    /// Nothing that could be one.
    Nothing,
}

fn shown(authorization: &str) -> Shown<'_> {
    let Some((scheme, rest)) = authorization.trim().split_once(' ') else { return Shown::Nothing };
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") && rest.starts_with("mc_") {
        return Shown::Key(rest);
    }
    if scheme.eq_ignore_ascii_case("bearer") && rest.bytes().filter(|byte| *byte == b'.').count() == 2 {
        return Shown::Token(rest);
    }
    match rest.split_once(':') {
        Some((id, secret)) if scheme.eq_ignore_ascii_case("apikey") => Shown::Delegate(id, secret),
        _ => Shown::Nothing,
    }
}

impl Proofs {
    /// API keys and delegates of the catalog, and tokens of issuers if any are known.
    pub fn new(kernel: Arc<Kernel>, tokens: Option<Tokens>) -> Self {
        Self { kernel, tokens: tokens.map(Arc::new) }
    }

    /// Whether tokens of issuers are taken.
    pub fn takes_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// Holds the right of somebody for what lasts: to an instance if it is there, else to be known at all.
    pub fn hold(&self, principal: &Principal, instance: &str) -> Result<Hold, OpError> {
        let instance = InstanceRef::parse(instance)?;
        match self.kernel.hold(principal, Some(&instance)) {
            Err(OpError::NotFound { .. }) => self.kernel.hold(principal, None),
            held => held,
        }
    }

    /// The same for where entering a project leads.
    pub fn hold_in(&self, principal: &Principal, project: &str) -> Result<Hold, OpError> {
        let caller = Caller::of(principal.clone(), Mode::Read, "", String::new());
        match self.kernel.entered_before(&caller, project) {
            Ok(Some(id)) => self.kernel.hold(principal, Some(&InstanceRef::Id(id))),
            Ok(None) | Err(OpError::NotFound { .. } | OpError::PermissionDenied { .. }) => {
                self.kernel.hold(principal, None)
            }
            Err(error) => Err(error),
        }
    }

    /// A place of somebody's part, for what lasts. Errors: `overloaded` when their user has no more.
    pub fn part(&self, principal: &Principal, what: Lasting) -> Result<Part, OpError> {
        self.kernel.part(principal, what)
    }

    /// The id of the user of whose part somebody takes; nothing for who may take all.
    pub fn whose(&self, principal: &Principal) -> Result<Option<String>, OpError> {
        self.kernel.whose(principal)
    }

    /// Notes for the audit trail that somebody showed no proof, or one that is none.
    pub fn tell_of_stranger(&self, from: &str, client: &str, error: &OpError) {
        self.kernel.tell_of_stranger(from, client, error);
    }

    /// Who shows this header. Errors: `unauthenticated`, and what the store says; `unavailable` also while the issuer of
    /// a token cannot be asked for its keys.
    pub async fn prove(&self, authorization: Option<&str>) -> Result<Principal, OpError> {
        match (shown(authorization.unwrap_or_default()), &self.tokens) {
            (Shown::Key(key), _) => self.kernel.prove_key(key),
            (Shown::Delegate(id, secret), _) => self.kernel.prove_delegate(id, secret),
            (Shown::Token(token), Some(tokens)) => {
                let (arrival, until_ms) = tokens.check(token, self.kernel.now_ms()).await?;
                self.kernel.prove_arrival(arrival, until_ms).await
            }
            (Shown::Token(_), None) => Err(OpError::Unauthenticated {
                what: "this server takes tokens of no issuer".into(),
                remedy: "Send `Authorization: Bearer KEY` with an API key".into(),
            }),
            (Shown::Nothing, _) => Err(OpError::Unauthenticated {
                what: "the request shows no proof of who sends it".into(),
                remedy: "Send `Authorization: Bearer KEY` with an API key".into(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn proofs_are_told_apart() {
        assert_eq!(shown("Bearer mc_live_x"), Shown::Key("mc_live_x"));
        assert_eq!(shown("  bearer   mc_x "), Shown::Key("mc_x"));
        assert_eq!(shown("ApiKey del_a:sec_b:c"), Shown::Delegate("del_a", "sec_b:c"));
        assert_eq!(shown("Bearer a.b.c"), Shown::Token("a.b.c"));
        for nothing in [
            "",
            "Bearer",
            "Bearer ",
            "mc_live_x",
            "Basic mc_live_x",
            "ApiKey del_a",
            "Bearer abc",
            "Bearer a.b",
            "Basic a.b.c",
        ] {
            assert_eq!(shown(nothing), Shown::Nothing, "{nothing}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_taken_apart_and_what_is_nearly_so_is_nothing(
            key in "mc_live_[0-9a-z]{32}",
            id in "del_[0-9a-f]{32}",
            secret in "sec_[0-9A-Za-z]{32}",
            parts in prop::array::uniform3("[0-9A-Za-z_-]{1,40}"),
        ) {
            let token = parts.join(".");
            let [with_key, with_secret, with_token] =
                [format!("Bearer {key}"), format!("ApiKey {id}:{secret}"), format!("Bearer {token}")];
            prop_assert_eq!(shown(&with_key), Shown::Key(&key));
            prop_assert_eq!(shown(&with_secret), Shown::Delegate(&id, &secret));
            prop_assert_eq!(shown(&with_token), Shown::Token(&token));
            for near in [
                format!("Bearer{key}"), format!("Bearer {id}:{secret}"), format!("ApiKey {id}{secret}"), format!("ApiKey {key}"),
                format!("Basic {token}"), format!("Bearer {token}.x"), format!("Bearer\t{key}"), key.clone(), token.clone(),
            ] {
                prop_assert_eq!(shown(&near), Shown::Nothing, "{}", near);
            }
        }

        #[test]
        fn any_header_is_read(text in "\\PC{0,80}") {
            let _: Shown<'_> = shown(&text);
        }
    }
}
