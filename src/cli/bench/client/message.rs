//! What is said between client and server, as far as a bench must understand it.

use std::borrow::Cow;
use std::time::Instant;

use anyhow::{Context as _, bail};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A request, or a notification when it has no id.
#[derive(Serialize)]
pub(super) struct Request<'a, P> {
    jsonrpc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    method: &'a str,
    params: P,
}

impl<'a, P> Request<'a, P> {
    pub(super) fn new(id: Option<u64>, method: &'a str, params: P) -> Self {
        Self { jsonrpc: "2.0", id, method, params }
    }
}

/// What a server said, and when its last byte was here.
pub(in super::super) struct Heard {
    pub(in super::super) said: Said,
    pub(in super::super) at: Instant,
}

/// What a message of a server says.
#[derive(Debug, PartialEq)]
pub(in super::super) enum Said {
    /// The good reply to the request of this id.
    Reply(u64),
    /// The resource of this URI has changed.
    Updated(String),
    /// Anything else that was not asked for.
    Aside,
}

#[derive(Deserialize)]
struct Message<'a> {
    id: Option<u64>,
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Outcome {
    #[serde(default, rename = "isError")]
    is_error: Option<bool>,
}

#[derive(Deserialize)]
struct Changed {
    uri: String,
}

/// Understands a message; a refusal is an error.
pub(super) fn understood(message: &[u8]) -> anyhow::Result<Said> {
    let message: Message<'_> = serde_json::from_slice(message).context("the server wrote no JSON-RPC")?;
    if let Some(method) = message.method {
        if method != "notifications/resources/updated" {
            return Ok(Said::Aside);
        }
        let params = message.params.context("a resource was updated, but which")?;
        return Ok(Said::Updated(serde_json::from_str::<Changed>(params.get())?.uri));
    }
    if let Some(error) = message.error {
        bail!("the server refused: {error}");
    }
    let (Some(id), Some(result)) = (message.id, message.result) else {
        bail!("the server wrote a reply without id or result");
    };
    if serde_json::from_str::<Outcome>(result.get())?.is_error == Some(true) {
        bail!("the call failed: {result}");
    }
    Ok(Said::Reply(id))
}

/// The result in a reply.
pub(super) fn result<T: DeserializeOwned>(reply: &[u8]) -> anyhow::Result<T> {
    let message: Message<'_> = serde_json::from_slice(reply)?;
    let result = message.result.context("no reply was read yet")?;
    serde_json::from_str(result.get()).context("the result is not of the expected shape")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_changes_and_the_rest_are_told_apart() {
        let said = |message: &str| understood(message.as_bytes());
        assert_eq!(said(r#"{"jsonrpc":"2.0","id":7,"result":{"content":[]}}"#).unwrap(), Said::Reply(7));
        let updated = r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a:b"}}"#;
        assert_eq!(said(updated).unwrap(), Said::Updated("a:b".into()));
        let listed = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
        assert_eq!(said(listed).unwrap(), Said::Aside);
        for refused in [
            r#"{"jsonrpc":"2.0","id":7,"error":{"code":1}}"#,
            r#"{"jsonrpc":"2.0","id":7,"result":{"isError":true}}"#,
            r#"{"jsonrpc":"2.0","result":{}}"#,
            "no JSON",
        ] {
            assert!(said(refused).is_err(), "{refused}");
        }
    }
}
