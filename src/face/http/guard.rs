//! Who gets in: Host and Origin on every route, and who it is on all but `/health`.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::Response,
};
use subtle::ConstantTimeEq as _;

use super::refuse;
use crate::{
    access::proofs::Proofs,
    model::{
        error::OpError,
        permission::{Principal, PrincipalKind},
    },
};

/// What the HTTP server needs to know.
#[derive(Debug, Clone)]
pub struct Access {
    /// The bearer token of the local user; nothing where nobody acts as that from outside.
    pub token: Option<String>,
    /// What else proves who somebody is; nothing, without a token, switches the check off.
    pub proofs: Option<Proofs>,
    /// Host names that requests may carry, without a port.
    pub hosts: Vec<String>,
    /// What `/health` says of itself.
    pub environment: &'static str,
}

/// Refuses what a page of another site, or a name rebound to this machine, could send.
pub(super) async fn check_names(State(access): State<Arc<Access>>, mut request: Request, next: Next) -> Response {
    let headers = request.headers();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    if !host.is_some_and(|host| access.knows(host)) {
        return refuse(
            StatusCode::FORBIDDEN,
            "this Host is not one of this server: use the address that `serve` printed",
        );
    }
    if headers.get(header::ORIGIN).is_some_and(|origin| !access.is_own_origin(origin)) {
        return refuse(StatusCode::FORBIDDEN, "pages of this Origin may not use this server");
    }
    mend_accept(&mut request);
    next.run(request).await
}

/// rmcp answers 406 to a client that sends `*/*` or JSON alone; both kinds of answer are fine with those.
fn mend_accept(request: &mut Request) {
    if request.method() == Method::POST {
        let both = HeaderValue::from_static("application/json, text/event-stream");
        request.headers_mut().insert(header::ACCEPT, both);
    }
}

/// Asks who it is, and tells those behind.
pub(super) async fn authenticate(State(access): State<Arc<Access>>, mut request: Request, next: Next) -> Response {
    match access.prove(request.headers()) {
        Ok(principal) => {
            // What lasts looks to it that the right lasts too.
            if let Some(proofs) = access.proofs.clone().filter(|_| !principal.is_local()) {
                request.extensions_mut().insert(proofs);
            }
            request.extensions_mut().insert(principal);
        }
        Err(error @ OpError::Unauthenticated { .. }) => {
            let text = match &access.token {
                Some(_) => {
                    "send `Authorization: Bearer TOKEN` with the token in the file `token` of the data folder, or \
                            an API key"
                        .to_owned()
                }
                None => error.to_string(),
            };
            let mut refused = refuse(StatusCode::UNAUTHORIZED, &text);
            refused.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return refused;
        }
        Err(error) => return refuse(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    }
    next.run(request).await
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

impl Access {
    /// Who sends a request with these headers. Errors: `unauthenticated`.
    fn prove(&self, headers: &HeaderMap) -> Result<Principal, OpError> {
        let local = || Ok(Principal::local(PrincipalKind::App));
        let is_token =
            |token: &String| bearer(headers).is_some_and(|given| given.as_bytes().ct_eq(token.as_bytes()).into());
        match (&self.token, &self.proofs) {
            (None, None) => local(),
            (Some(token), _) if is_token(token) => local(),
            (_, Some(proofs)) => proofs.prove(headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok())),
            (Some(_), None) => {
                Err(OpError::Unauthenticated { what: "the token is another one".into(), remedy: String::new() })
            }
        }
    }

    /// Whether an authority names this server, whatever its port.
    fn knows(&self, authority: &str) -> bool {
        let host = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, _)) => address,
            None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
        };
        self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host))
    }

    /// Whether a page of this origin lives on this machine.
    pub(super) fn is_own_origin(&self, origin: &HeaderValue) -> bool {
        let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        authority.is_some_and(|(_, authority)| self.knows(authority))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_servers_own_names_are_known() {
        let hosts = ["127.0.0.1", "localhost", "::1"].map(String::from).to_vec();
        let access = Access { token: None, proofs: None, hosts, environment: "local" };
        for own in ["127.0.0.1:8787", "localhost", "LOCALHOST:1", "[::1]:8787", "[::1]"] {
            assert!(access.knows(own), "{own}");
        }
        for foreign in ["evil.example", "127.0.0.1.evil.example:80", "localhost.evil.example", "", ":8787", "[::2]:1"] {
            assert!(!access.knows(foreign), "{foreign}");
        }
    }
}
