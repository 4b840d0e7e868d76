//! A question as the words that the index is asked for. Any of them will do: records with more of them, and with rarer
//! ones, come first. (All of a question's words together are in hardly any record.)

use crate::model::search::Term;

use super::{
    stop::{is_stop_pair, is_stop_word},
    words::{fold, normal, pairs, parts, pieces},
};

/// Most words that are asked for; the first ones.
const MOST: usize = 64;
/// Endings that whoever types a word may have begun.
const ENDINGS: [&str; 10] = ["ing", "ings", "ation", "ations", "ement", "ment", "ness", "ities", "ity", "able"];
/// Endings that are one word with another: those of the index's own stems, near enough to see what it found.
const LIKE: [&str; 15] =
    ["ations", "ation", "ments", "ment", "ness", "ingly", "ings", "ing", "ions", "ion", "ies", "ied", "es", "ed", "s"];

/// A word of a question, before the empty ones are dropped.
struct Asked {
    term: Term,
    is_empty: bool,
}

/// The words of a question. The last one, and each that is followed by `*`, is found as a beginning too.
pub fn question(query: &str) -> Vec<Term> {
    let query = normal(query);
    let pieces = pieces(&query);
    let mut asked = Vec::new();
    for (number, piece) in pieces.iter().enumerate() {
        let Some(word) = query.get(piece.place.clone()) else { continue };
        let is_starred = query.get(piece.place.end..).is_some_and(|rest| rest.starts_with('*'));
        let is_last = number + 1 == pieces.len();
        if piece.is_run {
            add_run(word, is_starred, &mut asked);
        } else {
            add_word(word, is_starred, is_last, &mut asked);
        }
    }
    let only_empty = asked.iter().all(|asked| asked.is_empty);
    let mut terms: Vec<Term> = Vec::new();
    for Asked { term, is_empty } in asked {
        if (only_empty || !is_empty) && !terms.contains(&term) {
            terms.push(term);
        }
    }
    terms.truncate(MOST);
    terms
}

fn add_word(word: &str, is_starred: bool, is_last: bool, asked: &mut Vec<Asked>) {
    let is_empty = !is_starred && is_stop_word(&fold(word));
    let mut add = |word: &str, is_prefix| {
        asked.push(Asked { term: Term { word: word.to_lowercase(), is_prefix }, is_empty });
    };
    add(word, false);
    for part in parts(word) {
        add(part, false);
    }
    if let Some(sibling) = sibling(word) {
        add(&sibling, false);
    }
    // A single letter begins every third word: only who asks for that gets it.
    if is_starred || is_last && word.chars().nth(1).is_some() {
        add(word, true);
        for whole in endings(word) {
            add(&whole, false);
        }
        if word.ends_with('y') {
            // The index asks for "deploi", with which no stem of "deployer" begins.
            for next in 'a'..='z' {
                add(&format!("{word}{next}"), true);
            }
        }
    }
}

/// The index's stems part what ends in y from its nouns: "deploy" becomes "deploi", "deployment" becomes "deploy".
fn sibling(word: &str) -> Option<String> {
    let verb = ["yments", "yment", "yer", "yers", "yable"].iter().find_map(|ending| word.strip_suffix(ending));
    match verb {
        Some(verb) => Some(format!("{verb}y")),
        None => word.strip_suffix('y').map(|_| format!("{word}ment")),
    }
}

/// A word with each ending that it has begun: the index holds stems, and "deployi" begins none.
fn endings(word: &str) -> Vec<String> {
    let begun = |ending: &str| {
        (1..ending.len()).rev().find_map(|length| {
            let (start, rest) = (ending.get(..length)?, ending.get(length..)?);
            (word.len() > 3.max(length + 1) && word.ends_with(start)).then(|| format!("{word}{rest}"))
        })
    };
    ENDINGS.iter().filter_map(|ending| begun(ending)).collect()
}

fn add_run(run: &str, is_starred: bool, asked: &mut Vec<Asked>) {
    let is_single = run.chars().nth(1).is_none();
    for word in pairs(run) {
        let is_empty = !is_starred && is_stop_pair(&word);
        // One character alone is found wherever it stands: each begins a word of the index.
        asked.push(Asked { term: Term { word, is_prefix: is_single }, is_empty });
    }
}

/// Whether a text has any of the words, as near as can be told without the index's stems.
pub fn is_found(terms: &[Term], text: &str) -> bool {
    let sought = Sought::all(terms);
    pieces(text)
        .iter()
        .any(|piece| text.get(piece.place.clone()).is_some_and(|word| !places(&sought, word, piece.is_run).is_empty()))
}

/// A word of a question, ready to be compared.
pub(super) struct Sought {
    /// As it stands in scripts without spaces.
    exact: String,
    folded: String,
    is_prefix: bool,
}

impl Sought {
    pub(super) fn all(terms: &[Term]) -> Vec<Self> {
        let sought =
            |term: &Term| Self { exact: term.word.clone(), folded: fold(&term.word), is_prefix: term.is_prefix };
        terms.iter().map(sought).collect()
    }

    fn is(&self, folded: &str) -> bool {
        folded == self.folded
            || self.is_prefix && folded.starts_with(&self.folded)
            || stem(folded) == stem(&self.folded)
    }
}

/// Where in a word or run the words of a question are, in characters, with the number of each.
pub(super) fn places(sought: &[Sought], word: &str, is_run: bool) -> Vec<(usize, usize)> {
    let numbered = sought.iter().enumerate();
    if is_run {
        let place = |(number, one): (usize, &Sought)| {
            let before = word.get(..word.find(one.exact.as_str())?)?;
            Some((before.chars().count(), number))
        };
        return numbered.filter_map(place).collect();
    }
    let mut found = Vec::new();
    let mut at = 0;
    for part in std::iter::once(word).chain(parts(word)) {
        let folded = fold(part);
        found.extend(numbered.clone().filter(|(_, one)| one.is(&folded)).map(|(number, _)| (at, number)));
        at += if part.len() == word.len() { 0 } else { part.chars().count() };
    }
    found
}

/// A word without its ending; short words stay as they are.
fn stem(word: &str) -> &str {
    let cut = LIKE.iter().find_map(|ending| word.strip_suffix(ending).filter(|stem| stem.len() >= 3));
    let stem = cut.unwrap_or(word);
    let mut letters = stem.chars().rev();
    let is_doubled =
        cut.is_some() && letters.next().is_some_and(|last| last.is_ascii() && letters.next() == Some(last));
    let stem = if is_doubled { stem.get(..stem.len() - 1).unwrap_or(stem) } else { stem };
    if stem.len() > 3 { stem.trim_end_matches(['e', 'y', 'i']) } else { stem }
}
