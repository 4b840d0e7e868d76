//! Order-preserving bytes: an index key compares as its value does.

/// Bytes of a signed number: big-endian with the sign flipped, so that -1 < 0 < 1 as bytes too.
pub fn number(value: i64) -> Vec<u8> {
    (value.cast_unsigned() ^ (1 << 63)).to_be_bytes().to_vec()
}

/// The number back, or `None` when the bytes are not one.
pub fn to_number(bytes: &[u8]) -> Option<i64> {
    let bytes: [u8; 8] = bytes.try_into().ok()?;
    Some((u64::from_be_bytes(bytes) ^ (1 << 63)).cast_signed())
}

/// The smallest text that is greater than every text beginning with `prefix`; `None` when there is none.
///
/// A prefix scan is `id >= prefix AND id < successor(prefix)`, compared as bytes.
pub fn successor(prefix: &str) -> Option<String> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        // The surrogate gap is skipped: no text contains those code points.
        let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(last as u32 + 1) };
        if let Some(next) = next {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_order_as_their_bytes(a: i64, b: i64) {
            prop_assert_eq!(a.cmp(&b), number(a).cmp(&number(b)));
            prop_assert_eq!(to_number(&number(a)), Some(a));
        }

        #[test]
        fn a_prefix_scan_finds_exactly_the_prefixed(prefix in "\\PC{0,4}", text in "\\PC{0,8}") {
            let inside = text >= prefix && successor(&prefix).is_none_or(|end| text < end);
            prop_assert_eq!(inside, text.starts_with(&prefix));
        }
    }

    #[test]
    fn the_last_code_point_carries() {
        assert_eq!(successor("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(successor("\u{10ffff}"), None);
        assert_eq!(successor("\u{d7ff}").as_deref(), Some("\u{e000}"));
    }
}
