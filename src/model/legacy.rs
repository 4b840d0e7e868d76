//! Older spellings of tags, types and the four booleans of the first MindCache, mapped to ours in one place.
//!
//! Used at the edges only (sync, REST, import). The table is `readonly`, `visible`, `hardcoded`, `template`
//! and the tag words of versions 2.1 to 3.x; booleans neither add nor remove `LLMRead` on a key that exists.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    error::OpError,
    key::KeyType,
    tags::{SystemTag, SystemTags},
};

/// The four booleans, each absent when the sender did not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Booleans {
    /// Models may not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readonly: Option<bool>,
    /// It is in the system prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visible: Option<bool>,
    /// It cannot be deleted; implies `readonly` and no template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardcoded: Option<bool>,
    /// Its value is a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<bool>,
}

/// Applies the booleans that were sent to the tags of a key.
pub fn apply_booleans(tags: SystemTags, booleans: Booleans) -> SystemTags {
    let set = |tags: SystemTags, tag, on: Option<bool>| match on {
        Some(true) => tags.with(tag),
        Some(false) => tags.without(tag),
        None => tags,
    };
    let mut tags = set(tags, SystemTag::SystemPrompt, booleans.visible);
    tags = set(tags, SystemTag::LlmWrite, booleans.readonly.map(|readonly| !readonly));
    tags = set(tags, SystemTag::ApplyTemplate, booleans.template);
    // Once hardcoded, an old client can never clear it: only `protected` taken off by a person does.
    if booleans.hardcoded == Some(true) {
        tags = tags.with(SystemTag::Protected).without(SystemTag::LlmWrite).without(SystemTag::ApplyTemplate);
    }
    tags
}

/// The booleans that an old client is shown.
pub fn to_booleans(tags: SystemTags) -> Booleans {
    let hardcoded = tags.has(SystemTag::Protected);
    Booleans {
        readonly: Some(hardcoded || !tags.has(SystemTag::LlmWrite)),
        visible: Some(tags.has(SystemTag::SystemPrompt)),
        hardcoded: Some(hardcoded),
        template: Some(tags.has(SystemTag::ApplyTemplate) && !hardcoded),
    }
}

/// Reads a list of system tags in any spelling. Unknown words are dropped, as every older version does.
/// `readonly` means that `LLMWrite` is absent, also when both are there.
pub fn system_tags<'a>(words: impl IntoIterator<Item = &'a str>) -> SystemTags {
    let mut tags = SystemTags::default();
    let mut readonly = false;
    for word in words {
        match word {
            "prompt" => tags = tags.with(SystemTag::SystemPrompt),
            "template" => tags = tags.with(SystemTag::ApplyTemplate),
            "hardcoded" => tags = tags.with(SystemTag::Protected),
            "readonly" => readonly = true,
            _ => {
                if let Some(tag) = SystemTag::from_name(word) {
                    tags = tags.with(tag);
                }
            }
        }
    }
    if readonly { tags.without(SystemTag::LlmWrite) } else { tags }
}

/// What a list of system tags says that an old client sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// In our words: all of them.
    Tags(SystemTags),
    /// In words that know no more than the booleans: what those say.
    Booleans(Booleans),
}

/// Reads a list of system tags of a client of any age. Versions 2.1 to 2.3 know `prompt`, `readonly`, `protected` and
/// `template` alone: their lists say nothing of `LLMRead`, and what is not `readonly` may be written.
pub fn said<'a>(words: impl IntoIterator<Item = &'a str> + Clone) -> Said {
    let has = |wanted: &[&str]| words.clone().into_iter().any(|word| wanted.contains(&word));
    if has(&["SystemPrompt", "LLMRead", "LLMWrite", "ApplyTemplate"]) {
        return Said::Tags(system_tags(words));
    }
    let is_hardcoded = has(&["protected", "hardcoded"]);
    Said::Booleans(Booleans {
        readonly: Some(has(&["readonly"]) || is_hardcoded),
        visible: Some(has(&["prompt"])),
        hardcoded: is_hardcoded.then_some(true),
        template: Some(has(&["template"])),
    })
}

/// Reads the type of a key that stands at a path of what was sent, with the content type that it implies.
/// Errors: `invalid_argument`.
pub fn known_key_type(path: impl Into<String>, word: &str) -> Result<(KeyType, Option<&'static str>), OpError> {
    key_type(word).ok_or_else(|| OpError::invalid(path, "the types are text, json, image and file", word))
}

/// Reads a type word: ours, or `markdown` and `document`, which are text with a content type.
fn key_type(word: &str) -> Option<(KeyType, Option<&'static str>)> {
    match word {
        "text" => Some((KeyType::Text, None)),
        "json" => Some((KeyType::Json, None)),
        "image" => Some((KeyType::Image, None)),
        "file" => Some((KeyType::File, None)),
        "markdown" | "document" => Some((KeyType::Text, Some("text/markdown"))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(tags: SystemTags) -> String {
        tags.names().join(",")
    }

    fn applied(booleans: &str) -> String {
        names(apply_booleans(SystemTags::for_new_key(), serde_json::from_str(booleans).unwrap()))
    }

    #[test]
    fn row_readonly_takes_llm_write() {
        assert_eq!(applied(r#"{"readonly":true}"#), "LLMRead");
        assert_eq!(applied(r#"{"readonly":false}"#), "LLMRead,LLMWrite");
    }

    #[test]
    fn row_visible_is_the_system_prompt() {
        assert_eq!(applied(r#"{"visible":true}"#), "SystemPrompt,LLMRead,LLMWrite");
        assert_eq!(applied(r#"{"visible":false}"#), "LLMRead,LLMWrite");
    }

    #[test]
    fn row_hardcoded_protects_and_forces_readonly_without_template() {
        assert_eq!(applied(r#"{"hardcoded":true,"readonly":false,"template":true}"#), "LLMRead,protected");
        let protected = SystemTags::default().with(SystemTag::Protected);
        assert_eq!(
            names(apply_booleans(protected, Booleans { hardcoded: Some(false), ..Default::default() })),
            "protected"
        );
    }

    #[test]
    fn row_template_is_apply_template() {
        assert_eq!(applied(r#"{"template":true}"#), "LLMRead,LLMWrite,ApplyTemplate");
        assert_eq!(applied(r#"{"template":false}"#), "LLMRead,LLMWrite");
    }

    #[test]
    fn row_nothing_sent_changes_nothing() {
        assert_eq!(applied("{}"), "LLMRead,LLMWrite");
    }

    #[test]
    fn row_booleans_shown_to_old_clients() {
        let shown = |words: &[&str]| {
            let b = to_booleans(system_tags(words.iter().copied()));
            [b.readonly, b.visible, b.hardcoded, b.template].map(|flag| u8::from(flag.unwrap()))
        };
        assert_eq!(shown(&["SystemPrompt", "LLMWrite"]), [0, 1, 0, 0]);
        assert_eq!(shown(&["LLMRead"]), [1, 0, 0, 0]);
        assert_eq!(shown(&["LLMWrite", "ApplyTemplate"]), [0, 0, 0, 1]);
        assert_eq!(shown(&["protected", "LLMWrite", "ApplyTemplate"]), [1, 0, 1, 0]);
    }

    #[test]
    fn row_tag_words_of_each_version() {
        for (words, ours) in [
            (vec!["prompt"], "SystemPrompt"),
            (vec!["prompt", "readonly"], "SystemPrompt"),
            (vec!["readonly", "LLMWrite"], ""),
            (vec!["protected", "template"], "ApplyTemplate,protected"),
            (
                vec!["SystemPrompt", "LLMRead", "LLMWrite", "ApplyTemplate"],
                "SystemPrompt,LLMRead,LLMWrite,ApplyTemplate",
            ),
            (vec!["nonsense"], ""),
        ] {
            assert_eq!(names(system_tags(words.iter().copied())), ours, "{words:?}");
        }
    }

    #[test]
    fn row_words_that_know_no_more_than_the_booleans() {
        let applied = |words: &[&str]| match said(words.iter().copied()) {
            Said::Tags(tags) => names(tags),
            Said::Booleans(booleans) => names(apply_booleans(SystemTags::for_new_key(), booleans)),
        };
        assert_eq!(applied(&["prompt"]), "SystemPrompt,LLMRead,LLMWrite");
        assert_eq!(applied(&["prompt", "readonly"]), "SystemPrompt,LLMRead");
        assert_eq!(applied(&[]), "LLMRead,LLMWrite");
        assert_eq!(applied(&["protected", "template"]), "LLMRead,protected");
        assert_eq!(applied(&["LLMWrite"]), "LLMWrite");
        assert_eq!(applied(&["SystemPrompt", "LLMWrite", "prompt"]), "SystemPrompt,LLMWrite");
    }

    #[test]
    fn row_types() {
        assert_eq!(key_type("markdown"), Some((KeyType::Text, Some("text/markdown"))));
        assert_eq!(key_type("document"), Some((KeyType::Text, Some("text/markdown"))));
        for word in ["text", "json", "image", "file"] {
            assert_eq!(key_type(word).unwrap().0.name(), word);
        }
        assert_eq!(key_type("number"), None);
    }
}
