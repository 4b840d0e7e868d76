//! Times, people and values in the words and on the lines that a person reads.

use serde_json::Value;

/// How much of a value a line shows.
pub(super) const PREVIEW_CHARACTERS: usize = 72;

/// How long ago, in the largest unit that fits; a day after a month.
pub(super) fn ago(now_ms: i64, at_ms: i64) -> String {
    const UNITS: [(i64, &str); 4] = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let seconds = now_ms.saturating_sub(at_ms) / 1_000;
    if seconds < 5 {
        return "just now".into();
    }
    if seconds >= 31 * 86_400 {
        let time = crate::model::time::rfc3339(at_ms);
        return time.split('T').next().unwrap_or_default().to_owned();
    }
    let (size, unit) = UNITS.into_iter().find(|(size, _)| seconds >= *size).unwrap_or((1, "second"));
    let count = seconds / size;
    format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" })
}

/// Who it was, by the actor of a reply: the program, and the principal where that is not simply this machine's user.
pub(super) fn who(actor: Option<&Value>) -> String {
    let part = |name: &str| actor.and_then(|actor| actor.get(name)).and_then(Value::as_str).unwrap_or_default();
    match (part("client"), part("principal")) {
        ("", principal) => principal.to_owned(),
        (client, "" | "local") => client.to_owned(),
        (client, principal) => format!("{principal} through {client}"),
    }
}

/// The beginning of a text on one line. Whoever wrote it does not steer the terminal: no control character stays.
pub(super) fn preview(text: &str) -> String {
    // Only what may be shown is looked at: the rest may be megabytes.
    let beginning: String = text.trim_start().chars().take(2 * PREVIEW_CHARACTERS).collect();
    let line = harmless(&beginning).replace('\n', " ");
    let mut shown: String = line.chars().take(PREVIEW_CHARACTERS).collect();
    if line.chars().nth(PREVIEW_CHARACTERS).is_some() {
        shown.push('…');
    }
    shown.trim_end().to_owned()
}

/// A text with its control characters made visible, but for line breaks; a tab becomes a space.
pub(super) fn harmless(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' => '\n',
        '\t' => ' ',
        // The pictures of the first 32, and of delete.
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        c if c.is_control() || is_invisible_control(c) => '\u{fffd}',
        c => c,
    };
    text.replace("\r\n", "\n").chars().map(shown).collect()
}

/// Characters that turn the direction of a line around, so that it reads as something else.
fn is_invisible_control(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `1536` as `1.5 KiB`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 3] = ["KiB", "MiB", "GiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let mut tenths = bytes.saturating_mul(10) / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        (tenths, unit) = (tenths / 1024, unit + 1);
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS.get(unit).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_time_is_told_in_its_largest_unit() {
        let now = 1_795_254_225_120;
        let told = [-10, 0, 4, 5, 59, 60, 3_599, 7_200, 86_400, 30 * 86_400].map(|ago_s| ago(now, now - ago_s * 1_000));
        let expected = [
            "just now",
            "just now",
            "just now",
            "5 seconds ago",
            "59 seconds ago",
            "1 minute ago",
            "59 minutes ago",
            "2 hours ago",
            "1 day ago",
            "30 days ago",
        ];
        assert_eq!(told, expected);
        assert_eq!(ago(now, now - 40 * 86_400_000), "2026-10-12");
    }

    #[test]
    fn a_person_is_named_by_the_program_unless_another_principal_used_it() {
        assert_eq!(who(Some(&json!({"principal": "local", "client": "cursor"}))), "cursor");
        assert_eq!(who(Some(&json!({"principal": "mira", "client": "cursor"}))), "mira through cursor");
        assert_eq!(who(Some(&json!({"principal": "system", "client": ""}))), "system");
    }

    #[test]
    fn a_preview_is_one_harmless_line() {
        assert_eq!(preview("one\r\n\ttwo\n"), "one  two");
        assert_eq!(preview("\u{1b}[31mred\u{7}\u{9b}\u{202e}"), "␛[31mred␇��");
        assert_eq!(preview(&"é".repeat(72)), "é".repeat(72));
        assert_eq!(preview(&"é".repeat(73)), format!("{}…", "é".repeat(72)));
    }

    #[test]
    fn a_size_has_a_unit() {
        assert_eq!([0, 1023, 1536, 26_214_400].map(size), ["0 bytes", "1023 bytes", "1.5 KiB", "25.0 MiB"]);
    }
}
