//! The piece of a value that shows why it was found: plain text on one line.

use std::collections::BTreeSet;

use crate::model::search::Term;

use super::{
    question::{self, Sought},
    words::pieces,
};

/// Most characters of a snippet.
pub const SNIPPET_CHARACTERS: usize = 160;
/// So many characters come before the first word that was found.
const LEAD: usize = 30;

/// The piece of a text with most of the words, or its beginning.
pub fn snippet(text: &str, terms: &[Term]) -> String {
    let text = one_line(text);
    let characters: Vec<char> = text.chars().collect();
    if characters.len() <= SNIPPET_CHARACTERS {
        return text;
    }
    let found = places(&text, terms);
    let inside = SNIPPET_CHARACTERS - LEAD - 2;
    let mut best = (0, 0);
    for (number, (at, _)) in found.iter().enumerate() {
        let near = found.iter().skip(number).take_while(|(other, _)| *other < at + inside);
        let words = near.map(|(_, term)| term).collect::<BTreeSet<_>>().len();
        if words > best.0 {
            best = (words, *at);
        }
    }
    cut(&characters, best.1)
}

/// Where the words are, in characters, with the number of each.
fn places(text: &str, terms: &[Term]) -> Vec<(usize, usize)> {
    let sought = Sought::all(terms);
    let mut found = Vec::new();
    let (mut byte, mut character) = (0, 0);
    for piece in pieces(text) {
        character += text.get(byte..piece.place.start).map_or(0, |between| between.chars().count());
        byte = piece.place.start;
        let Some(word) = text.get(piece.place) else { continue };
        let inside = question::places(&sought, word, piece.is_run);
        found.extend(inside.into_iter().map(|(at, number)| (character + at, number)));
    }
    found.sort_unstable();
    found
}

/// The piece around a place, from word to word, with a sign where something was left out.
fn cut(characters: &[char], at: usize) -> String {
    let is_gap = |place: &usize| characters.get(*place).is_some_and(|c| *c == ' ');
    let mut start = at.saturating_sub(LEAD);
    if start > 0 {
        start = (start..at).find(is_gap).map_or(start, |gap| gap + 1);
    }
    let mut end = (start + SNIPPET_CHARACTERS - 2).min(characters.len());
    if end < characters.len() {
        // Not further back than a long word: scripts without spaces have no gap at all.
        end = (end - LEAD..=end).rev().find(is_gap).unwrap_or(end);
    }
    let middle: String = characters.get(start..end).unwrap_or_default().iter().collect();
    let sign = |is_cut| if is_cut { "…" } else { "" };
    format!("{}{}{}", sign(start > 0), middle.trim(), sign(end < characters.len()))
}

/// A text on one line: what is no letter to be seen is a space, and spaces are one.
fn one_line(text: &str) -> String {
    let is_hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}'..='\u{200f}' | '\u{feff}')
    };
    let words = text.split(|c: char| c.is_whitespace() || is_hidden(c)).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}
