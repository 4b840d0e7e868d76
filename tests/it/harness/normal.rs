//! What differs from run to run, replaced by what it is, so that the rest can be compared as a whole.

use super::Env;

/// A point in time as replies write it: RFC 3339, UTC, milliseconds.
const TIME: &str = "dddd-dd-ddTdd:dd:dd.dddZ";
/// An id.
const ID: &str = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";

/// Text with times, ids, ports, the test's folder and the program's version replaced.
pub(crate) fn normal(env: &Env, text: &str) -> String {
    let folder = env.path("").to_string_lossy().trim_end_matches('/').to_owned();
    let text = text.replace(&folder, "<dir>");
    let text = replace_shape(&text, TIME, "<time>");
    let text = replace_shape(&text, ID, "<id>");
    let text = replace_number_after(&text, "127.0.0.1:", "<port>");
    text.replace(env!("CARGO_PKG_VERSION"), "<version>")
}

/// What a person is shown, without colours, and with the times of the day and those told in words replaced.
pub(crate) fn shown(text: &str) -> String {
    let mut pieces = text.split("\u{1b}[");
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    pieces.for_each(|piece| plain.push_str(piece.split_once('m').expect("a colour ends with m").1));
    let plain = replace_shape(&plain, "dd:dd:dd", "<clock>");
    let mut told = plain.replace("just now", "<ago>");
    for seconds in (1..60).rev() {
        told = told.replace(&format!(" {seconds} seconds ago"), " <ago>");
    }
    told
}

/// Whether this is a time as replies write it.
pub(crate) fn is_time(text: &str) -> bool {
    text.len() == TIME.len() && matches_at(text.as_bytes(), TIME)
}

/// Replaces each occurrence of a shape, where `d` stands for a digit and `h` for a hexadecimal digit.
fn replace_shape(text: &str, shape: &str, by: &str) -> String {
    let mut rest = text;
    let mut out = String::with_capacity(text.len());
    while let Some(first) = rest.chars().next() {
        if matches_at(rest.as_bytes(), shape) {
            out.push_str(by);
            rest = rest.get(shape.len()..).unwrap_or_default();
        } else {
            out.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
    }
    out
}

fn matches_at(bytes: &[u8], shape: &str) -> bool {
    bytes.len() >= shape.len()
        && bytes.iter().zip(shape.bytes()).all(|(byte, expected)| match expected {
            b'd' => byte.is_ascii_digit(),
            b'h' => byte.is_ascii_hexdigit(),
            literal => *byte == literal,
        })
}

fn replace_number_after(text: &str, prefix: &str, by: &str) -> String {
    let mut pieces = text.split(prefix);
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let rest = piece.trim_start_matches(|c: char| c.is_ascii_digit());
        out.push_str(prefix);
        out.push_str(if rest.len() < piece.len() { by } else { "" });
        out.push_str(rest);
    }
    out
}

#[test]
fn what_differs_from_run_to_run_is_replaced() {
    let env = Env::new();
    let text = format!(
        "{} 2026-11-21T08:09:10.123Z 0ad0a8a6-2d6c-4b6e-9f0f-0e6c6b6f4a11 http://127.0.0.1:8787/mcp é",
        env.data().display()
    );
    assert_eq!(normal(&env, &text), "<dir>/data <time> <id> http://127.0.0.1:<port>/mcp é");
}

#[test]
fn a_time_without_milliseconds_is_none() {
    assert!(is_time("2026-11-21T08:09:10.123Z"));
    for other in ["2026-11-21T08:09:10Z", "2026-11-21T08:09:10.123+00:00", "2026-11-21 08:09:10.123Z", ""] {
        assert!(!is_time(other), "{other}");
    }
}
