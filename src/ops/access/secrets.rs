//! Keys and secrets: how they are made from chance, recognised, and kept as their SHA-256 alone.

use uuid::{Builder, Bytes};

use crate::model::error::{OpError, Reason};

use crate::ops::operation::Cx;

/// What an API key begins with; scanners for leaked secrets know it by that.
pub const KEY_BEGINS: &str = "mc_live_";
/// Characters behind that.
const KEY_CHARACTERS: usize = 32;
/// Characters of a key that are no secret: it is found by them.
const PREFIX_CHARACTERS: usize = 12;
const SMALL: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
const ALL: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// The chance of a turn. Errors: `unavailable` in a turn that was given none.
fn chance(cx: &Cx) -> Result<&[u8], OpError> {
    cx.chance.as_ref().map(<[u8; 96]>::as_slice).ok_or_else(none)
}

fn none() -> OpError {
    OpError::Unavailable {
        reason: Reason::Stopped,
        what: "there is no chance to make a secret from".into(),
        remedy: "call the operation by itself".into(),
    }
}

/// A fresh id: the first or the second of the turn.
pub fn id(cx: &Cx, which: usize) -> Result<String, OpError> {
    let bytes = chance(cx)?.chunks_exact(16).nth(which).and_then(|chunk| Bytes::try_from(chunk).ok());
    Ok(Builder::from_random_bytes(bytes.ok_or_else(none)?).into_uuid().hyphenated().to_string())
}

/// A fresh id that says what it is of: `del_` and the 32 digits of the turn's first.
pub fn id_of(what: &str, cx: &Cx) -> Result<String, OpError> {
    Ok(format!("{what}_{}", id(cx, 0)?.replace('-', "")))
}

/// Characters of an alphabet by chance, each as likely as any other.
fn characters(cx: &Cx, alphabet: &[u8]) -> Result<String, OpError> {
    let fair = 256 - 256 % alphabet.len();
    let rest = chance(cx)?.get(32..).unwrap_or_default();
    let drawn = rest.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < fair);
    let text: String = drawn
        .filter_map(|byte| alphabet.get(byte % alphabet.len()))
        .take(KEY_CHARACTERS)
        .map(|c| char::from(*c))
        .collect();
    // Of 64 bytes more than 32 are always fair, but for a chance of one in 10^20.
    if text.len() == KEY_CHARACTERS { Ok(text) } else { Err(none()) }
}

/// A fresh API key.
pub fn api_key(cx: &Cx) -> Result<String, OpError> {
    Ok(format!("{KEY_BEGINS}{}", characters(cx, SMALL)?))
}

/// A fresh secret of a delegate.
pub fn delegate_secret(cx: &Cx) -> Result<String, OpError> {
    Ok(format!("sec_{}", characters(cx, ALL)?))
}

/// The public prefix of an API key; nothing for a text that is none.
pub fn prefix(key: &str) -> Option<&str> {
    let rest = key.strip_prefix(KEY_BEGINS)?;
    let is_key = rest.len() == KEY_CHARACTERS && rest.bytes().all(|byte| SMALL.contains(&byte));
    key.get(..PREFIX_CHARACTERS).filter(|_| is_key)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn only_whole_keys_have_a_prefix(text in "\\PC{0,44}", tail in "[0-9a-z]{32}", odd in "[^0-9a-z]") {
            let key = format!("mc_live_{tail}");
            prop_assert_eq!(prefix(&key), key.get(..12));
            prop_assert_eq!(prefix(&text), None);
            let (longer, other) = (format!("{key}0"), format!("{}{odd}", &key[..39]));
            prop_assert_eq!([prefix(&longer), prefix(&key[..39]), prefix(&other)], [None, None, None]);
        }
    }
}
