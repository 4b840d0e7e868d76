//! Medians, percentiles and ratios of what was measured.
//! A figure that could not be measured is `None` from here to the printed `-`.

use std::time::Duration;

/// The value below which `percent` of the samples lie (nearest rank), `None` without samples.
pub(super) fn percentile(samples: &[f64], percent: usize) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

/// The middle sample, or the mean of the middle two.
pub(super) fn median(samples: &[f64]) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(*upper);
    }
    let lower = sorted.get(sorted.len() / 2 - 1)?;
    Some(f64::midpoint(*lower, *upper))
}

/// The median of those samples that could be measured.
pub(super) fn median_known(samples: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    median(&samples.into_iter().flatten().collect::<Vec<_>>())
}

/// `part / base`; `None` when either is unknown or the base is zero.
pub(super) fn ratio(part: Option<f64>, base: Option<f64>) -> Option<f64> {
    let base = base.filter(|b| *b > 0.0)?;
    Some(part? / base)
}

/// The median of the ratios of pairs measured side by side: a machine that slows down for one
/// round slows both halves of its pair, so this holds still where a ratio of medians moves.
pub(super) fn median_ratio(parts: &[Option<f64>], bases: &[Option<f64>]) -> Option<f64> {
    median_known(parts.iter().zip(bases).map(|(part, base)| ratio(*part, *base)))
}

/// How many of `count` went by in a second.
pub(super) fn per_second(count: u64, elapsed: Duration) -> Option<f64> {
    ratio(Some(number(count)), Some(elapsed.as_secs_f64()))
}

/// Microseconds.
pub(super) fn micros(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}

/// Milliseconds.
pub(super) fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

/// A count as a figure.
#[expect(clippy::cast_precision_loss, reason = "no count here comes near 2^52")]
pub(super) fn number(count: u64) -> f64 {
    count as f64
}

/// `10000` as `10,000`.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle_or_the_mean_of_the_middle_two() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 9.0]), Some(3.0));
        assert_eq!(median_known([Some(5.0), None, Some(1.0), Some(2.0)]), Some(2.0));
        assert_eq!(median_known([None]), None);
    }

    #[test]
    fn a_percentile_is_a_sample_by_nearest_rank() {
        let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&hundred, 50), Some(50.0));
        assert_eq!(percentile(&hundred, 99), Some(99.0));
        assert_eq!(percentile(&hundred, 100), Some(100.0));
        assert_eq!(percentile(&hundred, 0), Some(1.0));
        assert_eq!(percentile(&[7.0], 99), Some(7.0));
        assert_eq!(percentile(&[], 99), None);
    }

    #[test]
    fn an_unknown_or_zero_base_has_no_ratio() {
        assert_eq!(ratio(Some(6.0), Some(4.0)), Some(1.5));
        assert_eq!(ratio(Some(6.0), Some(0.0)), None);
        assert_eq!(ratio(None, Some(4.0)), None);
        assert_eq!(per_second(10, Duration::from_millis(500)), Some(20.0));
        assert_eq!(per_second(10, Duration::ZERO), None);
    }

    #[test]
    fn pairs_are_divided_before_their_median_is_taken() {
        let parts = [Some(10.0), Some(40.0), None];
        let bases = [Some(5.0), Some(10.0), Some(1.0)];
        assert_eq!(median_ratio(&parts, &bases), Some(3.0));
    }

    #[test]
    fn thousands_are_grouped() {
        let texts = [0, 999, 1_000, 100_000, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "100,000", "1,234,567"]);
    }
}
