//! System tags: the five words that say how a key takes part. Content tags are free text beside them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One system tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemTag {
    /// The key is part of the system prompt.
    SystemPrompt,
    /// A model may read it.
    LlmRead,
    /// A model may write it.
    LlmWrite,
    /// `{{key}}` in its value is replaced when it is read.
    ApplyTemplate,
    /// It cannot be deleted or cleared until the tag is taken off.
    Protected,
}

impl SystemTag {
    /// All of them, in the order in which replies show them.
    pub const ALL: [Self; 5] =
        [Self::SystemPrompt, Self::LlmRead, Self::LlmWrite, Self::ApplyTemplate, Self::Protected];

    /// The word of the tag.
    pub fn name(self) -> &'static str {
        match self {
            Self::SystemPrompt => "SystemPrompt",
            Self::LlmRead => "LLMRead",
            Self::LlmWrite => "LLMWrite",
            Self::ApplyTemplate => "ApplyTemplate",
            Self::Protected => "protected",
        }
    }

    /// The tag of a word; exact spelling (older spellings are mapped at the edge, see `legacy`).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tag| tag.name() == name)
    }

    fn bit(self) -> u8 {
        1 << (self as u8)
    }
}

/// A set of system tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SystemTags(u8);

impl SystemTags {
    /// What a new key gets unless told otherwise: a model may read and write it.
    pub fn for_new_key() -> Self {
        Self::default().with(SystemTag::LlmRead).with(SystemTag::LlmWrite)
    }

    /// The set with the tag in it.
    #[must_use]
    pub fn with(self, tag: SystemTag) -> Self {
        Self(self.0 | tag.bit())
    }

    /// The set without the tag.
    #[must_use]
    pub fn without(self, tag: SystemTag) -> Self {
        Self(self.0 & !tag.bit())
    }

    /// Whether the tag is in it.
    pub fn has(self, tag: SystemTag) -> bool {
        self.0 & tag.bit() != 0
    }

    /// A model may read the key: `LLMRead`, or part of the prompt anyway.
    pub fn llm_readable(self) -> bool {
        self.has(SystemTag::LlmRead) || self.has(SystemTag::SystemPrompt)
    }

    /// A model may write the key.
    pub fn llm_writable(self) -> bool {
        self.has(SystemTag::LlmWrite)
    }

    /// The tags in their fixed order.
    pub fn iter(self) -> impl Iterator<Item = SystemTag> {
        SystemTag::ALL.into_iter().filter(move |tag| self.has(*tag))
    }

    /// Their words in the fixed order.
    pub fn names(self) -> Vec<String> {
        self.iter().map(|tag| tag.name().to_owned()).collect()
    }
}

impl FromIterator<SystemTag> for SystemTags {
    fn from_iter<I: IntoIterator<Item = SystemTag>>(tags: I) -> Self {
        tags.into_iter().fold(Self::default(), Self::with)
    }
}

impl Serialize for SystemTags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(SystemTag::name))
    }
}

impl<'de> Deserialize<'de> for SystemTags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        names
            .iter()
            .map(|name| SystemTag::from_name(name).ok_or_else(|| serde::de::Error::custom(rule_of(name))))
            .collect()
    }
}

fn rule_of(got: &str) -> String {
    let known: Vec<_> = SystemTag::ALL.iter().map(|tag| tag.name()).collect();
    format!("\"{got}\" is not a system tag; they are {}", known.join(", "))
}

impl schemars::JsonSchema for SystemTags {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SystemTags".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names: Vec<_> = SystemTag::ALL.iter().map(|tag| tag.name()).collect();
        schemars::json_schema!({"type": "array", "items": {"type": "string", "enum": names}})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_and_shown_in_one_order() {
        let tags: SystemTags = serde_json::from_str(r#"["protected","LLMRead","LLMRead"]"#).unwrap();
        assert_eq!(serde_json::to_string(&tags).unwrap(), r#"["LLMRead","protected"]"#);
    }

    #[test]
    fn an_unknown_tag_is_refused_with_the_known_ones() {
        let error = serde_json::from_str::<SystemTags>(r#"["Prompt"]"#).unwrap_err().to_string();
        assert!(error.contains("SystemPrompt, LLMRead, LLMWrite, ApplyTemplate, protected"), "{error}");
    }
}
