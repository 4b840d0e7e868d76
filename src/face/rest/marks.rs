//! What headers say of states and parts: tags of states, preconditions, ranges, and the seq from which to go on. A number is
//! digits and nothing else.

use std::ops::RangeInclusive;

use axum::http::{HeaderMap, HeaderValue, header};

use crate::model::error::OpError;

/// A whole number: digits alone, which `parse` takes with a sign too.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// The seq after which a follower goes on: the last event that it has, else what the query says.
pub(super) fn since(query: Option<&str>, headers: &HeaderMap) -> Result<Option<u64>, OpError> {
    let last = headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default());
    let asked = query.unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("since="));
    let Some(text) = last.or(asked) else { return Ok(None) };
    number(text).map(Some).ok_or_else(|| OpError::invalid("since", "it is the seq of a change", text))
}

/// A text as a header.
pub(super) fn told(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("application/octet-stream"))
}

/// Whether a list of tags names this one.
pub(super) fn names(list: &HeaderValue, tag: &str) -> bool {
    let list = list.to_str().unwrap_or_default();
    list.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

/// What a `Range` header asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Nothing that is served: the whole value answers it.
    Whole,
    /// These bytes.
    Range(RangeInclusive<u64>),
    /// Bytes beyond the value.
    Nothing,
}

/// The part of a value of this length.
pub(super) fn part(header: &HeaderValue, length: u64) -> Part {
    let Some((first, last)) = bounds(header) else { return Part::Whole };
    let last_byte = length.saturating_sub(1);
    match (first, last) {
        (None, Some(count)) if count > 0 && length > 0 => Part::Range(length.saturating_sub(count)..=last_byte),
        (Some(start), end) if start < length => Part::Range(start..=end.unwrap_or(u64::MAX).min(last_byte)),
        _ => Part::Nothing,
    }
}

/// The two numbers of `bytes=a-b`, one of which may be left out.
fn bounds(header: &HeaderValue) -> Option<(Option<u64>, Option<u64>)> {
    let (first, last) = header.to_str().ok()?.strip_prefix("bytes=")?.split_once('-')?;
    let bound = |text: &str| if text.is_empty() { Some(None) } else { number(text).map(Some) };
    let (first, last) = (bound(first.trim())?, bound(last.trim())?);
    let is_sound = match (first, last) {
        (Some(first), Some(last)) => first <= last,
        (None, None) => false,
        _ => true,
    };
    is_sound.then_some((first, last))
}

/// `If-Match: "7"` asks for that version, `If-None-Match: *` for no key at all.
pub(super) fn precondition(headers: &HeaderMap) -> Result<Option<u64>, OpError> {
    if let Some(tag) = headers.get(header::IF_MATCH) {
        let text = tag.to_str().unwrap_or_default();
        let version = text.trim().strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        return match version.and_then(number) {
            Some(version) => Ok(Some(version)),
            None => Err(OpError::invalid("If-Match", "it is the ETag of an earlier answer, such as \"7\"", text)),
        };
    }
    match headers.get(header::IF_NONE_MATCH) {
        None => Ok(None),
        Some(tag) if tag.as_bytes() == b"*" => Ok(Some(0)),
        Some(tag) => {
            let rule = "a write takes * here, for a key that must not be there yet; If-Match names a version";
            Err(OpError::invalid("If-None-Match", rule, tag.to_str().unwrap_or_default()))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_are_cut_to_the_value() {
        let part = |text: &str| part(&HeaderValue::from_str(text).unwrap(), 10);
        assert_eq!(part("bytes=2-5"), Part::Range(2..=5));
        assert_eq!(part("bytes=2-"), Part::Range(2..=9));
        assert_eq!(part("bytes=-3"), Part::Range(7..=9));
        assert_eq!(part("bytes=-30"), Part::Range(0..=9));
        assert_eq!(part("bytes=9-99"), Part::Range(9..=9));
        assert_eq!(part("bytes=10-"), Part::Nothing);
        assert_eq!(part("bytes=-0"), Part::Nothing);
        for other in ["bytes=5-2", "bytes=1-2,4-5", "lines=1-2", "bytes=a-b", "bytes=-"] {
            assert_eq!(part(other), Part::Whole, "{other}");
        }
    }

    fn with(name: header::HeaderName, value: &HeaderValue) -> HeaderMap {
        HeaderMap::from_iter([(name, value.clone())])
    }

    fn value(text: &str) -> HeaderValue {
        HeaderValue::from_str(text).unwrap()
    }

    /// Any bytes that a header can have.
    fn any_value() -> impl Strategy<Value = HeaderValue> {
        let likely = "(W/)?\"?[0-9+*, -]{0,25}\"?|bytes=[0-9 +,-]{0,40}";
        let bytes = prop::collection::vec(prop_oneof![Just(b'\t'), 32..127_u8, 128..=255_u8], 0..60);
        prop_oneof![
            likely.prop_map(|text| value(&text)),
            bytes.prop_filter_map("a header", |bytes| HeaderValue::from_bytes(&bytes).ok()),
        ]
    }

    proptest! {
        #[test]
        fn any_header_is_read_or_refused(given in any_value(), length: u64) {
            if let Part::Range(range) = part(&given, length) {
                prop_assert!(range.start() <= range.end() && *range.end() < length);
            }
            names(&given, "\"7\"");
            for name in [header::IF_MATCH, header::IF_NONE_MATCH] {
                let read = precondition(&with(name.clone(), &given));
                let text = given.to_str().unwrap_or_default();
                match read {
                    Ok(Some(0)) if name == header::IF_NONE_MATCH => prop_assert_eq!(text, "*"),
                    Ok(Some(version)) => prop_assert!(text.contains(&version.to_string()) || text.contains("\"0")),
                    Ok(None) => prop_assert!(false, "a precondition was passed over"),
                    Err(error) => prop_assert_eq!(error.code(), "invalid_argument"),
                }
            }
            let after = since(None, &with(header::HeaderName::from_static("last-event-id"), &given));
            let digits = !given.is_empty() && given.as_bytes().iter().all(u8::is_ascii_digit);
            prop_assert!(digits || after.is_err(), "{given:?}");
        }

        #[test]
        fn what_was_told_is_understood_and_what_is_nearly_so_is_not(version: u64) {
            let tag = format!("\"{version}\"");
            let read = |text: &str| precondition(&with(header::IF_MATCH, &value(text))).ok().flatten();
            prop_assert_eq!(read(told(&tag).to_str().unwrap()), Some(version));
            for near in [format!("\"+{version}\""), format!("\"{version}"), format!("{version}"), format!("W/{tag}"),
                format!("\"{version} \""), format!("{tag}, {tag}"), format!("\"-{version}\""), format!("\"{version}.0\"")] {
                prop_assert_eq!(read(&near), None, "{}", near);
            }
            let known = |text: &str| names(&value(text), &tag);
            assert!(known(&tag) && known(&format!("W/{tag}")) && known(&format!("\"x\", {tag}")) && known("*"));
            assert!(!known(&format!("W/W/{tag}")) && !known(&version.to_string()));
            let after = |query: &str| since(Some(query), &HeaderMap::new());
            prop_assert_eq!(after(&format!("a=b&since={version}")).unwrap(), Some(version));
            assert!(after(&format!("since=+{version}")).is_err() && after("since=").is_err());
            prop_assert_eq!(after("").unwrap(), None);
        }

        #[test]
        fn a_range_of_a_value_is_the_bytes_that_it_names(first in 0..1000_u64, count in 1..1000_u64, length in 1..2000_u64) {
            let of = |text: String| part(&value(&text), length);
            let last = first + count - 1;
            let expected = if first < length { Part::Range(first..=last.min(length - 1)) } else { Part::Nothing };
            prop_assert_eq!(of(format!("bytes={first}-{last}")), expected);
            prop_assert_eq!(of(format!("bytes=-{count}")), Part::Range(length.saturating_sub(count)..=length - 1));
            for near in [format!("bytes=+{first}-{last}"), format!("byte={first}-{last}"), format!("bytes={first}"),
                format!("bytes={last}-{first}-"), format!("Bytes={first}-{last}")] {
                prop_assert_eq!(of(near), Part::Whole);
            }
        }
    }
}
