//! The name part that a key's tools have, from its name alone: what the indexes of keys are made of.

use super::{digest::sha256, index};

/// Longest name of a tool, in characters.
pub const NAME_CHARACTERS: usize = 48;
/// Longest name part: `write_` and this are a name. The same for both verbs, so that a key has one.
pub const PART_CHARACTERS: usize = NAME_CHARACTERS - 6;
/// Hexadecimal digits of a mark.
pub const MARK_CHARACTERS: usize = 8;
/// What a marked part keeps of the short one.
const STEM_CHARACTERS: usize = PART_CHARACTERS - 1 - MARK_CHARACTERS;

/// Where a key stands in the order of tools, as bytes for an index; the name decides between equal ones.
pub fn rank(in_prompt: bool, z_index: i64) -> Vec<u8> {
    let mut key = vec![u8::from(!in_prompt)];
    key.extend(index::number(z_index));
    key
}

/// The short name part of a key: each UTF-16 unit outside `[A-Za-z0-9_-]` is `_`.
pub fn sanitised(name: &str) -> String {
    let safe = |unit| char::from_u32(u32::from(unit)).filter(|c| is_safe(*c)).unwrap_or('_');
    name.encode_utf16().map(safe).collect()
}

/// Under which entries of an index a key is found beside its own name: none for most. They depend on the name
/// alone, so writing a value leaves them as they are.
pub fn index_keys(name: &str) -> Vec<String> {
    let short = sanitised(name);
    let is_changed = short != name;
    let mut keys = Vec::new();
    if is_changed && short.len() <= PART_CHARACTERS {
        keys.push(short.clone());
    }
    // Otherwise the stem is the name itself, and the mark leads nowhere further.
    if is_changed || short.len() > STEM_CHARACTERS {
        keys.push(mark_key(&mark(name)));
    }
    keys
}

/// The marked name part of a key: its stem and its mark.
pub fn marked(name: &str) -> String {
    let mut part = sanitised(name);
    // All ASCII by now, so characters are bytes.
    part.truncate(STEM_CHARACTERS);
    format!("{part}_{}", mark(name))
}

/// The first 8 hexadecimal digits in a row of the name's SHA-256 that are not all decimal, so that a date at the
/// end of a name is not taken for a mark.
fn mark(name: &str) -> String {
    let digits: Vec<char> = sha256(name).chars().collect();
    let windows = digits.windows(MARK_CHARACTERS).map(|window| window.iter().collect::<String>());
    windows.into_iter().find(|window| has_letter(window)).unwrap_or_else(|| "a".repeat(MARK_CHARACTERS))
}

/// Under which entry keys of a mark are found.
pub fn mark_key(mark: &str) -> String {
    // `#` is in no short name.
    format!("#{mark}")
}

/// Whether a mark has a letter, as every one has.
pub fn has_letter(mark: &str) -> bool {
    mark.contains(|c: char| c.is_ascii_lowercase())
}

/// Whether a character may be part of a tool's name.
pub fn is_safe(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}
