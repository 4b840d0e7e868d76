//! Somebody at the door: what the address and the headers of a request for a socket say.

use std::{collections::HashMap, convert::Infallible, sync::Arc};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};

use crate::face::http::from;

use super::upgrade::Upgrade;

/// A request for a socket, but for the instance.
pub(super) struct Coming {
    /// The parameters of its address.
    pub(super) asked: HashMap<String, String>,
    pub(super) headers: HeaderMap,
    /// Nothing where no WebSocket is asked for.
    pub(super) upgrade: Option<Upgrade>,
    /// The program, as it names itself.
    pub(super) client: String,
    /// By which face and from which address.
    pub(super) from: Arc<str>,
}

impl<S: Sync> FromRequestParts<S> for Coming {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let asked = parameters(parts.uri.query().unwrap_or_default());
        let client = asked.get("client").cloned().unwrap_or_else(|| agent(&parts.headers));
        let (upgrade, from) = (Upgrade::of(parts), from("sync", &parts.extensions));
        Ok(Self { asked, headers: parts.headers.clone(), upgrade, client, from })
    }
}

/// The parameters of an address.
fn parameters(query: &str) -> HashMap<String, String> {
    let plain = |text: &str| {
        let text = text.replace('+', " ");
        percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned()
    };
    query.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (plain(name), plain(value))).collect()
}

/// How a program calls itself that does not say so.
fn agent(headers: &HeaderMap) -> String {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or("sync");
    agent.split(['/', ' ']).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_as_browsers_write_them() {
        let read = parameters("token=a%2Fb&project=p+q&v=2&empty=&nothing&x=%ff");
        assert_eq!((read["token"].as_str(), read["project"].as_str(), read["v"].as_str()), ("a/b", "p q", "2"));
        assert_eq!((read["empty"].as_str(), read.contains_key("nothing")), ("", false));
    }
}
