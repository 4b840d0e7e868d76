//! What is written is read again; what others wrote is understood; what is wrong is refused.

use proptest::{collection::vec, option, prelude::*};
use serde_json::json;

use super::*;
use crate::derive::samples;
use crate::model::portable::Item;

fn read_all(text: &[u8]) -> Result<Vec<Item>, OpError> {
    let mut items = Vec::new();
    read(text, &mut |item| {
        items.push(item);
        Ok(())
    })?;
    Ok(items)
}

fn keys(text: &str) -> Vec<Portable> {
    let keep = |item| match item {
        Item::Key(key) => *key,
        Item::LeftOut { name, why } => panic!("{name}: {why}"),
    };
    read_all(text.as_bytes()).unwrap().into_iter().map(keep).collect()
}

fn document(keys: &[Portable]) -> Vec<u8> {
    let mut out = Vec::new();
    begin(&mut out, 7).unwrap();
    for (index, each) in keys.iter().enumerate() {
        key(&mut out, each, index == 0).unwrap();
    }
    end(&mut out, keys.len() as u64).unwrap();
    out
}

proptest! {
    #[test]
    fn keys_come_back_as_they_were(keys in vec(samples::key(), 0..8)) {
        let text = document(&keys);
        let read: Vec<_> = read_all(&text).unwrap();
        let expected: Vec<_> = keys.into_iter().map(|key| Item::Key(Box::new(key))).collect();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn a_truncated_document_is_refused(keys in vec(samples::key(), 1..4), cut in any::<proptest::sample::Index>()) {
        let text = document(&keys);
        // The last byte is a newline.
        prop_assert!(read_all(&text[..cut.index(text.len() - 1)]).is_err());
    }

    #[test]
    fn anything_is_read_or_refused(text in vec(any::<u8>(), 0..200), name in option::of("[a-z]{0,3}")) {
        drop(read_all(&text));
        drop(read_all(&serde_json::to_vec(&json!({ name.unwrap_or_default(): String::from_utf8_lossy(&text) })).unwrap()));
    }
}

#[test]
fn an_export_of_the_first_mindcache_is_read() {
    let text = json!({
        "t": {"value": "hello", "attributes": {"type": "text", "readonly": true, "visible": false, "hardcoded": false,
            "template": true, "tags": ["a", "b"]}},
        "cfg": {"value": {"n": 1}, "attributes": {"type": "json", "contentTags": ["c"], "tags": ["x"],
            "systemTags": ["prompt"], "zIndex": 3, "readonly": false, "visible": true, "hardcoded": false, "template": false}},
        "img": {"value": "QUJD", "attributes": {"type": "image", "contentType": "image/png", "systemTags": []}},
        "hard": {"value": "h", "attributes": {"hardcoded": true, "readonly": true, "visible": true}},
        "doc": {"value": "# x", "attributes": {"type": "document", "systemTags": ["SystemPrompt", "LLMWrite"]}},
    });
    let keys = keys(&text.to_string());
    let seen: Vec<_> = keys
        .iter()
        .map(|key| (key.name.as_str(), key.key_type.name(), key.system_tags.names().join(","), key.tags.join(",")))
        .collect();
    let expected = [
        ("t", "text", "ApplyTemplate", "a,b"),
        ("cfg", "json", "SystemPrompt,LLMWrite", "c"),
        ("img", "image", "", ""),
        ("hard", "text", "SystemPrompt,protected", ""),
        ("doc", "text", "SystemPrompt,LLMWrite", ""),
    ];
    assert_eq!(seen, expected.map(|(a, b, c, d)| (a, b, c.to_owned(), d.to_owned())));
    assert_eq!(keys[1].content, Content::Text("{\"n\":1}".into()));
    assert_eq!((keys[1].z_index, &keys[2].content), (3, &Content::Bytes(b"ABC".to_vec())));
    assert_eq!(keys[4].content_type.as_deref(), Some("text/markdown"));
}

#[test]
fn what_cannot_be_a_key_is_left_out_of_a_foreign_document_with_the_reason() {
    let text = r#"{"ok":{"value":1.00,"attributes":{}},"":{"value":"x","attributes":{}},"n":null,"$date":{"value":"x","attributes":{}},
        "i":{"value":"!","attributes":{"type":"image"}},"format":{"value":"f","attributes":{}}}"#;
    let items = read_all(text.as_bytes()).unwrap();
    let left_out: Vec<_> = items
        .iter()
        .filter_map(|item| match item {
            Item::LeftOut { name, .. } => Some(name.as_str()),
            Item::Key(_) => None,
        })
        .collect();
    assert_eq!(left_out, ["", "n", "$date", "i"]);
    let Item::Key(first) = &items[0] else { panic!() };
    assert_eq!((first.key_type, &first.content), (KeyType::Json, &Content::Text("1.00".into())));
    assert!(matches!(&items[5], Item::Key(key) if key.name.as_str() == "format"));
}

#[test]
fn a_plain_map_is_read() {
    let keys = keys(r#"{"a":"text","b":{"x":1},"c":[1],"d":null,"e":12345678901234567890.5}"#);
    let seen: Vec<_> =
        keys.iter().map(|key| (key.key_type.name(), String::from_utf8_lossy(key.content.as_bytes()))).collect();
    let expected = [
        ("text", "text"),
        ("json", "{\"x\":1}"),
        ("json", "[1]"),
        ("json", "null"),
        ("json", "12345678901234567890.5"),
    ];
    assert_eq!(seen, expected.map(|(kind, text)| (kind, text.into())));
}

#[test]
fn what_is_wrong_is_refused_with_its_line() {
    let good = r#"{"key":"a","type":"text","system_tags":[],"value":"x"}"#;
    for bad in [
        "[]".into(),
        "7".into(),
        String::new(),
        "\0\0\0\0".into(),
        r#"{"format":"mindcache","format_version":2,"keys":[]}"#.into(),
        r#"{"format":"mindcache","format_version":1}"#.into(),
        r#"{"format":"mindcache","format_version":1,"keys":{}}"#.into(),
        format!(r#"{{"format":"mindcache","format_version":1,"keys":[{good}],"count":2}}"#),
        format!(r#"{{"format":"mindcache","format_version":1,"keys":[{good}],"more":2}}"#),
        r#"{"format":"mindcache","format_version":1,"keys":[{"key":"","type":"text","system_tags":[],"value":""}]}"#.into(),
        r#"{"format":"mindcache","format_version":1,"keys":[{"key":"a","type":"file","system_tags":[],"value":"QUJD"}]}"#.into(),
        r#"{"format":"mindcache","format_version":1,"keys":[{"key":"a","type":"json","system_tags":[],"value":"{"}]}"#.into(),
        r#"{"format":"mindcache","format_version":1,"keys":[{"key":"a","type":"text","system_tags":["x"],"value":""}]}"#.into(),
    ] {
        let error = read_all(bad.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("line 1: "), "{bad}: {error}");
    }
    assert!(read_all(b"{\"a\":\"\xff\"}").is_err());
}

#[test]
fn a_document_whose_members_were_sorted_is_still_ours() {
    let text = r#"{"as_of_seq":1,"count":1,"format":"mindcache","format_version":1,"keys":[{"key":"a","system_tags":[],"type":"text","value":"x"}]}"#;
    assert_eq!(keys(text).len(), 1);
}
