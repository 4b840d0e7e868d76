//! From the bytes of a line to a message, or to the answer that says why it is none.

use std::borrow::Cow;

use rmcp::model::{
    ClientNotification, ClientRequest, ConstString, CustomRequest, DiscoverRequest, ErrorCode, ErrorData,
    JsonRpcMessage, PingRequest, Request, RequestId, RequestOptionalParam, RequestParamsMeta,
};
use serde::de::{DeserializeOwned, Deserializer, Error as _, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Inbound, MAX_LINE_BYTES};
use crate::model::limits;

/// How much of a parser's message goes into an answer: it may quote a whole value.
const EXPLANATION_CHARS: usize = 300;

/// Why a line is not a message, and whom to tell. Serializes as the answer. Boxed, as it is rare.
#[derive(Debug, Serialize)]
pub(super) struct Refusal {
    jsonrpc: &'static str,
    /// Written as `null` when unknown, as JSON-RPC demands; the error type of `rmcp` omits it.
    id: Option<RequestId>,
    pub(super) error: ErrorData,
}

impl Refusal {
    fn new(id: Option<RequestId>, code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Box<Self> {
        Box::new(Self { jsonrpc: "2.0", id, error: ErrorData::new(code, message, None) })
    }

    fn invalid(id: Option<RequestId>, message: impl Into<Cow<'static, str>>) -> Box<Self> {
        Self::new(id, ErrorCode::INVALID_REQUEST, message)
    }

    pub(super) fn too_long(id: Option<RequestId>) -> Box<Self> {
        let message = format!(
            "the message is longer than the limit of {MAX_LINE_BYTES} bytes and was not read; \
             split it into smaller requests"
        );
        Self::invalid(id, message)
    }

    /// Turn a parser's complaint into an answer; `data_code` is for JSON of the wrong shape.
    fn parser(id: Option<RequestId>, data_code: ErrorCode, error: &serde_json::Error) -> Box<Self> {
        let explanation: String = error.to_string().chars().take(EXPLANATION_CHARS).collect();
        if error.is_data() {
            Self::new(id, data_code, explanation)
        } else if explanation.starts_with("recursion limit") {
            Self::invalid(id, format!("the message is nested too deeply: {} levels at most", limits::MESSAGE_DEPTH))
        } else {
            let message = format!("the line is not valid JSON: {explanation}");
            Self::new(id, ErrorCode::PARSE_ERROR, message)
        }
    }
}

/// The members of a message, unparsed. `Some` means present, also when the value is `null`.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    method: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    params: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "present")]
    result: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    error: Option<IgnoredAny>,
}

fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// A JSON string, borrowed unless it has escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn text(raw: Option<&RawValue>) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(raw?.get()).ok().map(|text| text.0)
}

/// Make a message of a line; `Ok(None)` is a line that must not be answered.
pub(super) fn decode(line: &[u8]) -> Result<Option<Inbound>, Box<Refusal>> {
    let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
    let line = line.trim_ascii();
    if line.is_empty() {
        return Ok(None);
    }
    let Ok(line) = std::str::from_utf8(line) else {
        let message = "the line is not valid UTF-8";
        return Err(Refusal::new(None, ErrorCode::PARSE_ERROR, message));
    };
    let unreadable = |error| Refusal::parser(None, ErrorCode::INVALID_REQUEST, &error);
    if !line.starts_with('{') {
        // Without this test a derived struct would also be read from an array, by position.
        serde_json::from_str::<IgnoredAny>(line).map_err(unreadable)?;
        let message = "a message must be one JSON object; batches are not supported";
        return Err(Refusal::invalid(None, message));
    }
    let envelope: Envelope<'_> = serde_json::from_str(line).map_err(unreadable)?;
    let answers = envelope.result.is_some() || envelope.error.is_some();
    if envelope.method.is_none() && answers {
        return Ok(unanswerable(line));
    }
    let id = envelope.id.map(|raw| serde_json::from_str::<RequestId>(raw.get()));
    let known_id = id.as_ref().and_then(|id| id.as_ref().ok()).cloned();
    if text(envelope.jsonrpc).as_deref() != Some("2.0") {
        let message = "a message must have \"jsonrpc\": \"2.0\"";
        return Err(Refusal::invalid(known_id, message));
    }
    let Some(method) = text(envelope.method).filter(|_| !answers) else {
        let message = "a message must have a method, or else a result or an error";
        return Err(Refusal::invalid(known_id, message));
    };
    match id {
        None => Ok(unanswerable(line)),
        Some(Err(_)) => Err(Refusal::invalid(None, "the id must be a string or an integer")),
        Some(Ok(id)) => match request(&method, envelope.params, line) {
            Ok(request) => Ok(Some(JsonRpcMessage::request(request, id))),
            Err(error) => Err(Refusal::parser(Some(id), ErrorCode::INVALID_PARAMS, &error)),
        },
    }
}

/// Decode a notification or a response, to which there is no answer, not even a complaint.
fn unanswerable(line: &str) -> Option<Inbound> {
    let message = serde_json::from_str::<Inbound>(line).ok().filter(|message| {
        // A notification of MCP with the wrong parameters comes out as a custom one.
        let JsonRpcMessage::Notification(notification) = message else {
            return true;
        };
        !matches!(&notification.notification, ClientNotification::CustomNotification(custom)
            if matches!(custom.method.as_str(), "notifications/cancelled" | "notifications/progress"))
    });
    if message.is_none() {
        tracing::debug!(bytes = line.len(), "ignored a malformed notification or response");
    }
    message
}

/// Decode a request that the server knows by its method; leave any other to `rmcp`.
fn request(method: &str, params: Option<&RawValue>, line: &str) -> serde_json::Result<ClientRequest> {
    Ok(match method {
        "completion/complete" => ClientRequest::CompleteRequest(with_params(params)?),
        "initialize" => ClientRequest::InitializeRequest(with_params(params)?),
        "ping" => serde_json::from_str::<PingRequest>(line)?.into(),
        "prompts/get" => ClientRequest::GetPromptRequest(with_params(params)?),
        "prompts/list" => ClientRequest::ListPromptsRequest(with_any_params(params)?),
        "resources/list" => ClientRequest::ListResourcesRequest(with_any_params(params)?),
        "resources/read" => ClientRequest::ReadResourceRequest(with_params(params)?),
        "resources/subscribe" => ClientRequest::SubscribeRequest(with_params(params)?),
        "resources/templates/list" => ClientRequest::ListResourceTemplatesRequest(with_any_params(params)?),
        "resources/unsubscribe" => ClientRequest::UnsubscribeRequest(with_params(params)?),
        "server/discover" => serde_json::from_str::<DiscoverRequest>(line)?.into(),
        "subscriptions/listen" => ClientRequest::SubscriptionsListenRequest(with_params(params)?),
        "tools/call" => ClientRequest::CallToolRequest(with_params(params)?),
        "tools/list" => ClientRequest::ListToolsRequest(with_any_params(params)?),
        _ => match serde_json::from_str::<Inbound>(line) {
            Ok(JsonRpcMessage::Request(request)) => request.request,
            Err(error) if !error.is_data() => return Err(error),
            // Whatever its parameters are, the answer is that there is no such method.
            _ => CustomRequest::new(method, None).into(),
        },
    })
}

fn with_params<M, P>(params: Option<&RawValue>) -> serde_json::Result<Request<M, P>>
where
    M: ConstString,
    P: DeserializeOwned + RequestParamsMeta,
{
    let params = params.map(RawValue::get).filter(|params| *params != "null");
    let params = params.unwrap_or("{}");
    if !params.starts_with('{') {
        return Err(serde_json::Error::custom("params must be an object"));
    }
    let mut params: P = serde_json::from_str(params)?;
    // `rmcp` carries the metadata of a request beside its parameters, not within.
    let meta = params.meta_mut().take();
    let mut request = Request::new(params);
    if let Some(meta) = meta {
        request.extensions.insert(meta);
    }
    Ok(request)
}

fn with_any_params<M, P>(params: Option<&RawValue>) -> serde_json::Result<RequestOptionalParam<M, P>>
where
    M: ConstString,
    P: DeserializeOwned + RequestParamsMeta,
{
    let given = params.is_some_and(|params| params.get() != "null");
    let request: Option<Request<M, P>> = given.then(|| with_params(params)).transpose()?;
    let (params, extensions) = request.map(|request| (request.params, request.extensions)).unzip();
    Ok(RequestOptionalParam { method: M::default(), params, extensions: extensions.unwrap_or_default() })
}
