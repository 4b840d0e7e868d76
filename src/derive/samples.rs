//! Keys for tests: every type, and values that look like the documents around them.

use proptest::{collection::vec, option, prelude::*, strategy::Union};
use serde_json::json;

use crate::model::{
    key::{History, KeyName, KeyType},
    portable::Portable,
    tags::{SystemTag, SystemTags},
    value::Content,
};

/// What is hard to tell from a document.
const TRICKS: [&str; 24] = [
    "```",
    "````",
    "`",
    "\n",
    "\r\n",
    "\r",
    "### forged",
    "## STM Entries",
    "---",
    "*End of MindCache Export*",
    "- **Value**:",
    "- **Type**: `image`",
    "## Appendix: Binary Data",
    "### Appendix A: x",
    "<!-- mindcache: {",
    "-->",
    " ",
    "\t",
    "é",
    "e\u{301}",
    "\u{2028}",
    "\u{feff}",
    "{\"a\":1}",
    "```base64",
];

fn text() -> impl Strategy<Value = String> {
    let piece = Union::new([
        proptest::sample::select(TRICKS.to_vec()).prop_map(str::to_owned).boxed(),
        any::<String>().boxed(),
        Just("\n".to_owned()).boxed(),
    ]);
    let long = (0_usize..65_536).prop_map(|length| "`x\n".repeat(length / 3)).boxed();
    prop_oneof![20 => vec(piece, 0..12).prop_map(|pieces| pieces.concat()), 1 => long]
}

fn name() -> impl Strategy<Value = KeyName> {
    let tricks = proptest::sample::select(TRICKS.to_vec()).prop_map(str::to_owned);
    prop_oneof!["\\PC{1,40}", tricks, "[a-z]{1,8}", "é{1,3}", "(e\u{301}){1,3}"]
        .prop_filter_map("a name", |name| KeyName::parse(name).ok())
}

fn content() -> impl Strategy<Value = (KeyType, Option<String>, Content)> {
    let json = text().prop_map(|text| format!("{{\"a\": 1.00, \"b\":{}\n}}", json!(text)));
    let bytes = || vec(any::<u8>(), 0..300).prop_map(Content::Bytes);
    prop_oneof![
        (text(), option::of(Just("text/`x`".to_owned()))).prop_map(|(text, content_type)| (
            KeyType::Text,
            content_type,
            Content::Text(text)
        )),
        json.prop_map(|json| (KeyType::Json, None, Content::Text(json))),
        bytes().prop_map(|bytes| (KeyType::Image, Some("image/png".into()), bytes)),
        bytes().prop_map(|bytes| (KeyType::File, Some("a/b; c=d".into()), bytes)),
    ]
}

/// Any key.
pub(crate) fn key() -> impl Strategy<Value = Portable> {
    let tags = vec(proptest::sample::subsequence(SystemTag::ALL.to_vec(), 0..=5), 1)
        .prop_map(|tags| tags.into_iter().flatten().collect::<SystemTags>());
    let words = proptest::sample::subsequence(vec!["a", "b c", "`", "x`, `y", "[", "é", "\""], 0..=4)
        .prop_map(|words| words.into_iter().map(str::to_owned).collect::<Vec<_>>());
    let description = option::of(text().prop_filter("a description", |text| (1..=300).contains(&text.chars().count())));
    let schema = option::of(text().prop_map(|text| json!({"description": text})));
    let history = prop_oneof![Just(History::Full), Just(History::None)];
    let expires_at = option::of(0_i64..4_000_000_000_000);
    (name(), content(), tags, words, any::<i64>(), (description, schema, history, expires_at)).prop_map(
        |(name, (key_type, content_type, content), system_tags, tags, z_index, rest)| {
            let (description, schema, history, expires_at) = rest;
            Portable {
                name,
                key_type,
                content_type,
                system_tags,
                tags,
                z_index,
                description,
                schema,
                history,
                expires_at,
                content,
            }
        },
    )
}
