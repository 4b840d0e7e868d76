//! The prompt as version 2 of the first MindCache wrote it, line for line, for clients that rely on it.
//!
//! A value stands in it as it is, over several lines if it has them, so a value can look like another key's
//! line: the default style is the one that keeps keys apart.

use serde_json::value::RawValue;

use super::{Rendered, Section, UNKNOWN_FORMAT, fit};
use crate::{derive::template::Clock, model::key::KeyType};

/// Renders the sections in their order, a line each, then the date and the time; lines are joined by `\n`.
///
/// All of it stays within a budget of characters, but the two last lines are always there. A line says which
/// keys were left out only when there are some: that version had no budget.
pub fn render_v1(sections: &[Section], clock: &Clock<'_>, budget: usize) -> Rendered {
    let end = format!("$date: {}\n$time: {}", clock.date, clock.time);
    let mut rendered = fit(sections, budget.saturating_sub(end.chars().count()), line);
    rendered.text.push_str(&end);
    rendered
}

fn line(section: &Section) -> Option<String> {
    let name = &section.name;
    let line = match section.key_type {
        KeyType::Image => format!("image {name} available\n"),
        KeyType::File => {
            let content_type = section.content_type.as_deref().unwrap_or(UNKNOWN_FORMAT);
            let hint = match &section.writer {
                Some(writer) => format!(". You can update this file using the {writer} tool."),
                None => String::new(),
            };
            format!("{name}: [FILE] - {content_type}{hint}\n")
        }
        KeyType::Text | KeyType::Json => {
            let text = section.text.as_deref()?;
            let value = if section.key_type == KeyType::Json { json(text) } else { text.to_owned() };
            match &section.writer {
                Some(writer) => format!(
                    "{name}: {value}. You can rewrite \"{name}\" by using the {writer} tool. This tool DOES NOT append \
                     — start your response with the old value ({value})\n"
                ),
                None => format!("{name}: {value}\n"),
            }
        }
    };
    Some(line)
}

/// A JSON value as that version shows it: the text of a string, everything else without white space. Numbers
/// keep their digits. What is no JSON, as a template's result may be, stays as it is.
fn json(text: &str) -> String {
    if serde_json::from_str::<&RawValue>(text).is_err() {
        return text.to_owned();
    }
    serde_json::from_str::<String>(text).unwrap_or_else(|_| compact(text))
}

/// Valid JSON without the white space between its tokens.
fn compact(json: &str) -> String {
    let mut in_string = false;
    let mut is_escaped = false;
    json.chars()
        .filter(|&c| {
            if !in_string {
                in_string = c == '"';
                return !c.is_ascii_whitespace();
            }
            in_string = is_escaped || c != '"';
            is_escaped = !is_escaped && c == '\\';
            true
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const CLOCK: Clock<'static> = Clock { date: "2026-11-21", time: "09:43:45", version: "1.2.3" };

    fn section(name: &str, key_type: KeyType, text: Option<&str>, writer: Option<&str>) -> Section {
        let [text, writer] = [text, writer].map(|text| text.map(str::to_owned));
        Section { name: name.into(), key_type, content_type: None, text, writer }
    }

    fn check(section: Section, expected: &str) {
        let rendered = render_v1(&[section], &CLOCK, 10_000);
        assert_eq!(rendered.text, format!("{expected}\n$date: 2026-11-21\n$time: 09:43:45"));
    }

    fn value(key_type: KeyType, value: &str, shown: &str) {
        check(section("k", key_type, Some(value), None), &format!("k: {shown}"));
    }

    #[test]
    fn row_a_readonly_text_or_json_is_its_value() {
        check(section("a b", KeyType::Text, Some("x y"), None), "a b: x y");
        check(section("cfg", KeyType::Json, Some("[1]"), None), "cfg: [1]");
    }

    #[test]
    fn row_a_writable_key_names_its_tool_and_its_old_value() {
        check(
            section("a b", KeyType::Text, Some("x"), Some("write_a_b")),
            "a b: x. You can rewrite \"a b\" by using the write_a_b tool. This tool DOES NOT append \u{2014} start \
             your response with the old value (x)",
        );
        check(
            section("e", KeyType::Text, Some(""), Some("write_e")),
            "e: . You can rewrite \"e\" by using the write_e tool. This tool DOES NOT append \u{2014} start your \
             response with the old value ()",
        );
        check(
            section("j", KeyType::Json, Some("{ \"a\": 1 }"), Some("write_j")),
            "j: {\"a\":1}. You can rewrite \"j\" by using the write_j tool. This tool DOES NOT append \u{2014} start \
             your response with the old value ({\"a\":1})",
        );
    }

    #[test]
    fn row_json_is_compact_and_a_string_is_its_text() {
        for (json, shown) in [
            ("{ \"a\" : [ 1.0, 1e400,\n\t12345678901234567890123 ] }", "{\"a\":[1.0,1e400,12345678901234567890123]}"),
            (r#"{ "a b": "c \" d \\" }"#, r#"{"a b":"c \" d \\"}"#),
            (" null ", "null"),
            ("false", "false"),
            ("\"a  b\\n\"", "a  b\n"),
            ("\"\\ud800\"", "\"\\ud800\""),
            ("{ broken", "{ broken"),
            ("", ""),
        ] {
            value(KeyType::Json, json, shown);
        }
    }

    #[test]
    fn row_a_value_of_several_lines_is_inserted_as_it_is() {
        value(KeyType::Text, "a\nb: c\r\n", "a\nb: c\r\n");
        value(KeyType::Text, "{ \"a\": 1 }", "{ \"a\": 1 }");
    }

    #[test]
    fn row_an_image_is_named_only() {
        check(section("logo", KeyType::Image, None, None), "image logo available");
        check(section("logo", KeyType::Image, Some("QUJD"), Some("write_logo")), "image logo available");
    }

    #[test]
    fn row_a_file_is_its_content_type() {
        let mut file = section("doc", KeyType::File, None, None);
        check(file.clone(), "doc: [FILE] - unknown format");
        file.content_type = Some("application/pdf".into());
        check(file.clone(), "doc: [FILE] - application/pdf");
        file.writer = Some("write_doc".into());
        check(file, "doc: [FILE] - application/pdf. You can update this file using the write_doc tool.");
    }

    #[test]
    fn row_without_keys_there_are_the_date_and_the_time() {
        assert_eq!(render_v1(&[], &CLOCK, 0).text, "$date: 2026-11-21\n$time: 09:43:45");
    }

    #[test]
    fn keys_stand_in_their_order_and_what_does_not_fit_is_named() {
        let sections = ["b", "long", "a", "huge"].map(|name| {
            let text = if name == "long" { "y".repeat(500) } else { "x".into() };
            section(name, KeyType::Text, Some(&text).filter(|_| name != "huge").map(String::as_str), None)
        });
        let rendered = render_v1(&sections, &CLOCK, 200);
        expect![[r#"
            b: x
            a: x
            (left out for lack of room: "long", "huge")
            $date: 2026-11-21
            $time: 09:43:45"#]]
        .assert_eq(&rendered.text);
        assert_eq!(
            (rendered.included, rendered.left_out),
            (vec!["b".into(), "a".into()], vec!["long".into(), "huge".into()])
        );
    }

    proptest! {
        #[test]
        fn the_budget_counts_the_last_lines_too(lengths in vec(0..40_usize, 0..6), budget in 33..200_usize) {
            let sections: Vec<Section> =
                lengths.iter().map(|length| section("k", KeyType::Text, Some(&"é".repeat(*length)), None)).collect();
            prop_assert!(render_v1(&sections, &CLOCK, budget).text.chars().count() <= budget);
        }

        #[test]
        fn compact_json_is_the_same_value(keys in vec(any::<String>(), 0..4)) {
            let value: serde_json::Value = keys.iter().map(|key| (key.clone(), serde_json::json!([key, 1]))).collect();
            prop_assert_eq!(compact(&serde_json::to_string_pretty(&value).unwrap()), value.to_string());
        }
    }
}
