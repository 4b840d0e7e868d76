//! What is written is read again; what was touched is refused.

use std::io::Cursor;

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    derive::samples,
    model::{
        error::OpError,
        portable::{Item, Portable},
    },
};

fn archive(keys: &[Portable]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out, false).unwrap();
    writer.begin("default", 7, Origin::default()).unwrap();
    for key in keys {
        writer.key(key).unwrap();
    }
    writer.finish().unwrap();
    out
}

fn read_all(bytes: &[u8]) -> Result<Vec<Portable>, OpError> {
    let archive = Archive::check(bytes)?;
    let mut keys = Vec::new();
    archive.read(Cursor::new(bytes), 1, &mut |item| {
        if let Item::Key(key) = item {
            keys.push(*key);
        }
        Ok(())
    })?;
    Ok(keys)
}

/// Each name once.
fn keys() -> impl Strategy<Value = Vec<Portable>> {
    vec(samples::key(), 0..8).prop_map(|mut keys| {
        keys.sort_by(|one, other| one.name.cmp(&other.name));
        keys.dedup_by(|one, other| one.name == other.name);
        keys
    })
}

proptest! {
    #[test]
    fn keys_come_back_as_they_were(keys in keys()) {
        let bytes = archive(&keys);
        prop_assert!(is_archive(&bytes));
        prop_assert_eq!(read_all(&bytes).unwrap(), keys);
    }

    #[test]
    fn one_changed_byte_of_what_is_held_is_found(keys in keys(), at in any::<proptest::sample::Index>()) {
        let mut bytes = archive(&keys);
        let at = at.index(bytes.len());
        bytes[at] ^= 1;
        // Padding and times of the container say nothing.
        prop_assert!(read_all(&bytes).is_ok_and(|read| read == keys) || read_all(&bytes).is_err());
    }

    #[test]
    fn a_truncated_archive_is_refused(keys in keys(), cut in any::<proptest::sample::Index>()) {
        let bytes = archive(&keys);
        // Two empty blocks end a tar.
        prop_assert!(read_all(&bytes[..cut.index(bytes.len() - 1024)]).is_err());
    }
}

#[test]
fn foreign_names_and_kinds_are_refused() {
    for (name, kind) in [
        ("../evil", tar::EntryType::Regular),
        ("/etc/passwd", tar::EntryType::Regular),
        ("blobs/../../x", tar::EntryType::Regular),
        ("instances/1/../1.ndjson", tar::EntryType::Regular),
        ("manifest.json", tar::EntryType::Symlink),
        ("contents.json", tar::EntryType::Link),
        ("contents.json", tar::EntryType::GNUSparse),
        ("manifest.json", tar::EntryType::XHeader),
        ("manifest.json", tar::EntryType::GNULongName),
    ] {
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_size(1 << 40);
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend([0; 2048]);
        assert!(Archive::check(bytes.as_slice()).is_err(), "{name} {kind:?}");
    }
}
