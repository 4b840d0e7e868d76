//! What is written is read again, whatever it holds; both old grammars are understood.

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    derive::samples,
    model::{
        portable::{Item, Portable},
        value::Content,
    },
};

fn read_all(text: &[u8]) -> Result<Vec<Item>, OpError> {
    let mut items = Vec::new();
    let head = String::from_utf8_lossy(text);
    read(&head, text, &mut |item| {
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
    for each in keys {
        key(&mut out, each).unwrap();
    }
    end(&mut out, keys.len() as u64).unwrap();
    out
}

proptest! {
    #[test]
    fn keys_come_back_as_they_were(keys in vec(samples::key(), 0..8)) {
        let text = document(&keys);
        prop_assert!(is_export(&String::from_utf8_lossy(&text)));
        let expected: Vec<_> = keys.into_iter().map(|key| Item::Key(Box::new(key))).collect();
        prop_assert_eq!(read_all(&text).unwrap(), expected);
    }

    #[test]
    fn a_truncated_document_is_refused(keys in vec(samples::key(), 1..4), cut in any::<proptest::sample::Index>()) {
        let text = document(&keys);
        let start = begin_length();
        prop_assert!(read_all(&text[..start + cut.index(text.len() - start)]).is_err());
    }

    #[test]
    fn anything_is_read_or_refused(pieces in vec("[ -~\n`*#]{0,20}", 0..20)) {
        let mut text = document(&[]);
        text.truncate(begin_length());
        drop(read_all(&[&text, pieces.concat().as_bytes()].concat()));
        for start in ["## STM Entries\n", "## Keys & Values\n"] {
            drop(read_all(format!("{start}### a\n{}", pieces.join("\n")).as_bytes()));
        }
    }
}

fn begin_length() -> usize {
    let mut start = Vec::new();
    begin(&mut start, 7).unwrap();
    start.len()
}

/// The example of the first MindCache's grammar up to 2.4, with more binaries than its alphabet has letters.
fn stm() -> String {
    let entry = |name: &str, kind: &str, rest: &str| {
        format!(
            "### {name}\n- **Type**: `{kind}`\n- **Readonly**: `false`\n- **Visible**: `true`\n- **Template**: `false`\n- \
             **Z-Index**: `0`\n{rest}\n\n---\n\n"
        )
    };
    let mut text = "# MindCache STM Export\n\nExport Date: 2025-12-14\n\n---\n\n## STM Entries\n\n".to_owned();
    text += &entry("txt", "text", "- **Tags**: `t1`, `t2`\n- **Value**:\n```\nhello\n```");
    text += &entry("cfg", "json", "- **Value**:\n```json\n{\n  \"a\": 1\n}\n```");
    text += &entry("fences", "text", "- **Value**:\n```\na\n```\nb\n```\nc\n```");
    text += &entry("odd", "text", "- **Value**:\n```\n```\n### forged\n\n```");
    text += &entry("inline", "text", "- **Value**: `x`");
    text += "### hidden\n- **Type**: `text`\n- **Readonly**: `true`\n- **Visible**: `false`\n- **Template**: `true`\n- **Value**:\n```\n{{txt}}\n```\n\n---\n\n";
    let labels: Vec<char> = (b'A'..b'A' + 28).map(char::from).collect();
    for label in &labels {
        let rest = format!("- **Content Type**: `image/png`\n- **Value**: [See Appendix {label}]");
        text += &entry(&format!("img{label}"), "image", &rest);
    }
    text += "## Appendix: Binary Data\n\n";
    for label in &labels {
        text += &["### Appendix ", &label.to_string(), ": img", &label.to_string()].concat();
        text += "\n**Type**: image/png\n\n```\nQUJD\n```\n\n---\n\n";
    }
    text + "*End of MindCache Export*"
}

#[test]
fn the_grammar_up_to_2_4_is_read() {
    let keys = keys(&stm());
    let text = |at: usize| String::from_utf8_lossy(keys[at].content.as_bytes()).into_owned();
    assert_eq!((text(0).as_str(), keys[0].tags.join(",").as_str()), ("hello", "t1,t2"));
    assert_eq!(keys[0].system_tags.names(), ["SystemPrompt", "LLMWrite"]);
    assert_eq!((text(1).as_str(), keys[1].key_type.name()), ("{\n  \"a\": 1\n}", "json"));
    assert_eq!((text(2), text(3), text(4)), ("a\n```\nb\n```\nc".into(), "```\n### forged\n".into(), "x".into()));
    assert_eq!(keys[5].system_tags.names(), ["ApplyTemplate"]);
    assert_eq!(keys.len(), 6 + 28);
    for key in &keys[6..] {
        assert_eq!((&key.content, key.content_type.as_deref()), (&Content::Bytes(b"ABC".to_vec()), Some("image/png")));
    }
    let cut = stm().replace("*End of MindCache Export*", "");
    assert!(read_all(cut.as_bytes()).unwrap_err().to_string().contains("line "));
}

#[test]
fn the_grammar_from_3_0_is_read() {
    let text = "# My memory\n\nWhat it is\n\n## Keys & Values\n\n### a\n- **System Tags**: `SystemPrompt, LLMWrite`\n- \
                **Z-Index**: `2`\n- **Tags**: `x`\n- **Value**:\n```\none\n### not a key\n```\n\n### b\n- **Value**: several\nlines\n\n\
                ### c\n- **Type**: `json`\n- **Value**: ```\n[1]\n```\n\n### d\n- **Type**: `file`\n- **Content Type**: `a/b`\n\
                - **Value**: [See Appendix A]\n\n### e\n- **Type**: `document`\n- **Value**:\n```\n# t\n```\n\n\
                ## Appendix: Binary Data\n\n### Appendix A: d\n- **Type**: `file`\n- **Content Type**: `a/b`\n\
                - **Base64 Data**:\n```\nQUJD\n```\n";
    let keys = keys(text);
    let seen: Vec<_> = keys
        .iter()
        .map(|key| (key.name.as_str(), key.key_type.name(), String::from_utf8_lossy(key.content.as_bytes())))
        .collect();
    let expected = [
        ("a", "text", "one\n### not a key"),
        ("b", "text", "several\nlines"),
        ("c", "json", "[1]"),
        ("d", "file", "ABC"),
        ("e", "text", "# t"),
    ];
    assert_eq!(seen, expected.map(|(name, kind, text)| (name, kind, text.into())));
    assert_eq!((keys[0].system_tags.names(), keys[0].z_index), (vec!["SystemPrompt".into(), "LLMWrite".into()], 2));
    assert!(keys[1].system_tags.names().is_empty(), "private unless it says otherwise");
}

#[test]
fn what_is_wrong_is_refused_with_its_line() {
    let good = "# MindCache Export\n<!-- mindcache: {\"format_version\":1,\"as_of_seq\":7} -->\n\n### a\n- **Type**: `text`\n\n```\nx\n```\n\n*End of MindCache Export: 1 keys*\n";
    assert_eq!(keys(good).len(), 1);
    assert_eq!(keys(&good.replace('\n', "\r\n"))[0].content, Content::Text("x".into()));
    for (from, to, line) in [
        ("\"format_version\":1", "\"format_version\":2", 2),
        ("### a", "### ", 4),
        ("### a", "a", 4),
        ("`text`", "`texts`", 5),
        ("`text`", "`json`", 7),
        ("**Type**", "**Kind**", 5),
        ("\n```\n\n*", "\n````\n\n*", 12),
        ("1 keys", "2 keys", 11),
        ("keys*\n", "keys*\n### b\n", 12),
        ("x\n", "x\n```\n### b\n", 14),
    ] {
        let error = read_all(good.replacen(from, to, 1).as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("line {line}: ")), "{from} {to}: {error}");
    }
}
