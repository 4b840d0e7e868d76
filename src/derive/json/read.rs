//! Reading a JSON document of keys, one at a time.

use std::{
    cell::Cell,
    fmt,
    io::{self, Read},
};

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{Entry, FORMAT, FORMAT_VERSION, old};
use crate::model::{
    error::OpError,
    limits,
    portable::{Item, Sink},
};

/// Most bytes of one key in a document: each byte of its value as six, and its attributes.
const KEY_BYTES: u64 = 6 * limits::VALUE_BYTES as u64 + 1024 * 1024;

/// What the document says beside its keys.
const ENVELOPE: [&str; 6] = ["format", "format_version", "instance", "as_of_seq", "count", "keys"];

/// Reads a document and hands over what it holds, in its order. A key of ours that is wrong refuses the document; of a
/// foreign one it is left out. Errors: `invalid_argument` with line and reason; what the sink refuses.
pub fn read(source: impl Read, sink: &mut Sink<'_>) -> Result<(), OpError> {
    let left = Cell::new(KEY_BYTES);
    let mut reading = Reading { sink, left: &left, refused: None, form: Form::Unknown, count: 0 };
    let source = io::BufReader::with_capacity(256 * 1024, Bounded { source, left: &left });
    let mut document = serde_json::Deserializer::from_reader(source);
    let read = Top(&mut reading).deserialize(&mut document).and_then(|()| document.end());
    match (reading.refused, read) {
        (Some(refused), _) => Err(refused),
        (None, Err(error)) => Err(OpError::invalid(
            format!("line {}", error.line().max(1)),
            format!("this is no JSON document of keys: {error}"),
            "",
        )),
        (None, Ok(())) => Ok(()),
    }
}

/// Reads no further than a key may be long: memory must not depend on what a file claims.
struct Bounded<'c, R> {
    source: R,
    left: &'c Cell<u64>,
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        let left = self.left.get().checked_sub(read as u64);
        self.left.set(left.ok_or_else(|| io::Error::other("it has a key that is longer than any can be"))?);
        Ok(read)
    }
}

/// What kind of document it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Unknown,
    Ours,
    Old,
    Plain,
}

struct Reading<'a, 's> {
    sink: &'a mut Sink<'s>,
    left: &'a Cell<u64>,
    /// Why it ended, where that is not the fault of the JSON.
    refused: Option<OpError>,
    form: Form,
    count: u64,
}

impl Reading<'_, '_> {
    fn give<E: serde::de::Error>(&mut self, item: Item) -> Result<(), E> {
        self.left.set(KEY_BYTES);
        self.count += 1;
        (self.sink)(item).map_err(|error| {
            self.refused = Some(error);
            E::custom("refused")
        })
    }

    /// An entry of a foreign map. The first one says which kind of map it is.
    fn foreign<E: serde::de::Error>(&mut self, name: &str, raw: &RawValue) -> Result<(), E> {
        let entry = if self.form == Form::Plain { None } else { old::Entry::parse(raw) };
        if self.form == Form::Unknown {
            self.form = if entry.is_some() { Form::Old } else { Form::Plain };
        }
        let item = match (self.form, entry) {
            (Form::Old, Some(entry)) => entry.item(name),
            (Form::Old, None) => Item::LeftOut { name: name.to_owned(), why: "it has no value and attributes".into() },
            _ => old::plain(name, raw),
        };
        self.give(item)
    }
}

struct Top<'r, 'a, 's>(&'r mut Reading<'a, 's>);

impl<'de> DeserializeSeed<'de> for Top<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Top<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of keys")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let reading = self.0;
        // Until it is known to be ours, these may be the names of keys.
        let mut envelope: Vec<(String, Box<RawValue>)> = Vec::new();
        let mut has_keys = false;
        while let Some(name) = map.next_key::<String>()? {
            let is_envelope = ENVELOPE.contains(&name.as_str());
            if reading.form == Form::Ours && name == "keys" {
                if has_keys {
                    return Err(A::Error::custom("it has keys twice"));
                }
                has_keys = true;
                map.next_value_seed(Keys(&mut *reading))?;
                continue;
            }
            let raw: Box<RawValue> = map.next_value()?;
            if reading.form == Form::Unknown && name == "format" && raw.get().trim_matches('"') == FORMAT {
                reading.form = Form::Ours;
            }
            if reading.form == Form::Ours && !is_envelope {
                return Err(A::Error::custom(format!("an export of mindcache has no \"{name}\"")));
            }
            if is_envelope && envelope.len() < ENVELOPE.len() {
                envelope.push((name, raw));
            } else {
                reading.foreign(&name, &raw)?;
            }
        }
        if reading.form == Form::Ours {
            return is_whole(&envelope, has_keys, reading.count);
        }
        for (name, raw) in envelope {
            reading.foreign(&name, &raw)?;
        }
        Ok(())
    }
}

/// Whether an export of ours is of a version that is understood, and holds as many keys as it says.
fn is_whole<E: serde::de::Error>(envelope: &[(String, Box<RawValue>)], has_keys: bool, count: u64) -> Result<(), E> {
    let number =
        |name: &str| envelope.iter().find(|(each, _)| each == name).and_then(|(_, raw)| raw.get().parse::<u64>().ok());
    match number("format_version") {
        Some(FORMAT_VERSION) => {}
        Some(version) => {
            return Err(E::custom(format!("it has format_version {version}, which a newer mindcache reads")));
        }
        None => return Err(E::custom("it has no format_version")),
    }
    if !has_keys {
        return Err(E::custom("it has no keys after its format"));
    }
    match number("count") {
        Some(told) if told != count => Err(E::custom(format!("it says that it has {told} keys and has {count}"))),
        _ => Ok(()),
    }
}

struct Keys<'r, 'a, 's>(&'r mut Reading<'a, 's>);

impl<'de> DeserializeSeed<'de> for Keys<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Keys<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of keys")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(entry) = list.next_element::<Entry<'static>>()? {
            let name = entry.key.to_string();
            let key = entry.portable();
            let key = key.map_err(|error| A::Error::custom(format!("key \"{name}\": {}", error.without_quote())))?;
            self.0.give(Item::Key(Box::new(key)))?;
        }
        Ok(())
    }
}
