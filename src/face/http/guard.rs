//! Who gets in: Host and Origin on every route, and who it is on those with data: by a token or a key, or on a page that is
//! signed in.

use std::sync::Arc;

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::Response,
};
use subtle::ConstantTimeEq as _;

use super::{connections::Peer, refuse, requests::By};
use crate::{
    access::{proofs::Proofs, sign_in::SignIns},
    model::{
        error::OpError,
        permission::{Principal, PrincipalKind},
    },
};

/// The header with the half of a sign-in that is no cookie.
pub const PAGE_KEY: &str = "x-mindcache-page";
/// The header in which a page says which tab it is: its changes are undone by it.
const TAB: &str = "x-mindcache-tab";
/// Longest name of a tab, in characters.
const TAB_CHARACTERS: usize = 64;

/// Who sent a request.
#[derive(Debug, Clone)]
pub enum Who {
    /// A program with the token or a key.
    Program(Principal),
    /// The page in a person's browser.
    Page {
        /// Which tab.
        tab: String,
        /// By which sign-in; none where none is needed.
        sign_in: Option<String>,
        /// By which face and from which address.
        from: Arc<str>,
    },
}

/// What the HTTP server needs to know.
#[derive(Debug, Clone)]
pub struct Access {
    /// The bearer token of the local user; nothing where nobody acts as that from outside.
    pub token: Option<String>,
    /// What else proves who somebody is; nothing, without a token, switches the check off.
    pub proofs: Option<Proofs>,
    /// Host names that requests may carry, without a port.
    pub hosts: Vec<String>,
    /// The browsers that may show the page, and the name of their cookie.
    pub pages: Option<Pages>,
    /// What `/health` says of itself.
    pub environment: &'static str,
}

/// The sign-ins of the page.
#[derive(Debug, Clone)]
pub struct Pages {
    /// Those that hold.
    pub sign_ins: Arc<SignIns>,
    /// The name of their cookie: each port has its own.
    pub cookie: String,
}

/// The refusal of what a page of another site, or a name rebound to this machine, could send.
pub(super) fn refusal(access: &Access, request: &Request) -> Option<Response> {
    let headers = request.headers();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    if !host.is_some_and(|host| access.knows(host)) {
        let text = "this Host is not one of this server: use the address that `serve` printed";
        return Some(refuse(StatusCode::FORBIDDEN, text));
    }
    let is_foreign = headers.get(header::ORIGIN).is_some_and(|origin| !access.is_own_origin(origin));
    is_foreign.then(|| refuse(StatusCode::FORBIDDEN, "pages of this Origin may not use this server"))
}

/// rmcp answers 406 to a client that sends `*/*` or JSON alone; both kinds of answer are fine with those.
pub(super) fn mend_accept(request: &mut Request) {
    if request.method() == Method::POST {
        let both = HeaderValue::from_static("application/json, text/event-stream");
        request.headers_mut().insert(header::ACCEPT, both);
    }
}

/// Asks who it is, and tells those behind.
pub(super) async fn authenticate(State(access): State<Arc<Access>>, mut request: Request, next: Next) -> Response {
    let from = from(face(&request), request.extensions());
    if let Some(who) = access.page(&request) {
        request.extensions_mut().insert(who);
        return told(next.run(request).await, "page");
    }
    let by = match access.prove(request.headers()).await {
        Ok(principal) => {
            let principal = Principal { from: Some(from), ..principal };
            // What lasts looks to it that the right lasts too.
            if let Some(proofs) = access.proofs.clone().filter(|_| !principal.is_local()) {
                request.extensions_mut().insert(proofs);
            }
            request.extensions_mut().insert(Who::Program(principal.clone()));
            let by = principal.id.clone();
            request.extensions_mut().insert(principal);
            by
        }
        Err(error @ OpError::Unauthenticated { .. }) => {
            if let Some(proofs) = &access.proofs {
                let agent = request.headers().get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
                proofs.tell_of_stranger(&from, agent.unwrap_or_default(), &error);
            }
            let takes_tokens = access.proofs.as_ref().is_some_and(Proofs::takes_tokens);
            let text = match &access.token {
                Some(_) if !takes_tokens => {
                    "send `Authorization: Bearer TOKEN` with the token in the file `token` of the data folder, or \
                            an API key"
                        .to_owned()
                }
                _ => error.to_string(),
            };
            let mut refused = refuse(StatusCode::UNAUTHORIZED, &text);
            refused.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return refused;
        }
        Err(error) => return refuse(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    };
    told(next.run(request).await, &by)
}

/// An answer that says, for the log, who has got it.
fn told(mut response: Response, by: &str) -> Response {
    response.extensions_mut().insert(By(by.to_owned()));
    response
}

/// By which face a request comes.
fn face(request: &Request) -> &'static str {
    let path = request.uri().path();
    let is_mcp = ["/mcp", "/i/", "/p/"].iter().any(|begin| path.starts_with(begin));
    if is_mcp {
        "mcp"
    } else if request.headers().contains_key(PAGE_KEY) {
        "page"
    } else {
        "rest"
    }
}

/// By which face and from which address a request with these extensions came. Behind a proxy the address is the proxy's:
/// what a header says of another could be said by anybody.
pub(in crate::face) fn from(face: &str, extensions: &Extensions) -> Arc<str> {
    let address = extensions.get::<ConnectInfo<Peer>>().map(|ConnectInfo(Peer(address))| address.ip());
    let address = address.map_or_else(|| "unknown".to_owned(), |address| address.to_canonical().to_string());
    format!("{face} {address}").into()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// The value of a cookie.
fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';')).find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// The tab that a page says it is.
fn tab(headers: &HeaderMap) -> Option<String> {
    let tab = headers.get(TAB)?.to_str().ok()?;
    Some(tab.chars().filter(char::is_ascii_alphanumeric).take(TAB_CHARACTERS).collect())
}

impl Access {
    /// Who sends a request with these headers. Errors: `unauthenticated`.
    async fn prove(&self, headers: &HeaderMap) -> Result<Principal, OpError> {
        let local = || Ok(Principal::local(PrincipalKind::App));
        let is_token =
            |token: &String| bearer(headers).is_some_and(|given| given.as_bytes().ct_eq(token.as_bytes()).into());
        match (&self.token, &self.proofs) {
            (None, None) => local(),
            (Some(token), _) if is_token(token) => local(),
            (_, Some(proofs)) => {
                proofs.prove(headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok())).await
            }
            (Some(_), None) => {
                Err(OpError::Unauthenticated { what: "the token is another one".into(), remedy: String::new() })
            }
        }
    }

    /// Who shows an API key, or the token of the local user, beside the headers or in them: for sockets, which take
    /// neither tokens of issuers nor delegates. Nothing for who shows nothing. Errors: `unauthenticated`.
    pub(in crate::face) async fn prove_key(
        &self,
        key: Option<&str>,
        headers: &HeaderMap,
    ) -> Result<Option<Principal>, OpError> {
        if self.token.is_none() && self.proofs.is_none() {
            return Ok(Some(Principal::local(PrincipalKind::App)));
        }
        let Some(shown) =
            key.or_else(|| headers.get(header::AUTHORIZATION).map(|_| bearer(headers).unwrap_or_default()))
        else {
            return Ok(None);
        };
        if self.token.as_ref().is_some_and(|token| shown.as_bytes().ct_eq(token.as_bytes()).into()) {
            return Ok(Some(Principal::local(PrincipalKind::App)));
        }
        match &self.proofs {
            Some(proofs) if shown.starts_with("mc_") => proofs.prove(Some(&format!("Bearer {shown}"))).await.map(Some),
            _ => Err(OpError::Unauthenticated { what: "that is no API key".into(), remedy: String::new() }),
        }
    }

    /// The page, when it shows both halves of a sign-in; without tokens, when it says that it is one.
    fn page(&self, request: &Request) -> Option<Who> {
        let headers = request.headers();
        if self.token.is_none() && self.proofs.is_none() {
            return tab(headers).map(|tab| Who::Page { tab, sign_in: None, from: from("page", request.extensions()) });
        }
        let path = request.uri().path();
        // Programs speak MCP; the page does not, so its sign-in opens no way to it.
        if !(path.starts_with("/v1/") || path.starts_with("/api/")) || !is_same_origin(headers) {
            return None;
        }
        let pages = self.pages.as_ref()?;
        let page_key = headers.get(PAGE_KEY)?.to_str().ok()?;
        let signed_in = pages.sign_ins.check(cookie(headers, &pages.cookie)?, page_key);
        let id = signed_in.inspect_err(|error| tracing::warn!(%error, "cannot look for a sign-in")).ok()??;
        let from = from("page", request.extensions());
        Some(Who::Page { tab: tab(headers).unwrap_or_default(), sign_in: Some(id), from })
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

/// Whether a request does not come from a page of another origin: here the port counts.
pub(in crate::face) fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let is_other = text(header::ORIGIN).is_some_and(|origin| {
        let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        host.is_none() || host != text(header::HOST)
    });
    !is_other
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_headers_are_read(bytes in prop::collection::vec(prop_oneof![32..127_u8, 128..=255_u8], 0..80)) {
            let Ok(value) = HeaderValue::from_bytes(&bytes) else { return Ok(()) };
            let names = [header::AUTHORIZATION, header::COOKIE, header::ORIGIN, header::HOST];
            let headers: HeaderMap = names.into_iter().map(|name| (name, value.clone())).collect();
            prop_assert!(bearer(&headers).is_none_or(|token| token.trim() == token));
            cookie(&headers, "mc_1");
            is_same_origin(&headers);
        }

        #[test]
        fn the_token_and_the_cookie_are_what_was_sent(token in "[!-~]{1,80}", word in "[0-9a-f]{1,64}") {
            let headers = |name, text: &str| HeaderMap::from_iter([(name, HeaderValue::from_str(text).unwrap())]);
            let sent = headers(header::AUTHORIZATION, &format!("Bearer {token}"));
            prop_assert_eq!(bearer(&sent), Some(token.as_str()));
            let other = headers(header::AUTHORIZATION, &format!("Basic {token}"));
            prop_assert_eq!(bearer(&other), None);
            let sent = headers(header::COOKIE, &format!("mc_10=x; mc_1={word}"));
            prop_assert_eq!(cookie(&sent, "mc_1"), Some(word.as_str()));
            prop_assert_eq!(cookie(&sent, "mc"), None);
        }
    }

    #[test]
    fn only_the_servers_own_names_are_known() {
        let hosts = ["127.0.0.1", "localhost", "::1"].map(String::from).to_vec();
        let access = Access { token: None, proofs: None, hosts, pages: None, environment: "local" };
        for own in ["127.0.0.1:8787", "localhost", "LOCALHOST:1", "[::1]:8787", "[::1]"] {
            assert!(access.knows(own), "{own}");
        }
        for foreign in ["evil.example", "127.0.0.1.evil.example:80", "localhost.evil.example", "", ":8787", "[::2]:1"] {
            assert!(!access.knows(foreign), "{foreign}");
        }
    }
}
