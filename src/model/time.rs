//! Times as replies show them. Inside, a time is milliseconds since 1970 in UTC.

use jiff::Timestamp;

/// RFC 3339 in UTC with milliseconds, such as `2026-11-21T09:30:00.000Z`.
///
/// A value outside the calendar's range is shown as its number.
pub fn rfc3339(at_ms: i64) -> String {
    Timestamp::from_millisecond(at_ms).map_or_else(|_| at_ms.to_string(), |time| format!("{time:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_always_three_digits() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(1_795_254_225_120), "2026-11-21T09:43:45.120Z");
    }
}
