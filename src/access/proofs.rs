//! What programs prove themselves with: the `Authorization` header becomes a principal.

use std::sync::Arc;

use crate::{
    kernel::{Caller, Hold, Kernel},
    model::{
        error::OpError,
        instance::InstanceRef,
        permission::{Mode, Principal},
    },
};

/// What a server takes as a proof, beside the token of the local user.
#[derive(Clone)]
pub struct Proofs {
    kernel: Arc<Kernel>,
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
    /// Nothing that could be one.
    Nothing,
}

fn shown(authorization: &str) -> Shown<'_> {
    let Some((scheme, rest)) = authorization.trim().split_once(' ') else { return Shown::Nothing };
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") && rest.starts_with("mc_") {
        return Shown::Key(rest);
    }
    match rest.split_once(':') {
        Some((id, secret)) if scheme.eq_ignore_ascii_case("apikey") => Shown::Delegate(id, secret),
        _ => Shown::Nothing,
    }
}

impl Proofs {
    /// API keys and delegates of the catalog.
    pub fn new(kernel: Arc<Kernel>) -> Self {
        Self { kernel }
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

    /// Who shows this header. Errors: `unauthenticated`, and what the store says.
    pub fn prove(&self, authorization: Option<&str>) -> Result<Principal, OpError> {
        match shown(authorization.unwrap_or_default()) {
            Shown::Key(key) => self.kernel.prove_key(key),
            Shown::Delegate(id, secret) => self.kernel.prove_delegate(id, secret),
            Shown::Nothing => Err(OpError::Unauthenticated {
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
        for nothing in ["", "Bearer", "Bearer ", "mc_live_x", "Basic mc_live_x", "ApiKey del_a", "Bearer abc"] {
            assert_eq!(shown(nothing), Shown::Nothing, "{nothing}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read(text in "\\PC{0,80}") {
            let _: Shown<'_> = shown(&text);
        }
    }
}
