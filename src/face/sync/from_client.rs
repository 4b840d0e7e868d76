//! What clients say. Whatever comes in, it is one of these or answered as malformed.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, value::RawValue};

use crate::{
    model::{
        error::OpError,
        key::KeyName,
        legacy::{self, Booleans, Said},
        limits,
    },
    ops::{
        bounds::{IdempotencyKey, Text, Version, Whole},
        keys::map::Wanted,
    },
};

use super::Form;

/// A client's name for a message, to know its answers by.
pub(super) type OpId = Text<1, { limits::OP_ID_CHARACTERS }>;

/// A message of a client.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum FromClient {
    /// Proves anew who it is: the permission can only become less.
    Auth(Auth),
    /// Makes a key be so.
    Set(Set),
    /// Removes a key.
    Delete(Delete),
    /// Removes all keys but the protected ones.
    Clear(Clear),
    /// Asks whether the server is there.
    Ping,
    /// Does an operation.
    Call(Call),
    /// Narrows down what is sent from now on; without anything it is all.
    Subscribe(Subscribe),
    /// Asks who else is connected.
    Presence(Presence),
}

/// `auth`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Auth {
    /// An API key.
    pub(super) api_key: String,
}

/// `set`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Set {
    /// The key.
    pub(super) key: String,
    /// Its value: a string for text, any JSON for json, base64 or a data URL for images and files.
    #[schemars(with = "Value")]
    pub(super) value: Box<RawValue>,
    /// Its attributes; what is not named stays. Clients without `v=2` always send them.
    #[serde(default)]
    pub(super) attributes: Option<Attributes>,
    /// The client's name for this message.
    #[serde(default)]
    pub(super) op_id: Option<OpId>,
    /// Only if the key is at this version; 0: only if it does not exist.
    #[serde(default)]
    pub(super) if_version: Option<Version>,
    /// Expire after this many milliseconds.
    #[serde(default)]
    pub(super) ttl_ms: Option<Whole<1, { limits::TTL_MS }>>,
    /// Sent again under it, it is done once.
    #[serde(default)]
    pub(super) idempotency_key: Option<IdempotencyKey>,
}

/// Attributes of a key, in the words of clients of any age. Those that nobody knows are nothing.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Attributes {
    /// text, json, image or file.
    #[serde(rename = "type")]
    key_type: Option<String>,
    /// Its MIME type.
    content_type: Option<String>,
    /// Its content tags.
    content_tags: Option<Vec<String>>,
    /// The same by their older name.
    tags: Option<Vec<String>>,
    /// Its system tags: all of them.
    system_tags: Option<Vec<String>>,
    /// Its place in the prompt.
    z_index: Option<f64>,
    #[serde(flatten)]
    booleans: Booleans,
}

/// `delete`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Delete {
    /// The key.
    pub(super) key: String,
    /// The client's name for this message.
    #[serde(default)]
    pub(super) op_id: Option<OpId>,
    /// Only if the key is at this version.
    #[serde(default)]
    pub(super) if_version: Option<Version>,
    /// Sent again under it, it is done once.
    #[serde(default)]
    pub(super) idempotency_key: Option<IdempotencyKey>,
}

/// `clear`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Clear {
    /// The client's name for this message.
    #[serde(default)]
    pub(super) op_id: Option<OpId>,
    /// Sent again under it, it is done once.
    #[serde(default)]
    pub(super) idempotency_key: Option<IdempotencyKey>,
}

/// `call`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Call {
    /// The operation's name.
    pub(super) op: Text<1, { limits::OPERATION_CHARACTERS }>,
    /// Its arguments.
    #[serde(default)]
    pub(super) args: Map<String, Value>,
    /// The client's name for this message.
    pub(super) op_id: OpId,
    /// Sent again under it, it is done once.
    #[serde(default)]
    pub(super) idempotency_key: Option<IdempotencyKey>,
}

/// `subscribe`.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
pub(super) struct Subscribe {
    /// These keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) keys: Vec<String>,
    /// Those whose names begin so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) prefixes: Vec<String>,
    /// Those with one of these content tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) tags: Vec<String>,
}

/// `presence`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Presence {
    /// Whether to be told of changes from now on.
    #[serde(default)]
    pub(super) follow: bool,
    /// What others are told of this connection.
    #[serde(default)]
    pub(super) note: Option<Text<0, { limits::PRESENCE_NOTE_CHARACTERS }>>,
}

/// What a frame comes to.
#[derive(Debug)]
pub(super) enum Read {
    /// This.
    Message(Box<FromClient>),
    /// JSON of a sort that older servers said nothing to.
    Unknown,
    /// Nothing that can be understood; and why, for who wants to know. The second is the name that its answer goes by.
    Malformed(String, Option<String>),
}

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "type", default, deserialize_with = "text_or_nothing")]
    kind: Option<String>,
    #[serde(rename = "opId", default, deserialize_with = "text_or_nothing")]
    op_id: Option<String>,
}

fn text_or_nothing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).ok())
}

/// Reads a frame.
pub(super) fn read(text: &str, form: Form) -> Read {
    if !text.trim_start().starts_with('{') {
        let is_json = serde_json::from_str::<&RawValue>(text).is_ok_and(|raw| raw.get() != "null");
        return if is_json { Read::Unknown } else { Read::Malformed("it is no JSON object".into(), None) };
    }
    let head: Head = match serde_json::from_str(text) {
        Ok(head) => head,
        Err(error) => return Read::Malformed(short(&error), None),
    };
    let read = match head.kind.as_deref() {
        Some("auth") => as_one(text, FromClient::Auth),
        Some("set") => as_one(text, FromClient::Set).and_then(|message| match message {
            FromClient::Set(Set { attributes: None, .. }) if form == Form::Old => Err("it has no attributes".into()),
            message => Ok(message),
        }),
        Some("delete") => as_one(text, FromClient::Delete),
        Some("clear") => as_one(text, FromClient::Clear),
        Some("ping") => Ok(FromClient::Ping),
        Some("call") => as_one(text, FromClient::Call),
        Some("subscribe") => as_one(text, FromClient::Subscribe).and_then(bounded),
        Some("presence") => as_one(text, FromClient::Presence),
        _ => return Read::Unknown,
    };
    match read {
        Ok(message) => Read::Message(Box::new(message)),
        Err(why) => Read::Malformed(why, head.op_id.filter(|id| id.chars().count() <= limits::OP_ID_CHARACTERS)),
    }
}

fn as_one<'t, T: Deserialize<'t>>(text: &'t str, wrap: fn(T) -> FromClient) -> Result<FromClient, String> {
    serde_json::from_str(text).map(wrap).map_err(|error| short(&error))
}

fn bounded(message: FromClient) -> Result<FromClient, String> {
    if let FromClient::Subscribe(Subscribe { keys, prefixes, tags }) = &message {
        let most = limits::SUBSCRIBED;
        let is_long = |text: &String| text.len() > 4 * limits::KEY_NAME_CHARACTERS;
        if keys.len() + prefixes.len() + tags.len() > most || [keys, prefixes, tags].into_iter().flatten().any(is_long)
        {
            return Err(format!("a subscription has at most {most} keys, prefixes and tags, each as long as a name"));
        }
    }
    Ok(message)
}

/// A parser quotes what it met, however long.
fn short(error: &serde_json::Error) -> String {
    error.to_string().chars().take(200).collect()
}

impl Set {
    /// The name of the key as it came.
    pub(super) fn name(&self) -> &str {
        &self.key
    }

    /// The key, and how it is to be. Errors: `invalid_argument`.
    pub(super) fn wanted(&self, form: Form) -> Result<(KeyName, Wanted), OpError> {
        let key = key_name(&self.key)?;
        let Some(given) = &self.attributes else { return Ok((key, Wanted::default())) };
        let (key_type, content_type) = match given.key_type.as_deref() {
            None => (None, None),
            Some(word) => {
                let (key_type, told) = legacy::known_key_type("attributes.type", word)?;
                (Some(key_type), told.map(str::to_owned))
            }
        };
        let words = given.system_tags.as_ref().map(|words| words.iter().map(String::as_str));
        let own = given.booleans;
        let (system_tags, booleans) = match (words, form) {
            (None, _) => (None, own),
            (Some(words), Form::Ours) => (Some(legacy::system_tags(words)), own),
            (Some(words), Form::Old) => match legacy::said(words) {
                Said::Tags(tags) => (Some(tags), own),
                Said::Booleans(said) => (None, said),
            },
        };
        let wanted = Wanted {
            key_type,
            content_type: given.content_type.clone().or(content_type).filter(|text| !text.is_empty()),
            tags: given.content_tags.clone().or_else(|| given.tags.clone()),
            system_tags,
            booleans,
            z_index: given.z_index.map(whole),
            ..Wanted::default()
        };
        Ok((key, wanted))
    }
}

/// The name of a key. Errors: `invalid_argument`.
pub(super) fn key_name(name: &str) -> Result<KeyName, OpError> {
    KeyName::parse(name).map_err(|rule| OpError::invalid("key", rule, name))
}

/// The whole number at a place in the prompt: JavaScript has no other numbers.
#[expect(clippy::cast_possible_truncation, reason = "what is beyond is the last place")]
fn whole(number: f64) -> i64 {
    number.round() as i64
}

/// Takes a frame in as a socket of either form does. Whatever it says of a key, that is understood or refused.
#[cfg(any(test, fuzzing))]
pub(super) fn try_frame(text: &str) {
    for form in [Form::Old, Form::Ours] {
        let Read::Message(message) = read(text, form) else { continue };
        match *message {
            FromClient::Set(set) => drop(set.wanted(form)),
            FromClient::Delete(delete) => drop(key_name(&delete.key)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Frames that the black-box tests and the fuzz target begin with too.
    const CORPUS: &str = include_str!("../../../tests/it/sync/corpus.txt");

    fn kind(text: &str, form: Form) -> &'static str {
        match read(text, form) {
            Read::Message(_) => "message",
            Read::Unknown => "unknown",
            Read::Malformed(..) => "malformed",
        }
    }

    #[test]
    fn frames_are_told_apart() {
        for (text, old, ours) in [
            (r#"{"type":"set","key":"k","value":null,"attributes":{}}"#, "message", "message"),
            (r#"{"type":"set","key":"k","value":1}"#, "malformed", "message"),
            (r#"{"type":"set","key":"k"}"#, "malformed", "malformed"),
            (r#"{"type":"ping","more":[1]}"#, "message", "message"),
            (r#"{"type":"nothing"}"#, "unknown", "unknown"),
            (r#"{"type":7}"#, "unknown", "unknown"),
            (r#"["set"]"#, "unknown", "unknown"),
            ("null", "malformed", "malformed"),
            ("{", "malformed", "malformed"),
            ("", "malformed", "malformed"),
            ("5", "unknown", "unknown"),
        ] {
            assert_eq!([kind(text, Form::Old), kind(text, Form::Ours)], [old, ours], "{text}");
        }
        let Read::Malformed(_, op_id) = read(r#"{"type":"set","opId":"a"}"#, Form::Ours) else { panic!() };
        assert_eq!(op_id.as_deref(), Some("a"));
    }

    #[test]
    fn every_frame_of_the_corpus_is_read() {
        CORPUS.lines().for_each(try_frame);
    }

    fn frame() -> impl Strategy<Value = String> {
        let lines: Vec<&str> = CORPUS.lines().collect();
        let line = prop::sample::select(lines);
        let cut = (line.clone(), line, any::<prop::sample::Index>(), any::<prop::sample::Index>()).prop_map(
            |(one, other, to, from)| {
                let head: String = one.chars().take(to.index(one.len() + 1)).collect();
                let tail: String = other.chars().skip(from.index(other.len() + 1)).collect();
                head + &tail
            },
        );
        prop_oneof![4 => cut, 1 => "\\PC{0,60}", 1 => r#"\{"type":"(set|delete|call|subscribe)",[\PC]{0,60}\}"#]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

        #[test]
        fn any_frame_is_read(text in frame()) {
            try_frame(&text);
        }
    }
}
