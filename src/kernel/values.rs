//! Values as streams: written and read a piece at a time, so that a large one is never whole in memory.

use std::{
    io::{Cursor, ErrorKind},
    sync::Arc,
};

use serde_json::{Map, Value};

use crate::{
    model::{
        error::{OpError, Reason},
        instance::InstanceRef,
        key::{self, Key},
        limits,
        permission::{self, Action},
        value::{Content, Stored},
    },
    ops::{
        self,
        keys::{
            history, read,
            write::{RawWrite, Source, Write},
        },
        operation::{Operation as _, Reply, Wait, parse},
    },
    store::{BlobReader, BlobWriter},
};

use super::{
    Caller, Kernel,
    handle::Handle,
    order::{Order, check_access},
    stopped,
};

/// A value as it was when it was opened, whatever is written meanwhile.
pub struct OpenValue {
    /// The version of its key.
    pub version: u64,
    /// Its key, with all attributes.
    pub key: Key,
    /// Its MIME type.
    pub content_type: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its bytes.
    pub reader: Box<dyn BlobReader>,
}

/// How often a large value is put in its place, should upkeep tidy it away before its record is there.
const TRIES: usize = 3;

/// A value on its way in.
pub struct Incoming {
    kernel: Arc<Kernel>,
    handle: Arc<Handle>,
    caller: Caller,
    bytes: usize,
    /// The value, while it is small.
    small: Vec<u8>,
    /// Where it goes when it is large.
    large: Option<Box<dyn BlobWriter>>,
}

impl OpenValue {
    /// The rest of it as text. Errors: it is no text; what the disk says.
    pub fn text(&mut self) -> Result<String, OpError> {
        let mut text = String::new();
        match self.reader.read_to_string(&mut text) {
            Ok(_) => Ok(text),
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                Err(OpError::invalid("key", "its value is no text", ""))
            }
            Err(error) => Err(OpError::Unavailable {
                reason: Reason::Io,
                what: format!("a value cannot be read ({error})"),
                remedy: "`mindcache doctor --deep` looks what is wrong".into(),
            }),
        }
    }
}

impl Kernel {
    /// Opens the stored value of a key: templates as they are written. Errors: as reading the key.
    pub fn open_value(&self, caller: &Caller, instance: &InstanceRef, name: &str) -> Result<OpenValue, OpError> {
        let target = self.target(caller, instance, entry::<read::Read>()?);
        let (handle, caller) = self.audited(caller, instance, read::Read::NAME, target)?;
        handle.read(&caller, Wait::default(), |tx, cx| {
            let held = read::stored(tx, cx, name)?;
            opened(&handle, name, held.record.version, held.content)
        })
    }

    /// Opens the value that a key had at a version; none where it was deleted or expired. Errors: `not_found` for a
    /// version that it never had, `unavailable` when the value was not kept, and as reading the key.
    pub fn open_version(
        &self,
        caller: &Caller,
        instance: &InstanceRef,
        name: &str,
        version: u64,
    ) -> Result<Option<OpenValue>, OpError> {
        let (handle, caller) = self.target(caller, instance, entry::<history::History>()?)?;
        handle.read(&caller, Wait::default(), |tx, cx| {
            let key = history::stored_at(tx, cx, name, version)?;
            key.map(|key| opened(&handle, name, version, key)).transpose()
        })
    }

    /// Begins to take a value in. Errors: the caller may write nothing; no such instance, or one that is closed.
    pub fn begin_value(&self, caller: &Caller, instance: &InstanceRef) -> Result<Incoming, OpError> {
        let begun = self.begin(caller, instance);
        self.audited(caller, instance, Write::NAME, begun)
    }

    fn begin(&self, caller: &Caller, instance: &InstanceRef) -> Result<Incoming, OpError> {
        let entry = entry::<Write>()?;
        if !entry.allowed(caller.mode) {
            return Err(permission::refuse_operation(caller.mode, Action::Write, entry.name));
        }
        let (handle, caller) = self.target(caller, instance, entry)?;
        // Said before the value has come; what counts is said again by its turn.
        check_access(entry.name, handle.view(|_, position| position.access)?, &handle.id)?;
        let (kernel, caller) = (self.this.upgrade().ok_or_else(stopped)?, caller.into_owned());
        Ok(Incoming { kernel, handle, caller, bytes: 0, small: Vec::new(), large: None })
    }
}

/// The value of a state of a key. Within the read that found it: a file may be collected once nobody reads.
fn opened(handle: &Handle, name: &str, version: u64, key: Key) -> Result<OpenValue, OpError> {
    let content_type = key.content_type.clone().unwrap_or_else(|| key.key_type.content_type().to_owned());
    let (bytes, reader): (u64, Box<dyn BlobReader>) = match &key.value {
        Stored::Blob(blob) => (blob.bytes, handle.store.open_blob(&handle.id, blob)?),
        Stored::Inline(text) => {
            let bytes = match key.key_type.decode(name, text.clone())? {
                Content::Text(text) => text.into_bytes(),
                Content::Bytes(bytes) => bytes,
            };
            (bytes.len() as u64, Box::new(Cursor::new(bytes)))
        }
        Stored::Gone => return Err(OpError::no_key(name)),
    };
    Ok(OpenValue { version, key, content_type, bytes, reader })
}

fn entry<O: ops::operation::Operation>() -> Result<&'static ops::operation::Entry, OpError> {
    ops::find(O::NAME).ok_or_else(stopped)
}

impl Incoming {
    /// Takes the next piece. Errors: `too_large`, and what the disk says; nothing is left of the value then.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), OpError> {
        self.bytes += piece.len();
        key::check_bytes(|| "the value that is being written".into(), self.bytes)?;
        if let Some(large) = &mut self.large {
            return large.write(piece);
        }
        self.small.extend_from_slice(piece);
        if self.small.len() > limits::INLINE_BYTES {
            let mut large = self.handle.store.begin_blob(&self.handle.id)?;
            large.write(&std::mem::take(&mut self.small))?;
            self.large = Some(large);
        }
        Ok(())
    }

    /// Writes the key: `attributes` are the arguments of `write_key` but for the value. Errors: as `write_key`.
    pub async fn finish(self, mut attributes: Map<String, Value>) -> Result<Reply, OpError> {
        attributes.insert("value".into(), "".into());
        let write: Write = parse(Value::Object(attributes))?;
        // A value may take long to come, and the right to write it may have gone meanwhile.
        let instance = InstanceRef::Id(self.handle.id.clone());
        let target = self.kernel.target(&self.caller, &instance, entry::<Write>()?).map(drop);
        self.kernel.audited(&self.caller, &instance, Write::NAME, target)?;
        let bytes = self.bytes.min(limits::INLINE_BYTES);
        let submit = |source| {
            let call = Arc::new(RawWrite { write: write.clone(), source });
            self.handle.write(Order { bytes, ..Order::new(Write::NAME, call, self.caller.clone()) })
        };
        let Some(mut large) = self.large else { return submit(Source::Bytes(self.small)).await };
        let mut tries = 0;
        loop {
            let finishing = tokio::task::spawn_blocking(move || (large.finish(), large));
            let (kept, back) = finishing.await.map_err(|_| stopped())?;
            large = back;
            match submit(Source::Kept(kept?)).await {
                Err(OpError::Unavailable { reason: Reason::NotKept, .. }) if tries < TRIES => tries += 1,
                reply => return reply,
            }
        }
    }
}
