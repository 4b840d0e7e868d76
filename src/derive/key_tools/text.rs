//! Text of users on its way into a definition: only what a reader can see, on one line, and not too long.

/// Shows that a text was cut.
const CUT: char = '…';

/// The text on one line, without characters that cannot be seen or that change how others are shown, at most
/// `limit` characters with the `…` that stands for what was cut.
pub fn clean(text: &str, limit: usize) -> String {
    let mut shown: Vec<char> = Vec::new();
    for c in text.chars() {
        if c.is_whitespace() {
            // Line and paragraph separators among them: a text must not look like two.
            if shown.last().is_some_and(|last| *last != ' ') {
                shown.push(' ');
            }
        } else if !is_unseen(c) {
            shown.push(c);
        }
        // One more may be a space at the end, one more shows that there is a rest.
        if shown.len() > limit.saturating_add(1) {
            break;
        }
    }
    if shown.last() == Some(&' ') {
        shown.pop();
    }
    if shown.len() > limit {
        shown.truncate(limit.saturating_sub(1));
        while shown.last() == Some(&' ') {
            shown.pop();
        }
        if limit > 0 {
            shown.push(CUT);
        }
    }
    shown.into_iter().collect()
}

/// A cleaned text cut so that it takes at most `bytes` inside a JSON string.
pub(super) fn within(text: &str, bytes: usize) -> String {
    if json_bytes(text) <= bytes {
        return text.to_owned();
    }
    let mut left = bytes.saturating_sub(CUT.len_utf8());
    let fits = |c: &char| {
        let rest = left.checked_sub(json_width(*c));
        left = rest.unwrap_or(left);
        rest.is_some()
    };
    let mut kept: String = text.chars().take_while(fits).collect();
    kept.truncate(kept.trim_end().len());
    if bytes >= CUT.len_utf8() {
        kept.push(CUT);
    }
    kept
}

/// What a cleaned text takes inside a JSON string.
pub(super) fn json_bytes(text: &str) -> usize {
    text.chars().map(json_width).sum()
}

fn json_width(c: char) -> usize {
    if matches!(c, '"' | '\\') { 2 } else { c.len_utf8() }
}

/// Whether a text contains a character that [`clean`] takes away or replaces, other than by cutting.
pub(super) fn is_hostile(text: &str) -> bool {
    text.chars().any(|c| is_unseen(c) || (c != ' ' && c.is_whitespace()))
}

/// Characters without a shape of their own. They can hide a text from a person that a model still reads, or
/// show it in another order: controls, bidirectional and other format characters, fillers that are blank,
/// variation selectors, language tags, noncharacters.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fdd0}'..='\u{fdef}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
        || (c as u32) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_what_can_be_seen_stays_and_on_one_line() {
        for (text, expected) in [
            ("plain", "plain"),
            ("  two \r\n lines\t", "two lines"),
            ("a\u{2028}b\u{2029}c\u{85}d", "a b c d"),
            ("\u{202e}gnp.exe\u{2066}x\u{2069}", "gnp.exex"),
            ("z\u{200b}e\u{200d}r\u{feff}o\u{ad}", "zero"),
            ("nul\0bell\u{7}", "nulbell"),
            ("tag\u{e0041}\u{e0042}\u{fe0f}s", "tags"),
            ("end\u{ffff}\u{1ffff}", "end"),
            ("clé 名 😀", "clé 名 😀"),
            ("\u{200b}\u{3164}", ""),
        ] {
            assert_eq!(clean(text, 300), expected, "{text:?}");
        }
    }

    #[test]
    fn a_long_text_is_cut_visibly() {
        assert_eq!(clean("abcdef", 6), "abcdef");
        assert_eq!(clean("abcdefg", 6), "abcde…");
        assert_eq!(clean("abcd efg", 6), "abcd…");
        assert_eq!(clean("abcdef \u{200b}\n", 6), "abcdef");
        assert_eq!(clean("ab", 1), "…");
        assert_eq!(clean("ab", 0), "");
        assert_eq!(within("say \"hi\"", 10), "say \"hi\"");
        assert_eq!(within("say \"hi\"", 9), "say \"…");
        assert_eq!(within("名名名", 8), "名…");
        assert_eq!(within("名", 2), "");
    }

    proptest! {
        #[test]
        fn cleaning_is_bounded_and_done_once(text in any::<String>(), limit in 0..40_usize) {
            let once = clean(&text, limit);
            prop_assert!(once.chars().count() <= limit);
            prop_assert!(!is_hostile(&once), "{once:?}");
            prop_assert_eq!(clean(&once, limit), once);
        }

        #[test]
        fn a_cut_text_takes_at_most_its_bytes(text in "[ab\"\\\\é名😀 ]{0,30}", bytes in 0..60_usize) {
            let text = clean(&text, 30);
            let quoted = serde_json::Value::from(text.as_str()).to_string();
            prop_assert_eq!(json_bytes(&text) + 2, quoted.len());
            prop_assert!(json_bytes(&within(&text, bytes)) <= bytes);
        }
    }
}
