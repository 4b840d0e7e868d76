//! A key put in its place with its attributes, as a client of the sync protocol wants it: what is as it was is no change,
//! and an old client that sends again what was deleted meanwhile does not bring it back.

use serde_json::{Value, json, value::RawValue};

use super::{
    check_version, load,
    map::{Wanted, check_new, keep},
};
use crate::{
    model::{
        error::OpError,
        key::{Key, KeyName, KeyType},
        permission::{Action, may_read},
        value::{Content, Stored},
    },
    ops::{
        bounds::Version,
        operation::{Call, Cx, Reply, Step},
        tx::{Held, Tx},
    },
};

/// What of the deletions has reached the client that sends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Those after this seq …
    pub after: u64,
    /// … up to this one.
    pub to: u64,
    /// The one of this key that it was told of by itself.
    pub of_key: Option<u64>,
}

impl Delivered {
    /// Whether the client knows of the deletion with this seq.
    pub fn has(self, seq: u64) -> bool {
        (self.after < seq && seq <= self.to) || self.of_key == Some(seq)
    }
}

/// Makes a key be so. What is not said of it stays.
///
/// Errors: `version_mismatch`, what the mode table refuses, and what no key can be.
#[derive(Debug)]
pub struct Put {
    /// Its name.
    pub key: KeyName,
    /// Its value as JSON: a string for text, base64 or a data URL for images and files.
    pub value: Box<RawValue>,
    /// Its attributes; the value among them is not used.
    pub wanted: Wanted,
    /// Only if it is at this version; 0: only if it does not exist.
    pub if_version: Option<Version>,
    /// Expire after so many milliseconds; left out, it expires when it did before.
    pub ttl_ms: Option<u64>,
    /// The client sends its whole state again and again: what it knows of deletions.
    pub delivered: Option<Delivered>,
}

impl Put {
    /// What the log calls it.
    pub const NAME: &'static str = "key_put";
}

impl Call for Put {
    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Reply>, OpError> {
        let name = self.key.as_str();
        let held = tx.get::<Key>(name)?;
        check_version(name, self.if_version, held.as_ref())?;
        let result = match held {
            None => match self.sent_again(tx, cx)? {
                Some(gone) => gone,
                None => self.create(tx, cx)?,
            },
            Some(held) => self.update(tx, cx, held)?,
        };
        Ok(Step::Done(Reply { outcome: String::new(), result, image: None }))
    }
}

impl Put {
    fn create(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Value, OpError> {
        let name = self.key.as_str();
        let (key, content) = self.over(Key::new(KeyType::Text, Stored::Inline(String::new())))?;
        check_new(cx, name, &key)?;
        let version = keep(tx, name, key, content, self.expires_at(cx, None))?;
        Ok(json!({"key": name, "version": version, "created": true, "changed": true}))
    }

    fn update(&self, tx: &mut Tx<'_>, cx: &Cx, held: Held<Key>) -> Result<Value, OpError> {
        let name = self.key.as_str();
        if !may_read(cx.mode, &held.content) {
            // Whether the value is the same is not for them to know.
            cx.check(Action::Write, name, &held.content)?;
        }
        let (key, content) = self.over(held.content.without_value())?;
        let is_same_rest = key == held.content.without_value();
        let is_same = is_same_rest && is_same_value(tx, name, &held.content, &content)?;
        if is_same && self.ttl_ms.is_none() {
            return Ok(json!({"key": name, "version": held.record.version, "created": false, "changed": false}));
        }
        cx.check(Action::Write, name, &held.content)?;
        if !is_same_rest {
            cx.check(Action::Attributes, name, &held.content)?;
        }
        let version = keep(tx, name, key, content, self.expires_at(cx, held.record.expires_at))?;
        Ok(json!({"key": name, "version": version, "created": false, "changed": true}))
    }

    fn expires_at(&self, cx: &Cx, before: Option<i64>) -> Option<i64> {
        self.ttl_ms.map_or(before, |ttl| Some(cx.now_ms.saturating_add_unsigned(ttl)))
    }

    /// The key as it is to be over what it is, and its value.
    fn over(&self, mut key: Key) -> Result<(Key, Content), OpError> {
        let raw = self.value.get();
        let text = serde_json::from_str::<String>(raw).ok();
        if text.is_none() && raw.starts_with('"') {
            return Err(OpError::invalid("value", "the value is text, and this has half a character in it", raw));
        }
        let url = text.as_deref().and_then(data_url);
        let mut wanted = self.wanted.clone();
        if text.is_none() && wanted.key_type.unwrap_or(key.key_type) == KeyType::Text {
            // Its type says how its value is kept, and this one is no text.
            wanted.key_type = Some(KeyType::Json);
        }
        let key_type = wanted.key_type.unwrap_or(key.key_type);
        let had = key.content_type.as_ref().filter(|_| key.key_type.is_binary());
        if key_type.is_binary() && wanted.content_type.is_none() && had.is_none() {
            let told = url.map(|(content_type, _)| content_type).filter(|content_type| !content_type.is_empty());
            let usual = if key_type == KeyType::Image { "image/jpeg" } else { "application/octet-stream" };
            wanted.content_type = Some(told.unwrap_or(usual).to_owned());
        }
        wanted.attributes(&mut key)?;
        let name = self.key.as_str();
        let value = match (key_type, &text) {
            (KeyType::Json, _) => raw.to_owned(),
            (KeyType::Image | KeyType::File, Some(_)) if url.is_some() => {
                url.map(|(_, data)| data.to_owned()).unwrap_or_default()
            }
            (_, Some(text)) => text.clone(),
            (_, None) => {
                let rule = format!("the value of a key of type {} is base64 in a string", key_type.name());
                return Err(OpError::invalid("value", rule, raw));
            }
        };
        let content = key_type.decode(name, value)?;
        Ok((key, content))
    }

    /// What is answered to who sends a key again, of whose deletion it has not heard.
    fn sent_again(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Option<Value>, OpError> {
        let Some(delivered) = self.delivered else { return Ok(None) };
        let name = self.key.as_str();
        let last = tx.last_change::<Key>(name)?.map(|seq| tx.change(seq)).transpose()?.flatten();
        let Some(last) = last else { return Ok(None) };
        // A key that has expired at this very moment: the row before is the last one that the log has.
        let (seq, at) = if last.body.is_some() { (tx.seq(), cx.now_ms) } else { (last.seq, last.at) };
        if delivered.has(seq) {
            return Ok(None);
        }
        let by = last.actor.principal.clone();
        let state = match last.body {
            Some(body) => Some(body),
            None => last.previous.map(|seq| tx.change(seq)).transpose()?.flatten().and_then(|state| state.body),
        };
        let Some(state) = state.and_then(|body| serde_json::from_str::<Key>(&body).ok()) else { return Ok(None) };
        if !may_read(cx.mode, &state) {
            return Ok(None);
        }
        let Ok((key, content)) = self.over(state.without_value()) else { return Ok(None) };
        let is_same_rest = key == state.without_value();
        // Of a value that is not kept nothing says that it is another one.
        if !is_same_rest || (state.value != Stored::Gone && !is_same_value(tx, name, &state, &content)?) {
            return Ok(None);
        }
        Ok(Some(json!({"key": name, "gone": {"seq": seq, "at": at, "by": by}})))
    }
}

/// The content type and the base64 of a data URL.
fn data_url(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix("data:")?.split_once(";base64,")
}

fn is_same_value(tx: &Tx<'_>, name: &str, key: &Key, content: &Content) -> Result<bool, OpError> {
    // The length of what is in a file is known without it.
    if let Stored::Blob(blob) = &key.value
        && key.key_type != KeyType::Json
        && blob.bytes != content.as_bytes().len() as u64
    {
        return Ok(false);
    }
    let kept = load(tx, name, key)?;
    let is_same = match (&kept, content) {
        (Content::Text(kept), Content::Text(given)) if key.key_type == KeyType::Json => is_same_json(kept, given),
        (kept, given) => kept == given,
    };
    Ok(is_same)
}

/// Whether two JSON texts are one value to a client that reads numbers as JavaScript does: it sends what it has read.
fn is_same_json(one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    let read = |text| serde_json::from_str::<Value>(text).ok();
    match (read(one), read(other)) {
        (Some(one), Some(other)) => is_same(&one, &other),
        _ => false,
    }
}

fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let is_there = |(name, value)| other.get(name).is_some_and(|other| is_same(value, other));
            one.len() == other.len() && one.iter().all(is_there)
        }
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_compared_as_javascript_reads_it() {
        for (one, other, same) in [
            ("{\"a\":1,\"b\":[1,2]}", "{ \"b\": [1, 2.0], \"a\": 1.0 }", true),
            ("9007199254740993", "9007199254740992", true),
            ("1.00000000000000000001", "1", true),
            ("[1,2]", "[2,1]", false),
            ("{\"a\":1}", "{\"a\":1,\"b\":null}", false),
            ("\"1\"", "1", false),
            ("null", "false", false),
        ] {
            assert_eq!(is_same_json(one, other), same, "{one} {other}");
        }
    }

    #[test]
    fn a_deletion_is_delivered_in_its_stretch_or_by_itself() {
        let delivered = Delivered { after: 3, to: 5, of_key: Some(9) };
        let known: Vec<u64> = (0..12).filter(|seq| delivered.has(*seq)).collect();
        assert_eq!(known, [4, 5, 9]);
    }
}
