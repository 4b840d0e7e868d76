//! A value as it is: no JSON around it, large ones in pieces through memory, ranges, preconditions.

use std::{
    io::{Read as _, Seek as _, SeekFrom},
    sync::Arc,
    time::Duration,
};

use axum::{
    Extension, Json,
    body::{Body, BodyDataStream, Bytes},
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt as _, stream};
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use crate::{
    face::http::Who,
    kernel::{
        Hold, Kernel,
        values::{Incoming, OpenValue},
    },
    model::{
        error::{OpError, Reason},
        instance::InstanceRef,
        key::KeyType,
        limits,
        value::Stored,
    },
    ops::{
        keys::{delete::Delete, write::Write},
        operation::Operation as _,
    },
};

use super::{
    begin, caller, check_signed_in,
    marks::{self, Part},
    problem::Problem,
    table::{self, Table, Told},
};

/// How much of a value is in memory at once while it goes out.
const PIECE_BYTES: usize = 256 * 1024;
/// How long the rest of a refused body is waited for.
const DRAINED: Duration = Duration::from_secs(5);

type At = Path<(String, String)>;

/// The routes.
pub(super) fn routes() -> Table<Arc<Kernel>> {
    let path = "/v1/i/{instance}/keys/{key}";
    let bytes = json!({});
    let range = json!({"type": "string"});
    let read = table::told("readValue", "The value of a key as it is, or a range of it")
        .answers(200, "The value, with its own content type", Some(("*/*", &bytes)))
        .answers(206, "The range", Some(("*/*", &bytes)))
        .answers(304, "It is still the version of If-None-Match", None)
        .tagged()
        .answers(416, "The range is beyond the value", None)
        .header("Range", &range, "One range of bytes; what is none is passed over")
        .header("If-Range", &range, "The version that the range is to be of");
    let write = table::told("writeValue", "Write the body as the value of a key")
        .takes_anything()
        .gives_result(200, Write::NAME)
        .gives_result(201, Write::NAME)
        .tagged()
        .may(&[412]);
    let delete = table::told("deleteValue", "Remove a key").gives_result(200, Delete::NAME).tagged().may(&[412]);
    Table::new().on(Method::GET, path, self::read, known(read)).on(Method::PUT, path, self::write, guarded(write)).on(
        Method::DELETE,
        path,
        self::delete,
        guarded(delete),
    )
}

/// A route that answers nothing anew where the client knows it.
pub(super) fn known(told: Told) -> Told {
    told.header("If-None-Match", &json!({"type": "string"}), "ETags that the client has")
}

/// A route that changes only the state that the client knows.
pub(super) fn guarded(told: Told) -> Told {
    let version = json!({"type": "string", "pattern": "^\\s*\"[0-9]{1,19}\"\\s*$"});
    told.header("If-Match", &version, "The ETag of an earlier answer: it is changed only while it is still so").header(
        "If-None-Match",
        &json!({"type": "string", "enum": ["*"]}),
        "It is made only when there is nothing yet",
    )
}

/// The value, or the range of it that is asked for.
pub(super) async fn read(
    State(kernel): State<Arc<Kernel>>,
    Extension(who): Extension<Who>,
    Path((instance, key)): At,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (caller, instance) = (caller(&who, &headers), InstanceRef::parse(&instance)?);
    let value = kernel.open_value(&caller, &instance, &key)?;
    let tag = format!("\"{}\"", value.version);
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| marks::names(known, &tag)) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, marks::told(&tag))]).into_response());
    }
    let length = value.bytes;
    // A range of another state than the one that the client has begun to read is of no use.
    let same = headers.get(header::IF_RANGE).is_none_or(|known| known.as_bytes() == tag.as_bytes());
    let wanted = headers.get(header::RANGE).filter(|_| same).map_or(Part::Whole, |range| marks::part(range, length));
    let (status, range) = match wanted {
        Part::Whole => (StatusCode::OK, None),
        Part::Range(range) => (StatusCode::PARTIAL_CONTENT, Some(range)),
        Part::Nothing => {
            let all = [(header::CONTENT_RANGE, marks::told(&format!("bytes */{length}")))];
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, all).into_response());
        }
    };
    let (start, count) = range.as_ref().map_or((0, length), |range| (*range.start(), range.end() - range.start() + 1));
    let kind = marks::told(&value.content_type);
    let right = if count > PIECE_BYTES as u64 {
        Some(Right { hold: kernel.hold(&caller.principal, Some(&instance))?, page: Some((kernel, who)) })
    } else {
        None
    };
    let mut response = (status, body(value, start, count, right)?).into_response();
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, kind);
    out.insert(header::CONTENT_LENGTH, HeaderValue::from(count));
    out.insert(header::ETAG, marks::told(&tag));
    out.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    out.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    // What somebody stored must not run as a page of this server.
    out.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    out.insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));
    out.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    if let Some(range) = range {
        let text = format!("bytes {}-{}/{length}", range.start(), range.end());
        out.insert(header::CONTENT_RANGE, marks::told(&text));
    }
    Ok(response)
}

/// The bytes from `start` on: at once where they are in memory, which costs less than to ask another thread for them.
fn body(mut value: OpenValue, start: u64, count: u64, right: Option<Right>) -> Result<Body, OpError> {
    if !matches!(value.key.value, Stored::Inline(_)) {
        value.reader.seek(SeekFrom::Start(start)).map_err(|error| unreadable(&error))?;
        return Ok(Body::from_stream(pieces(value.reader, count, right)));
    }
    let mut bytes = Vec::new();
    let read = value.reader.seek(SeekFrom::Start(start)).and_then(|_| value.reader.take(count).read_to_end(&mut bytes));
    read.map_err(|error| unreadable(&error))?;
    Ok(Body::from(bytes))
}

fn unreadable(error: &std::io::Error) -> OpError {
    OpError::Unavailable {
        reason: Reason::Io,
        what: format!("cannot read the value: {error}"),
        remedy: "try again".into(),
    }
}

/// What a value of several pieces may go out by.
pub(super) struct Right {
    pub(super) hold: Hold,
    /// The sign-in of a page.
    pub(super) page: Option<(Arc<Kernel>, Who)>,
}

impl Right {
    /// Errors: it was taken back while the value went out.
    fn check(&self) -> std::io::Result<()> {
        let is_signed_out = |(kernel, who): &(Arc<Kernel>, Who)| check_signed_in(kernel, who).is_err();
        let is_lost = self.hold.is_lost() || self.page.as_ref().is_some_and(is_signed_out);
        if is_lost { Err(std::io::ErrorKind::PermissionDenied.into()) } else { Ok(()) }
    }
}

/// So many bytes, a piece at a time, for as long as the right to them lasts.
pub(super) fn pieces(
    reader: impl std::io::Read + Send + 'static,
    count: u64,
    right: Option<Right>,
) -> impl futures_util::Stream<Item = std::io::Result<Bytes>> {
    stream::unfold((Some(reader), count, right), |(reader, left, right)| async move {
        let mut reader = reader.filter(|_| left > 0)?;
        let read = tokio::task::spawn_blocking(move || {
            right.as_ref().map_or(Ok(()), Right::check)?;
            let mut piece = vec![0; PIECE_BYTES.min(usize::try_from(left).unwrap_or(PIECE_BYTES))];
            reader.read_exact(&mut piece).map(|()| (piece, reader, right))
        });
        match read.await.map_err(std::io::Error::other).flatten() {
            Ok((piece, reader, right)) => {
                let left = left - piece.len() as u64;
                Some((Ok(Bytes::from(piece)), (Some(reader), left, right)))
            }
            // The connection is cut: a client that counts knows that the value is not whole.
            Err(error) => Some((Err(error), (None, 0, None))),
        }
    })
}

/// Writes the body as the value of the key.
pub(super) async fn write(
    State(kernel): State<Arc<Kernel>>,
    Extension(who): Extension<Who>,
    Path((instance, key)): At,
    request: Request,
) -> Result<Response, Problem> {
    let headers = request.headers().clone();
    let mut attributes = Map::from_iter([("key".to_owned(), Value::from(key))]);
    if let Some(version) = marks::precondition(&headers)? {
        attributes.insert("if_version".into(), version.into());
    }
    if let Some((key_type, content_type)) = kind(&headers) {
        attributes.insert("type".into(), key_type.name().into());
        attributes.insert("content_type".into(), content_type.into());
    }
    let (caller, instance) = (caller(&who, &headers), InstanceRef::parse(&instance)?);
    begin(&kernel, &caller, &instance).await?;
    let begun = kernel.begin_value(&caller, &instance);
    let mut body = request.into_body().into_data_stream();
    let value = match begun {
        Ok(value) => taken(value, &mut body).await,
        Err(error) => Err(error),
    };
    if value.is_err() && !headers.contains_key(header::EXPECT) {
        // Who is still sending would see a cut connection and not the answer.
        drop(timeout(DRAINED, drain(&mut body)).await);
    }
    let value = value?;
    check_signed_in(&kernel, &who)?;
    let reply = value.finish(attributes).await?;
    let created = reply.result.get("created").is_some_and(|created| *created == true);
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, tagged(&reply.result), Json(reply.result)).into_response())
}

/// Takes the body in.
async fn taken(mut value: Incoming, body: &mut BodyDataStream) -> Result<Incoming, OpError> {
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|error| OpError::invalid("body", format!("it did not arrive whole: {error}"), ""))?;
        value.push(&piece)?;
    }
    Ok(value)
}

/// Lets what is left of a refused body go by, as far as it is not endless.
async fn drain(body: &mut BodyDataStream) {
    let mut bytes = 0;
    while let Some(Ok(piece)) = body.next().await {
        bytes += piece.len();
        if bytes > limits::MESSAGE_BYTES {
            break;
        }
    }
}

/// Removes the key; one that is not there is 404.
pub(super) async fn delete(
    State(kernel): State<Arc<Kernel>>,
    Extension(who): Extension<Who>,
    Path((instance, key)): At,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut args = json!({"key": key});
    if let (Some(version), Value::Object(members)) = (marks::precondition(&headers)?, &mut args) {
        members.insert("if_version".into(), version.into());
    }
    let instance = InstanceRef::parse(&instance)?;
    let reply = kernel.execute(&caller(&who, &headers), &instance, Delete::NAME, args).await?;
    if reply.result.get("deleted").is_some_and(|deleted| *deleted == false) {
        return Err(Problem(OpError::no_key(&key)));
    }
    Ok((tagged(&reply.result), Json(reply.result)).into_response())
}

fn tagged(result: &Value) -> [(HeaderName, HeaderValue); 1] {
    let version = result.get("version").and_then(Value::as_u64).unwrap_or_default();
    [(header::ETAG, marks::told(&format!("\"{version}\"")))]
}

/// The type of the key that a body of this content type makes; nothing where the client did not say.
fn kind(headers: &HeaderMap) -> Option<(KeyType, String)> {
    let given = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let main = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let key_type = match main.as_str() {
        // What command-line clients send when nobody told them.
        "" | "application/x-www-form-urlencoded" => return None,
        "application/json" => KeyType::Json,
        main if main.ends_with("+json") => KeyType::Json,
        main if main.starts_with("text/") => KeyType::Text,
        main if main.starts_with("image/") => KeyType::Image,
        _ => KeyType::File,
    };
    Some((key_type, given.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_become_key_types() {
        let kind = |text: &'static str| {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(text))]);
            kind(&headers).map(|(key_type, _)| key_type)
        };
        assert_eq!(kind("application/json; charset=utf-8"), Some(KeyType::Json));
        assert_eq!(kind("application/ld+json"), Some(KeyType::Json));
        assert_eq!(kind("text/markdown"), Some(KeyType::Text));
        assert_eq!(kind("image/png"), Some(KeyType::Image));
        assert_eq!(kind("application/pdf"), Some(KeyType::File));
        assert_eq!(kind("application/x-www-form-urlencoded"), None);
    }
}
