//! What clients are told, as frames of text.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::{model::error::OpError, ops::keys::live::LiveChange};

use super::{
    Form,
    entry::{Entries, Entry},
    from_client::Subscribe,
};

/// A message to a client. Clients without `v=2` are told what stands in the first five, and errors, and pongs.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub(super) enum ToClient<'a> {
    /// Who the client is here.
    AuthSuccess {
        /// The instance's id.
        instance_id: &'a str,
        /// Who it is.
        user_id: &'a str,
        /// read, write or admin.
        permission: &'static str,
        /// 2 for who asked for it.
        #[serde(skip_serializing_if = "Option::is_none")]
        protocol: Option<u8>,
        /// The instance's name.
        name: &'a str,
        /// The connection's id, as presence tells it.
        connection: &'a str,
        /// Where the log stands, to come back with.
        log: &'a str,
        /// What fits into messages, in bytes.
        limits: Limits,
    },
    /// Keys as they are.
    Sync {
        /// The keys by name.
        #[schemars(with = "BTreeMap<String, Entry<'_>>")]
        data: Entries<'a>,
        /// The instance's id.
        instance_id: &'a str,
        /// The state: live messages begin behind it.
        #[serde(skip_serializing_if = "Option::is_none")]
        seq: Option<u64>,
        /// Where the log stood then, to come back with.
        #[serde(skip_serializing_if = "Option::is_none")]
        log: Option<&'a str>,
        /// All keys, or those that changed.
        #[serde(skip_serializing_if = "Option::is_none")]
        full: Option<bool>,
        /// Another piece follows.
        #[serde(skip_serializing_if = "Option::is_none")]
        more: Option<bool>,
        /// Keys that are gone, or may not be read any more.
        #[serde(skip_serializing_if = "Option::is_none")]
        deleted: Option<&'a [String]>,
        /// Why it is all keys although fewer were asked for: log_truncated, other_log or other_rights.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'static str>,
    },
    /// A key came into being or changed.
    KeyUpdated {
        /// The key.
        key: &'a str,
        /// What it is now.
        #[serde(flatten)]
        entry: Entry<'a>,
        /// When, in milliseconds since 1970.
        timestamp: i64,
        /// The seq of the change.
        #[serde(skip_serializing_if = "Option::is_none")]
        seq: Option<u64>,
    },
    /// A key went.
    KeyDeleted {
        /// The key.
        key: &'a str,
        /// Who did it.
        deleted_by: &'a str,
        /// When, in milliseconds since 1970.
        timestamp: i64,
        /// The seq of that.
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<u64>,
        /// The same.
        #[serde(skip_serializing_if = "Option::is_none")]
        seq: Option<u64>,
        /// Its time was up.
        #[serde(skip_serializing_if = "is_false")]
        expired: bool,
        /// It is there, and not to be read here any more.
        #[serde(skip_serializing_if = "is_false")]
        hidden: bool,
    },
    /// All keys went but those that are protected.
    Cleared {
        /// Who did it.
        cleared_by: &'a str,
        /// When, in milliseconds since 1970.
        timestamp: i64,
        /// The seq of the last deletion.
        #[serde(skip_serializing_if = "Option::is_none")]
        seq: Option<u64>,
        /// The keys that stayed.
        #[serde(skip_serializing_if = "Option::is_none")]
        kept: Option<Vec<&'a str>>,
    },
    /// A message was done, and what it changed is durable.
    Ack {
        /// The client's name for it.
        op_id: &'a str,
        /// The key.
        #[serde(skip_serializing_if = "Option::is_none")]
        key: Option<&'a str>,
        /// The key's version now, or the seq of its deletion.
        version: u64,
        /// The same.
        seq: u64,
        /// Whether anything changed.
        changed: bool,
    },
    /// A message was refused; nothing has changed.
    Error {
        /// What happened, to what, and what to do.
        error: &'a str,
        /// NO_PERMISSION, PARSE_ERROR, or the code of the error.
        code: &'a str,
        /// The key.
        #[serde(skip_serializing_if = "Option::is_none")]
        key: Option<&'a str>,
        /// The client's name for the message.
        #[serde(skip_serializing_if = "Option::is_none")]
        op_id: Option<&'a str>,
        /// With version_mismatch: what is stored.
        #[serde(skip_serializing_if = "Option::is_none")]
        current: Option<Current>,
    },
    /// What an operation answered.
    Result {
        /// The client's name for the call.
        op_id: &'a str,
        /// The structured result.
        result: &'a serde_json::Value,
    },
    /// What happened, for who asked for changes instead of keys.
    Changes {
        /// Oldest first, at most 500.
        changes: &'a [LiveChange],
        /// Everything up to here was looked at.
        seq: u64,
        /// The last change of the instance: what is between is on its way.
        head: u64,
        /// Where the log stands, to come back with; in the last message that is on its way.
        #[serde(skip_serializing_if = "Option::is_none")]
        log: Option<&'a str>,
        /// Why nothing is told of what came before `seq`: log_truncated, other_log or other_rights. Lists are to be asked for anew.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'static str>,
    },
    /// Everything up to here was looked at.
    Position {
        /// The seq.
        seq: u64,
        /// Where the log stands, to come back with.
        log: &'a str,
    },
    /// What follows repairs a gap.
    Resync {
        /// Why: lagged.
        reason: &'static str,
    },
    /// What is sent was narrowed down to this.
    Subscribed {
        /// To what.
        #[serde(flatten)]
        to: &'a Subscribe,
        /// The state behind which that begins.
        seq: u64,
    },
    /// Who is connected to the instance, by this server.
    Presence {
        /// At most a thousand of them.
        connections: &'a [Present],
    },
    /// An answer to `ping`.
    Pong {
        /// Everything up to here was sent.
        #[serde(skip_serializing_if = "Option::is_none")]
        seq: Option<u64>,
    },
}

/// What fits into messages, in bytes.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "each says its unit")]
pub(super) struct Limits {
    /// A message.
    pub(super) message_bytes: usize,
    /// A value, decoded.
    pub(super) value_bytes: usize,
    /// A larger one comes as `valueRef`.
    pub(super) inline_bytes: usize,
}

/// The version that is stored; 0 for none.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub(super) struct Current {
    pub(super) version: u64,
}

/// A connection.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct Present {
    /// Its id.
    pub(super) connection: String,
    /// Who it is.
    pub(super) principal: String,
    /// human, app or agent.
    pub(super) kind: &'static str,
    /// The program, as it names itself.
    pub(super) client: String,
    /// Since when, in milliseconds since 1970.
    pub(super) since: i64,
    /// What it says of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(is: &bool) -> bool {
    !is
}

impl ToClient<'_> {
    /// The message as a frame.
    pub(super) fn text(&self) -> Utf8Bytes {
        // What is told has no maps with other keys than text, so it can always be written.
        serde_json::to_string(self)
            .unwrap_or_else(|error| {
                tracing::error!(%error, "a message cannot be written");
                String::from("{}")
            })
            .into()
    }
}

/// Who did something, when, and the seq of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cause<'a> {
    pub(super) by: &'a str,
    pub(super) at: i64,
    pub(super) seq: u64,
}

/// `key_deleted`.
pub(super) fn deleted(key: &str, cause: Cause<'_>, why: Why, form: Form) -> Utf8Bytes {
    let Cause { by, at, seq } = cause;
    let ours = (form == Form::Ours).then_some(seq);
    let is = |wanted| form == Form::Ours && why == wanted;
    let (expired, hidden) = (is(Why::Expired), is(Why::Hidden));
    ToClient::KeyDeleted { key, deleted_by: by, timestamp: at, version: ours, seq: ours, expired, hidden }.text()
}

/// Why a key is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    Deleted,
    Expired,
    Hidden,
}

/// `error`, of a refusal.
pub(super) fn refused(error: &OpError, key: Option<&str>, op_id: Option<&str>) -> Utf8Bytes {
    let code = match error {
        OpError::PermissionDenied { .. } => NO_PERMISSION,
        other => other.code(),
    };
    let current = match error {
        OpError::VersionMismatch { current, .. } => Some(Current { version: *current }),
        _ => None,
    };
    let text = match error {
        // What the first MindCache says, word for word.
        OpError::PermissionDenied { what, remedy } if remedy.is_empty() => what.clone(),
        other => other.to_string(),
    };
    ToClient::Error { error: &text, code, key, op_id, current }.text()
}

/// `error`, in words of the first MindCache.
pub(super) fn error(error: &str, code: &str, op_id: Option<&str>) -> Utf8Bytes {
    ToClient::Error { error, code, key: None, op_id, current: None }.text()
}

/// What may not be done.
pub(super) const NO_PERMISSION: &str = "NO_PERMISSION";
/// What cannot be understood.
pub(super) const PARSE_ERROR: &str = "PARSE_ERROR";

/// A frame with one more member: the name of the message that caused it.
pub(super) fn with_op_id(frame: &Utf8Bytes, op_id: &str) -> Utf8Bytes {
    let body = frame.strip_suffix('}').unwrap_or(frame);
    let id = serde_json::Value::from(op_id);
    format!("{body},\"opId\":{id}}}").into()
}
