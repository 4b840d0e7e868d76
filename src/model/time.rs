//! Times as replies show them. Inside, a time is milliseconds since 1970 in UTC.

use jiff::Timestamp;

/// RFC 3339 in UTC with milliseconds, such as `2026-11-21T09:30:00.000Z`.
///
/// A value outside the calendar's range is shown as its number.
pub fn rfc3339(at_ms: i64) -> String {
    Timestamp::from_millisecond(at_ms).map_or_else(|_| at_ms.to_string(), |time| format!("{time:.3}"))
}

/// Reads what [`rfc3339`] shows, or any time of that form.
pub fn from_rfc3339(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_always_three_digits() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(1_795_254_225_120), "2026-11-21T09:43:45.120Z");
    }

    #[test]
    fn what_is_shown_is_read_again() {
        for at in [0, 1, 1_795_254_225_120] {
            assert_eq!(from_rfc3339(&rfc3339(at)), Some(at));
        }
        assert_eq!(from_rfc3339("soon"), None);
    }
}
