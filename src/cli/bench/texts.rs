//! Texts that look like notes to an index: a few words in most of them, many words in few.

/// Words there are.
const WORDS: u64 = 5_000;
/// Words of a text.
const LENGTH: u64 = 30;
const SYLLABLES: [&str; 16] =
    ["ba", "do", "fi", "ga", "ku", "le", "mo", "na", "pe", "ri", "sa", "tu", "vo", "xi", "ya", "ze"];

/// The text of a number, the same in each run.
pub(super) fn text(number: u64) -> String {
    let words = (0..LENGTH).map(|place| word(skewed(mixed(number * LENGTH + place))));
    words.collect::<Vec<_>>().join(" ")
}

/// A question of three words: one that is in many texts, one in some, one in few.
pub(super) fn question(number: u64) -> [String; 3] {
    let of = |from: u64, upto: u64, salt: u64| word(from + mixed(number * 3 + salt) % (upto - from));
    [of(0, 50, 0), of(50, 500, 1), of(500, WORDS, 2)]
}

/// A word of three syllables; no stemmer finds an ending in it.
fn word(rank: u64) -> String {
    let syllable = |digit: u64| SYLLABLES.get(usize::try_from(digit % 16).unwrap_or(0)).copied().unwrap_or_default();
    [syllable(rank), syllable(rank / 16), syllable(rank / 256)].concat() + "k"
}

/// A rank, low ones far more often: the cube of an even chance.
fn skewed(random: u64) -> u64 {
    let chance = random % 1_000;
    chance * chance * chance * WORDS / 1_000_000_000
}

/// A number that looks random (the finaliser of `SplitMix64`, Steele et al. 2014).
fn mixed(number: u64) -> u64 {
    let mut x = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn texts_differ_and_ask_for_words_that_are_there() {
        let texts: BTreeSet<String> = (0..1_000).map(text).collect();
        assert_eq!(texts.len(), 1_000);
        let words: BTreeSet<&str> = texts.iter().flat_map(|text| text.split(' ')).collect();
        let asked: Vec<String> = (0..100).flat_map(question).collect();
        let known = asked.iter().filter(|word| words.contains(word.as_str())).count();
        assert!(known > 150, "{known} of 300");
    }
}
