//! Arguments that carry their bounds: the schema states them and reading enforces them, in one type.
//! (serde does not enforce what schemars states, so a bound written twice would drift.)

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::model::limits;

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole<const MIN: u64, const MAX: u64>(u64);

impl<const MIN: u64, const MAX: u64> Whole<MIN, MAX> {
    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }

    /// The number as a size.
    pub fn size(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Whole<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u64::deserialize(deserializer)?;
        if (MIN..=MAX).contains(&number) {
            Ok(Self(number))
        } else {
            Err(D::Error::custom(format!("{number} is not a whole number from {MIN} to {MAX}")))
        }
    }
}

impl<const MIN: u64, const MAX: u64> JsonSchema for Whole<MIN, MAX> {
    fn schema_name() -> Cow<'static, str> {
        "Whole".into()
    }

    fn schema_id() -> Cow<'static, str> {
        format!("Whole_{MIN}_{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        if MAX == UNBOUNDED {
            return json_schema!({"type": "integer", "minimum": MIN});
        }
        json_schema!({"type": "integer", "minimum": MIN, "maximum": MAX})
    }
}

/// A bound that is none: it is not spelt out in schemas.
pub const UNBOUNDED: u64 = u64::MAX;

/// A version or seq.
pub type Version = Whole<0, UNBOUNDED>;

/// A text of `MIN` to `MAX` characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text<const MIN: usize, const MAX: usize>(String);

impl<const MIN: usize, const MAX: usize> Text<MIN, MAX> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de, const MIN: usize, const MAX: usize> Deserialize<'de> for Text<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let count = text.chars().take(MAX + 1).count();
        if (MIN..=MAX).contains(&count) {
            Ok(Self(text))
        } else {
            Err(D::Error::custom(format!("the text must have {MIN} to {MAX} characters")))
        }
    }
}

impl<const MIN: usize, const MAX: usize> JsonSchema for Text<MIN, MAX> {
    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn schema_id() -> Cow<'static, str> {
        format!("Text_{MIN}_{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": MIN, "maxLength": MAX})
    }
}

/// A key under which a call is done once: 1 to 128 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for IdempotencyKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let most = limits::IDEMPOTENCY_KEY_CHARACTERS;
        if (1..=most).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic()) {
            Ok(Self(text))
        } else {
            Err(D::Error::custom(format!("an idempotency key has 1 to {most} visible ASCII characters")))
        }
    }
}

impl JsonSchema for IdempotencyKey {
    fn schema_name() -> Cow<'static, str> {
        "IdempotencyKey".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": format!("^[!-~]{{1,{}}}$", limits::IDEMPOTENCY_KEY_CHARACTERS)})
    }
}

/// A value as a client sends it: a string; any other JSON is taken as the JSON text that was meant, because
/// models often send the object itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueText {
    /// The text.
    pub text: String,
    /// It came as JSON that is not a string.
    pub structured: bool,
}

impl<'de> Deserialize<'de> for ValueText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => Ok(Self { text, structured: false }),
            other if has_inexact_number(&other) => Err(D::Error::custom(
                "a number of this size changes when it is read as JSON: send the value as JSON text in a string",
            )),
            other => Ok(Self { text: other.to_string(), structured: true }),
        }
    }
}

/// Whether it holds a whole number beyond what a double carries: it would be stored as another one.
fn has_inexact_number(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Number(number) => {
            number.is_f64() && number.as_f64().is_none_or(|n| n.abs() >= 9_007_199_254_740_992.0)
        }
        serde_json::Value::Array(items) => items.iter().any(has_inexact_number),
        serde_json::Value::Object(members) => members.values().any(has_inexact_number),
        _ => false,
    }
}

impl JsonSchema for ValueText {
    fn schema_name() -> Cow<'static, str> {
        "ValueText".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string"})
    }
}
