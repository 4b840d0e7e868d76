//! Text cut into words: where there are spaces by them, where there are none into pairs of characters.

use std::ops::Range;

use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

/// A piece of a text that is one word, or a run of a script that is written without spaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// Where it is, in bytes.
    pub(super) place: Range<usize>,
    /// Its script has no spaces.
    pub(super) is_run: bool,
}

/// The form in which texts are indexed and asked for: wide and narrow letters are one, and so are ß and ss.
pub(super) fn normal(text: &str) -> String {
    text.nfkc().flat_map(|c| if c == 'ß' { ['s', 's'] } else { [c, '\0'] }).filter(|c| *c != '\0').collect()
}

/// A word as it is compared: small letters without accents.
pub(super) fn fold(word: &str) -> String {
    if word.is_ascii() {
        return word.to_ascii_lowercase();
    }
    normal(word).nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect()
}

/// Whether a character is of a script that is written without spaces between words, or with spaces that do not divide
/// them as a search needs it (Korean).
pub(super) fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{0e01}'..='\u{0eff}' // Thai, Lao
        | '\u{1000}'..='\u{109f}' // Burmese
        | '\u{1780}'..='\u{17dd}' // Khmer
        | '\u{1100}'..='\u{11ff}' | '\u{3130}'..='\u{318f}' | '\u{ac00}'..='\u{d7af}' // Hangul
        | '\u{3005}'..='\u{3007}' | '\u{3041}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' // Kana
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}' // Han
    )
}

/// The words and runs of a text, in order.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let mut found: Vec<Piece> = Vec::new();
    for (at, c) in text.char_indices() {
        if !c.is_alphanumeric() && !is_combining_mark(c) {
            continue;
        }
        let (is_run, end) = (is_unspaced(c), at + c.len_utf8());
        match found.last_mut() {
            Some(last) if last.place.end == at && last.is_run == is_run => last.place.end = end,
            _ => found.push(Piece { place: at..end, is_run }),
        }
    }
    found
}

/// The pairs of neighbours in a run; a run of one character is itself.
pub(super) fn pairs(run: &str) -> Vec<String> {
    let characters: Vec<char> = run.chars().collect();
    match characters.as_slice() {
        [only] => vec![only.to_string()],
        many => many.windows(2).map(|pair| pair.iter().collect()).collect(),
    }
}

/// The parts of a name like `userPreferences`; nothing for a word of one part.
pub(super) fn parts(word: &str) -> Vec<&str> {
    let mut cuts = vec![0];
    let mut before = None;
    for (at, c) in word.char_indices() {
        if c.is_uppercase() && before.is_some_and(char::is_lowercase) {
            cuts.push(at);
        }
        before = Some(c);
    }
    if cuts.len() == 1 {
        return Vec::new();
    }
    cuts.push(word.len());
    cuts.windows(2).filter_map(|cut| word.get(*cut.first()?..*cut.last()?)).collect()
}

/// A text as the index takes it: words with spaces between them. A run becomes its pairs and its last character, so
/// that each of its characters begins a word.
pub fn spread(text: &str) -> String {
    let text = normal(text);
    let mut spread = String::with_capacity(text.len());
    let mut add = |word: &str| {
        spread.push_str(word);
        spread.push(' ');
    };
    for piece in pieces(&text) {
        let Some(word) = text.get(piece.place) else { continue };
        if piece.is_run {
            let pairs = pairs(word);
            let last = word.chars().next_back().filter(|_| word.chars().nth(1).is_some());
            for pair in pairs {
                add(&pair);
            }
            if let Some(last) = last {
                add(last.encode_utf8(&mut [0; 4]));
            }
        } else {
            add(word);
            for part in parts(word) {
                add(part);
            }
        }
    }
    spread
}
