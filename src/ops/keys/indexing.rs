//! What the word index is to hold: the words of the keys that the log names, as they are now.

use std::collections::BTreeSet;

use crate::{
    derive::search::{INDEXED_BYTES, plain, spread},
    model::{
        error::OpError,
        key::Key,
        kind::Kind as _,
        record::Record,
        search::{Document, Entry, Slice, Stand},
        value::Stored,
        view::{Position, ReadView},
    },
};

/// Changes of one slice.
const CHANGES: usize = 500;
/// Characters of text after which a slice ends.
const TEXT: usize = 256 * 1024;

/// The next slice of the log for an index that stands somewhere and holds words of some version of each key.
///
/// Each key is taken as it is now, however often it changed, and what is held of it already is not taken again: so an
/// index that has come to the end of the log is the same in whatever slices it was fed.
pub fn slice(
    view: &dyn ReadView,
    position: Position,
    stand: Stand,
    known: &dyn Fn(&str) -> Option<u64>,
) -> Result<Slice, OpError> {
    if is_of_another_log(view, position, stand)? {
        return Ok(Slice { anew: true, ..Slice::default() });
    }
    let mut slice = Slice { stand, ..Slice::default() };
    let (mut seen, mut text) = (BTreeSet::new(), 0);
    for touched in view.touched(stand.seq, CHANGES)? {
        if text > TEXT {
            break;
        }
        slice.stand = Stand { seq: touched.seq, at: touched.at };
        if touched.kind != Key::KIND || !seen.insert(touched.id.clone()) {
            continue;
        }
        match view.record(Key::KIND, &touched.id)? {
            None => slice.entries.push(Entry::Gone(touched.id)),
            Some(record) if known(&record.id) == Some(record.version) => {}
            Some(record) => {
                let document = document(view, &record);
                text += document.value.len();
                slice.entries.push(Entry::Put(document));
            }
        }
    }
    Ok(slice)
}

/// Where an index stands that has everything.
pub fn head(view: &dyn ReadView, position: Position) -> Result<Stand, OpError> {
    let last = view.touched(position.head.saturating_sub(1), 1)?;
    Ok(last.first().map(|last| Stand { seq: last.seq, at: last.at }).unwrap_or_default())
}

/// Whether the index was fed from a log that is not this one: an instance that was put back from a backup.
pub(super) fn is_of_another_log(view: &dyn ReadView, position: Position, stand: Stand) -> Result<bool, OpError> {
    if stand.seq > position.head {
        return Ok(true);
    }
    // A row that was trimmed tells nothing.
    let last = view.touched(stand.seq.saturating_sub(1), 1)?;
    Ok(stand.seq > 0 && last.first().is_some_and(|last| last.seq == stand.seq && last.at != stand.at))
}

fn document(view: &dyn ReadView, record: &Record) -> Document {
    let key = serde_json::from_str::<Key>(&record.body).ok();
    let (about, value) = key.map(|key| (about(&key), text(view, &key))).unwrap_or_default();
    Document {
        id: record.id.clone(),
        version: record.version,
        name: spread(&record.id),
        about: spread(&about),
        value: spread(&value),
    }
}

/// What is said of a key beside its value.
pub(super) fn about(key: &Key) -> String {
    format!("{} {}", key.tags.join(" "), key.description.as_deref().unwrap_or_default())
}

/// The text of a value that is searched: the beginning of a large one, nothing of pictures and files.
pub(super) fn text(view: &dyn ReadView, key: &Key) -> String {
    if key.key_type.is_binary() {
        return String::new();
    }
    match &key.value {
        Stored::Inline(text) => plain(key.key_type, text).into_owned(),
        // A file that is missing is the reader's to be told of; the key is found by its name.
        Stored::Blob(blob) => {
            let bytes = view.blob(blob, 0..INDEXED_BYTES as u64).unwrap_or_default();
            let whole = String::from_utf8_lossy(&bytes);
            plain(key.key_type, whole.trim_end_matches('\u{fffd}')).into_owned()
        }
        Stored::Gone => String::new(),
    }
}
