//! The table of what markers become, row by row, and the laws for templates of any shape.

use std::{collections::BTreeMap, fmt::Write as _};

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::model::{tags::SystemTags, value::Stored};

const CLOCK: Clock<'static> = Clock { date: "2026-11-21", time: "09:43:45", version: "1.2.3" };

/// Keys by name: letters that say what they are, and the text. `T` template, `W` a model may write it,
/// `H` hidden from the reader, `I` image, `F` file, `J` JSON, `!` its text cannot be loaded.
#[derive(Debug, Clone, Default)]
struct Shelf {
    keys: BTreeMap<String, (String, String)>,
    found: Vec<String>,
    loaded: Vec<String>,
}

impl Shelf {
    fn new(keys: &[(&str, &str, &str)]) -> Self {
        let keys = keys.iter().map(|(name, flags, text)| (name.to_string(), (flags.to_string(), text.to_string())));
        Self { keys: keys.collect(), ..Self::default() }
    }

    /// Expands one of the keys.
    fn expand(&mut self, name: &str) -> Expanded {
        let (flags, text) = self.keys[name].clone();
        let template = Template { name, text: &text, is_llm_writable: flags.contains('W') };
        expand(&template, &CLOCK, self).unwrap()
    }
}

impl Keys for Shelf {
    fn find(&mut self, name: &str) -> Result<Option<Source>, OpError> {
        self.found.push(name.to_owned());
        Ok(self.keys.get(name).map(|(flags, _)| Source {
            key_type: match flags {
                flags if flags.contains('I') => KeyType::Image,
                flags if flags.contains('F') => KeyType::File,
                flags if flags.contains('J') => KeyType::Json,
                _ => KeyType::Text,
            },
            is_template: flags.contains('T'),
            is_llm_writable: flags.contains('W'),
            may_read: !flags.contains('H'),
        }))
    }

    fn text(&mut self, name: &str) -> Result<String, OpError> {
        self.loaded.push(name.to_owned());
        let (flags, text) = &self.keys[name];
        if flags.contains('!') { Err(OpError::no_key(name)) } else { Ok(text.clone()) }
    }
}

/// The first key is the one that is read.
fn check(keys: &[(&str, &str, &str)], expected: &str) {
    let expanded = Shelf::new(keys).expand(keys[0].0);
    assert_eq!(expanded.text, expected, "{keys:?}");
    assert!(!expanded.truncated);
}

#[test]
fn a_marker_is_any_text_without_a_closing_brace() {
    for (text, expected) in [
        ("{{a b}}", "spaces"),
        ("{{ a b\t}}", "spaces"),
        ("{{a-b}}{{a.b}}{{clé 名}}{{$foo}}", "hyphendotaccentdollar"),
        ("{{{x}}", "brace"),
        ("<{{a b}}>", "<spaces>"),
        ("{{a b}}}", "spaces}"),
        ("{{a b} {{a-b}}", "{{a b} hyphen"),
    ] {
        check(
            &[
                ("top", "T", text),
                ("a b", "", "spaces"),
                ("a-b", "", "hyphen"),
                ("a.b", "", "dot"),
                ("clé 名", "", "accent"),
                ("$foo", "", "dollar"),
                ("{x", "", "brace"),
            ],
            expected,
        );
    }
}

#[test]
fn what_is_no_marker_stays() {
    for text in ["", "{{}}", "{{ }}", "{{\u{3000}}}", "{a}", "{{a}", "{{a", "a}}", "{{a}b}}", "{ {a}}", "}}{{", "{{}}}"]
    {
        check(&[("top", "T", text), ("a", "", "A")], text);
    }
}

#[test]
fn row_a_hidden_key_is_nothing_in_a_template_that_a_model_may_write() {
    check(&[("top", "TW", "<{{h}}>"), ("h", "H", "secret")], "<>");
}

#[test]
fn row_a_hidden_key_is_shown_by_a_template_that_only_people_write() {
    check(&[("top", "T", "<{{h}}>"), ("h", "H", "secret")], "<secret>");
}

#[test]
fn one_template_that_a_model_may_write_closes_the_whole_way() {
    let secret = ("h", "H", "secret");
    check(&[("top", "T", "<{{mid}}>"), ("mid", "TW", "{{h}}"), secret], "<>");
    check(&[("top", "TW", "<{{mid}}>"), ("mid", "T", "{{h}}"), secret], "<>");
    check(&[("top", "T", "<{{mid}}>"), ("mid", "T", "{{low}}"), ("low", "THW", "{{h}}"), secret], "<>");
    check(&[("top", "T", "<{{mid}}{{h}}>"), ("mid", "TW", "{{h}}"), secret], "<secret>");
    check(&[("top", "T", "<{{mid}}{{h}}>"), ("mid", "T", "{{h}}"), secret], "<secretsecret>");
}

#[test]
fn a_value_that_a_model_may_write_closes_nothing_unless_it_is_a_template() {
    check(&[("top", "T", "{{v}}{{h}}"), ("v", "W", "v"), ("h", "H", "secret")], "vsecret");
}

#[test]
fn row_an_unknown_name_is_nothing() {
    check(&[("top", "T", "<{{gone}}{{a\nb}}{{$system_prompt}}>")], "<>");
}

#[test]
fn row_a_marker_of_an_image_or_a_file_stays() {
    check(&[("top", "T", "{{ i }}{{f}}"), ("i", "I", "QUJD"), ("f", "FT", "QUJD")], "{{ i }}{{f}}");
    check(&[("top", "T", "{{i}}"), ("i", "IH", "QUJD")], "{{i}}");
    check(&[("top", "TW", "{{i}}"), ("i", "IH", "QUJD")], "");
}

#[test]
fn row_json_is_inserted_as_its_text() {
    for json in [r#"{"a": 1.0}"#, "[1,2]", "null", "false", "\"{{d}}\""] {
        check(&[("top", "T", "{{j}}"), ("j", "J", json), ("d", "", "D")], json);
    }
    check(&[("top", "T", "{{j}}"), ("j", "JT", "\"{{d}}\""), ("d", "", "D")], "\"D\"");
}

#[test]
fn row_the_braces_of_a_plain_value_are_not_expanded() {
    check(&[("top", "T", "{{v}}"), ("v", "", "{{d}}"), ("d", "", "D")], "{{d}}");
}

#[test]
fn row_templates_recur() {
    check(&[("top", "T", "1{{x}}"), ("x", "T", "2{{y}}"), ("y", "T", "3{{d}}"), ("d", "", "4")], "1234");
}

#[test]
fn row_a_template_in_itself_stays_a_marker() {
    check(&[("a", "T", "A{{a}}")], "A{{a}}");
    check(&[("a", "T", "A{{ a }}")], "A{{ a }}");
}

#[test]
fn row_a_cycle_stays_a_marker() {
    check(&[("a", "T", "A({{b}})"), ("b", "T", "B({{a}})")], "A(B({{a}}))");
}

#[test]
fn row_a_diamond_expands_each_time() {
    check(&[("top", "T", "{{x}}{{x}}{{d}}"), ("x", "T", "X{{d}}"), ("d", "T", "D")], "XDXDD");
}

#[test]
fn row_patterns_of_replacement_are_text() {
    check(&[("top", "T", "{{v}}"), ("v", "", "$& $1 $$ \\0")], "$& $1 $$ \\0");
}

#[test]
fn the_clock_answers_before_any_key() {
    check(&[("top", "T", "{{$date}} {{ $time }} {{$version}}"), ("$date", "", "x")], "2026-11-21 09:43:45 1.2.3");
}

#[test]
fn date_and_time_are_of_one_instant_in_one_zone() {
    let east = TimeZone::fixed(jiff::tz::offset(9));
    let shown = |at, zone: &TimeZone| {
        let (date, time) = date_and_time(at, zone);
        format!("{date} {time}")
    };
    assert_eq!(shown(1_795_254_225_999, &TimeZone::UTC), "2026-11-21 09:43:45");
    assert_eq!(shown(1_795_273_200_000, &TimeZone::UTC), "2026-11-21 15:00:00");
    assert_eq!(shown(1_795_273_200_000, &east), "2026-11-22 00:00:00");
    assert_eq!(shown(-1, &TimeZone::UTC), "1969-12-31 23:59:59");
    assert!(shown(i64::MAX, &TimeZone::UTC).starts_with("9999-12-30"));
    assert!(!shown(i64::MIN, &east).is_empty());
}

/// Templates `0` to `links`, each naming the next.
fn chain(links: usize) -> Shelf {
    let mut shelf = Shelf::default();
    for link in 0..=links {
        shelf.keys.insert(link.to_string(), ("T".into(), format!("{link} {{{{{}}}}}", link + 1)));
    }
    shelf
}

#[test]
fn templates_go_sixteen_deep() {
    assert!(chain(16).expand("0").text.ends_with(" 15 16 "));
    let deeper = chain(40).expand("0");
    assert!(deeper.text.ends_with(" 15 16 {{17}}"), "{}", deeper.text);
    assert!(!deeper.truncated);
}

#[test]
fn what_multiplies_is_cut_at_the_limit_and_says_so() {
    let mut shelf = Shelf::default();
    for link in 0..16 {
        shelf.keys.insert(link.to_string(), ("T".into(), format!("{{{{{}}}}}", link + 1).repeat(10)));
    }
    shelf.keys.insert("16".into(), (String::new(), "é😀".repeat(10)));
    let expanded = shelf.expand("0");
    assert!(expanded.truncated && expanded.text.ends_with(NOTICE));
    assert!((OUTPUT_BYTES - 3..=OUTPUT_BYTES).contains(&expanded.text.len()), "{}", expanded.text.len());
    assert!(shelf.found.len() == 16 && shelf.loaded.len() == 16, "each key is asked for once");
}

#[test]
fn what_multiplies_and_comes_to_nothing_ends_too() {
    let mut shelf = Shelf::default();
    for link in 0..16 {
        shelf.keys.insert(link.to_string(), ("T".into(), format!("{{{{{}}}}}", link + 1).repeat(1000)));
    }
    shelf.keys.insert("16".into(), ("T".into(), String::new()));
    let expanded = shelf.expand("0");
    assert_eq!((expanded.text.as_str(), expanded.truncated), (NOTICE, true));
}

#[test]
fn a_text_of_exactly_the_limit_is_whole_and_one_byte_more_is_cut() {
    let fits = "x".repeat(OUTPUT_BYTES);
    check(&[("top", "T", &fits)], &fits);
    let over = Shelf::new(&[("top", "T", "{{v}}"), ("v", "", &format!("{fits}y"))]).expand("top");
    assert!(over.truncated && over.text.len() == OUTPUT_BYTES);
}

#[test]
fn a_row_of_opening_braces_costs_no_more_than_its_length() {
    let braces = "{".repeat(OUTPUT_BYTES - 2);
    check(&[("top", "T", &braces)], &braces);
    let one_end = format!("{braces}}} ");
    check(&[("top", "T", &one_end)], &one_end);
    let closed = "{{a} ".repeat(OUTPUT_BYTES / 5);
    check(&[("top", "T", &closed)], &closed);
}

#[test]
fn the_value_of_a_key_that_is_not_shown_is_not_loaded() {
    let mut shelf = Shelf::new(&[("top", "TW", "{{h}}{{h}}{{i}}"), ("h", "H!", ""), ("i", "I!", "")]);
    assert_eq!(shelf.expand("top").text, "{{i}}");
    assert_eq!(shelf.loaded, [""; 0]);
}

#[test]
fn a_key_that_cannot_be_loaded_fails_the_whole() {
    let mut shelf = Shelf::new(&[("v", "!", "")]);
    let template = Template { name: "top", text: "a{{v}}", is_llm_writable: false };
    assert_eq!(expand(&template, &CLOCK, &mut shelf).unwrap_err(), OpError::no_key("v"));
}

#[test]
fn what_a_text_depends_on_is_named() {
    let keys = [
        ("top", "T", "{{$date}}{{ a b }}{{open}}{{gone}}{{hidden}}{{x\ny}}"),
        ("a b", "", ""),
        ("open", "TW", "{{top}}{{hidden}}{{secret}}{{lost}}{{a b}}"),
        ("hidden", "H", "h"),
        ("secret", "H", "s"),
    ];
    let expanded = Shelf::new(&keys).expand("top");
    assert_eq!(expanded.used.iter().collect::<Vec<_>>(), ["a b", "gone", "hidden", "open"]);
    assert_eq!(expanded.unseen.iter().collect::<Vec<_>>(), ["lost", "secret"]);
}

#[test]
fn the_tags_and_the_mode_decide_what_a_key_gives() {
    let mut key = Key::new(KeyType::Json, Stored::Inline("1".into()));
    key.system_tags = [SystemTag::ApplyTemplate, SystemTag::LlmWrite].into_iter().collect::<SystemTags>();
    let source = Source { key_type: KeyType::Json, is_template: true, is_llm_writable: true, may_read: false };
    assert_eq!(Source::of(&key, Mode::Use), source);
    assert_eq!(Source::of(&key, Mode::Edit), Source { may_read: true, ..source });
}

/// A text of markers, half markers and words over the names `a` to `f` and one that never exists.
fn text() -> impl Strategy<Value = String> {
    let piece = select(vec![
        "{{a}}",
        "{{b}}",
        "{{ c }}",
        "{{d}}",
        "{{e}}",
        "{{f}}",
        "{{gone}}",
        "{{$date}}",
        "{{",
        "}}",
        "{",
        "}",
        " ",
        "é",
    ]);
    vec(prop_oneof![4 => piece.prop_map(str::to_owned), 1 => ".{0,4}"], 0..6).prop_map(|pieces| pieces.concat())
}

/// Keys `a` to `f` of any kind, some missing.
fn shelf() -> impl Strategy<Value = Shelf> {
    let flags = select(vec!["", "J", "H", "W", "I", "IH", "F", "T", "TW", "TH", "THW", "TJ", "T", "TW"]);
    let key = (select(vec!["a", "b", "c", "d", "e", "f"]), flags, text());
    vec(key, 1..8).prop_map(|keys| {
        let keys = keys.into_iter().map(|(name, flags, text)| (name.to_owned(), (flags.to_owned(), text)));
        Shelf { keys: keys.collect(), ..Shelf::default() }
    })
}

fn run(shelf: &Shelf, text: &str, is_llm_writable: bool) -> Expanded {
    expand(&Template { name: "a", text, is_llm_writable }, &CLOCK, &mut shelf.clone()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_expansion_ends_within_the_limit(shelf in shelf(), text in text(), writable: bool, times in 1..500_usize) {
        let mut shelf = shelf;
        shelf.keys.values_mut().for_each(|(_, text)| *text = text.repeat(times));
        let expanded = run(&shelf, &text.repeat(times), writable);
        prop_assert!(expanded.text.len() <= OUTPUT_BYTES);
        prop_assert_eq!(expanded.truncated, expanded.text.ends_with(NOTICE));
    }

    #[test]
    fn a_text_without_markers_is_itself(shelf in shelf(), text in "[^}]{0,80}|[^{]{0,80}", writable: bool) {
        prop_assert_eq!(run(&shelf, &text, writable), Expanded { text, ..Expanded::default() });
    }

    #[test]
    fn a_plain_value_is_inserted_as_it_is(value in prop_oneof![text(), any::<String>()], name in "[^\\pC{}]{1,20}") {
        prop_assume!(KeyName::parse(name.trim()).is_ok() && name.trim() != "top");
        let text = format!("{{{{{name}}}}}");
        check(&[("top", "TW", &text), (name.trim(), "", &value)], &value);
    }

    #[test]
    fn to_a_template_that_a_model_may_write_a_hidden_key_is_an_absent_one(shelf in shelf(), text in text()) {
        let mut bare = shelf.clone();
        bare.keys.retain(|_, (flags, _)| !flags.contains('H'));
        prop_assert_eq!(run(&shelf, &text, true), run(&bare, &text, true));
    }

    #[test]
    fn what_is_not_named_as_used_changes_nothing(
        shelf in shelf(), text in text(), writable: bool, name in select(vec!["b", "c", "d", "e", "f"]), new in text(),
        flags in select(vec!["", "H", "T", "TH", "I"]),
    ) {
        let before = run(&shelf, &text, writable);
        let is_seen_by_then = !flags.contains('H');
        prop_assume!(!before.used.contains(name));
        prop_assume!(!is_seen_by_then || !before.unseen.contains(name));
        let mut changed = shelf.clone();
        changed.keys.insert(name.to_owned(), (flags.to_owned(), new));
        prop_assert_eq!(run(&changed, &text, writable), before);
    }

    #[test]
    fn plain_keys_are_what_a_simple_reading_says(pieces in vec((any::<bool>(), 0..5_usize), 0..30)) {
        let keys = Shelf::new(&[("0", "", "zero"), ("1", "", "{{0}}"), ("2", "J", "[2]"), ("3", "", "")]);
        let (mut text, mut expected) = (String::new(), String::new());
        for (is_marker, key) in pieces {
            if is_marker {
                write!(text, "{{{{{key}}}}}").unwrap();
                expected.push_str(keys.keys.get(&key.to_string()).map_or("", |(_, value)| value));
            } else {
                write!(text, "{key} ").unwrap();
                write!(expected, "{key} ").unwrap();
            }
        }
        prop_assert_eq!(run(&keys, &text, false).text, expected);
    }
}
