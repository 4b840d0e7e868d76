//! Tables of what becomes of texts, questions and values.

use proptest::prelude::*;

use super::*;
use crate::model::{key::KeyType, search::Term};

fn asked(query: &str) -> Vec<String> {
    question(query).into_iter().map(|Term { word, is_prefix }| word + if is_prefix { "*" } else { "" }).collect()
}

#[test]
fn texts_become_words() {
    let table = [
        ("Hello, World!", "Hello World"),
        ("api_key/v2-beta", "api key v2 beta"),
        ("userPreferences", "userPreferences user Preferences"),
        ("HTTPServer", "HTTPServer"),
        ("Straße", "Strasse"),
        ("ＡＢＣ １２", "ABC 12"),
        ("東京都", "東京 京都 都"),
        ("猫", "猫"),
        ("GitHubの設定", "GitHub Git Hub の設 設定 定"),
        ("デプロイ手順", "デプ プロ ロイ イ手 手順 順"),
        ("ﾃﾞﾌﾟﾛｲ", "デプ プロ ロイ イ"),
        ("배포 절차", "배포 포 절차 차"),
        ("हिन्दी", "हिन्दी"),
        ("  ", ""),
    ];
    for (text, words) in table {
        assert_eq!(spread(text).trim_end(), words, "{text}");
    }
}

#[test]
fn questions_become_words() {
    let table: &[(&str, &[&str])] = &[
        ("What is the deploy command?", &["deploy", "deployment", "command", "command*"]),
        ("Wie heißt die Datenbank", &["heisst", "datenbank", "datenbank*"]),
        ("l'adresse du serveur", &["adresse", "serveur", "serveur*"]),
        ("auth* server", &["auth", "auth*", "server", "server*"]),
        ("the", &["the", "the*"]),
        ("to be or not the*", &["not", "the", "the*"]),
        ("x", &["x"]),
        ("x*", &["x", "x*"]),
        ("runni", &["runni", "runni*", "running", "runnings", "runnities", "runnity"]),
        ("\"a\" OR b* NEAR(c) -d:e", &["b", "b*", "near", "e"]),
        ("デプロイの手順は何ですか", &["デプ", "プロ", "ロイ", "イの", "の手", "手順", "順は", "は何"]),
        ("数据库的密码是什么?", &["数据", "据库", "库的", "的密", "密码", "码是"]),
        ("猫", &["猫*"]),
        // The last word may be half typed: "usernam" with the endings that it may have begun.
        ("userName", &["username", "user", "name", "username*", "usernamement", "usernament"]),
        ("?!", &[]),
    ];
    for (query, words) in table {
        assert_eq!(asked(query), *words, "{query}");
    }
}

#[test]
fn json_is_searched_by_its_names_and_values() {
    assert_eq!(plain(KeyType::Json, r#"{"city":"K\u00f6ln","n":[1,true,null]}"#), "city: Köln, n: 1, true,");
    assert_eq!(plain(KeyType::Json, r#"{"cut":"one\ntwo"#), r#"{"cut":"one two"#);
    assert_eq!(plain(KeyType::Text, "as it is"), "as it is");
    assert_eq!(plain(KeyType::File, "QUJD"), "");
}

#[test]
fn a_snippet_shows_where_most_of_the_words_are() {
    let text = format!("{} the port is\n\t5432 on the database host {}", "lead ".repeat(60), "tail ".repeat(60));
    let shown = snippet(&text, &question("database port"));
    assert!(shown.contains("the port is 5432 on the database host"), "{shown}");
    assert!(shown.starts_with('…') && shown.ends_with('…'));
    assert_eq!(snippet("a\u{0}b\u{202e}c\r\nd", &[]), "a b c d");
    assert!(snippet(&text, &question("nothing")).starts_with("lead lead"));
    let text = format!("{}配置文件在这里{}", "前".repeat(300), "后".repeat(300));
    assert!(snippet(&text, &question("配置文件")).contains("配置文件在这里"));
}

#[test]
fn what_a_text_has_is_told_without_the_index() {
    let table = [
        ("deploy", "Deployments run at noon", true),
        ("running", "it runs", true),
        ("conf", "the configuration", true),
        ("cafe", "the Café", true),
        ("preferences", "userPreferences", true),
        ("東京", "私は東京にいる", true),
        ("running", "a ruin", false),
        ("東京", "京都", false),
    ];
    for (query, text, expected) in table {
        assert_eq!(is_found(&question(query), text), expected, "{query} in {text}");
    }
}

proptest! {
    #[test]
    fn whatever_it_is_nothing_breaks(text in "\\PC{0,400}", query in "\\PC{0,60}") {
        let terms = question(&query);
        prop_assert!(terms.iter().all(|term| !term.word.is_empty() && !term.word.contains(['"', ' ', '*'])));
        let shown = snippet(&text, &terms);
        prop_assert!(shown.chars().count() <= SNIPPET_CHARACTERS && !shown.chars().any(char::is_control));
        // The words of the index are as they are: taking them in again changes nothing.
        let words = spread(&text);
        prop_assert!(words.chars().all(|c| c == ' ' || c.is_alphanumeric() || unicode_normalization::char::is_combining_mark(c)));
    }

    #[test]
    fn a_word_of_a_text_is_found_in_it(words in prop::collection::vec("[a-zA-Zéöß]{2,9}", 1..20), pick: prop::sample::Index) {
        prop_assert!(is_found(&question(&words[pick.index(words.len())]), &words.join(" ")));
    }
}
