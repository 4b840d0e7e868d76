//! Finding lines in a byte stream, in time linear in their length and in bounded memory.

use std::fmt;
use std::io::BufRead as _;
use std::ops::Range;

use rmcp::model::RequestId;
use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::{KEPT_BUFFER_BYTES, MAX_LINE_BYTES};
use crate::model::limits;

/// What the buffer starts with and shrinks back to.
const SMALL_BUFFER_BYTES: usize = 8 * 1024;
/// A read is not worth a system call with less room than this.
const LEAST_READ_BYTES: usize = 4 * 1024;
/// How much of the start of a line that is too long is searched for its method and id.
const HEAD_BYTES: usize = 4 * 1024;
/// How much of the end of a line that is too long is searched for its id.
const TAIL_BYTES: usize = 256;

/// The reading half: finds lines in one growing buffer and touches each byte once.
pub(super) struct Input<R> {
    reader: R,
    buffer: Vec<u8>,
    /// Where the current line starts in the buffer.
    start: usize,
    /// Up to where the current line has been searched for its end.
    scanned: usize,
    /// The head of the current line, while it is skipped for being too long.
    skipped_head: Option<Vec<u8>>,
    ended: bool,
}

/// What [`Input::take_line`] found.
pub(super) enum Line {
    /// A line, without its end, at this place in the buffer.
    Complete(Range<usize>),
    /// A line over [`MAX_LINE_BYTES`] that has been skipped, and its id where that is certain.
    TooLong(Option<RequestId>),
    /// No further line will come.
    End,
}

impl<R> Input<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            buffer: Vec::with_capacity(SMALL_BUFFER_BYTES),
            start: 0,
            scanned: 0,
            skipped_head: None,
            ended: false,
        }
    }

    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.buffer.get(range).unwrap_or_default()
    }

    /// Whether what has come of the current line makes it a large one; one that is skipped is not kept.
    pub(super) fn is_at_large(&self) -> bool {
        self.skipped_head.is_none() && self.buffer.len() - self.start > limits::LARGE_BYTES
    }

    /// Take the next line that is wholly in the buffer; `None` asks for [`Input::fill`].
    pub(super) fn take_line(&mut self) -> Option<Line> {
        // On a slice `skip_until` cannot fail; it is the library's fast search for a byte.
        let mut rest = self.bytes(self.scanned..self.buffer.len());
        let stepped = rest.skip_until(b'\n').unwrap_or_default();
        self.scanned += stepped;
        let line_and_end = self.bytes(self.start..self.scanned);
        let terminated = stepped > 0 && line_and_end.ends_with(b"\n");
        if !terminated {
            if !self.ended {
                self.skip_if_too_long();
                return None;
            }
            if line_and_end.is_empty() {
                return Some(Line::End);
            }
        }
        let range = self.start..self.scanned - usize::from(terminated);
        self.start = self.scanned;
        let line = self.bytes(range.clone());
        if let Some(head) = &self.skipped_head {
            let id = certain_id(head, line);
            self.skipped_head = None;
            return Some(Line::TooLong(id));
        }
        if line.len() > MAX_LINE_BYTES {
            return Some(Line::TooLong(certain_id(line, line)));
        }
        Some(Line::Complete(range))
    }

    /// Forget the middle of a line that is too long: only its head and its tail may hold an id.
    fn skip_if_too_long(&mut self) {
        if self.skipped_head.is_none() {
            let line = self.bytes(self.start..self.scanned);
            if line.len() <= MAX_LINE_BYTES {
                return;
            }
            self.skipped_head = Some(line.iter().take(HEAD_BYTES).copied().collect());
        }
        let tail_start = self.buffer.len().saturating_sub(TAIL_BYTES).max(self.start);
        self.buffer.drain(..tail_start);
        self.buffer.shrink_to(KEPT_BUFFER_BYTES);
        self.start = 0;
        self.scanned = self.buffer.len();
    }

    /// Move what is left to the front and see to it that there is room to read into.
    ///
    /// A line is moved at most once, before its first growth, and growth doubles: reading stays
    /// linear. After a large line the memory goes back before the next wait.
    fn make_room(&mut self) {
        self.buffer.drain(..self.start);
        self.scanned -= self.start;
        self.start = 0;
        let (used, capacity) = (self.buffer.len(), self.buffer.capacity());
        if capacity > KEPT_BUFFER_BYTES && used < capacity / 4 {
            self.buffer.shrink_to(SMALL_BUFFER_BYTES);
        }
        if self.buffer.capacity() - used < LEAST_READ_BYTES {
            self.buffer.reserve(SMALL_BUFFER_BYTES);
        }
    }
}

impl<R: AsyncRead + Unpin> Input<R> {
    /// Read once. May be dropped while it waits: nothing is read then.
    pub(super) async fn fill(&mut self) {
        self.make_room();
        match self.reader.read_buf(&mut self.buffer).await {
            Ok(0) => self.ended = true,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "reading the input failed");
                // What came before the failure is no line; half of one must not be acted upon.
                self.buffer.truncate(self.start);
                self.scanned = self.start;
                self.skipped_head = None;
                self.ended = true;
            }
        }
    }
}

/// The id of a request of which only the head and the tail are known, if they leave no doubt.
///
/// A line without a method in its head may be a response, whose id is not ours to answer to.
fn certain_id(head: &[u8], tail: &[u8]) -> Option<RequestId> {
    let mut found = Head::default();
    let head = head.get(..HEAD_BYTES).unwrap_or(head);
    // The head ends in the middle of a value: what counts is what was seen before.
    serde_json::Deserializer::from_slice(head).deserialize_map(&mut found).ok();
    let mut ids = found.ids;
    ids.extend(last_member_id(tail));
    ids.dedup();
    match (found.method, ids.as_slice()) {
        (true, [id]) => Some(id.clone()),
        _ => None,
    }
}

#[derive(Default)]
struct Head {
    method: bool,
    ids: Vec<RequestId>,
}

impl<'de> Visitor<'de> for &mut Head {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a message")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut read_id = None;
        while let Some(key) = members.next_key::<String>()? {
            // Only with another key behind it is a number known to be whole.
            self.ids.extend(read_id.take());
            match key.as_str() {
                "id" => read_id = Some(members.next_value::<RequestId>()?),
                key => {
                    self.method |= key == "method";
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// The id of an object that ends in `,"id":…}`, as the common client libraries write requests.
///
/// In valid JSON the last brace closes the whole message, a number or a string without escapes
/// before it is a value of the outermost object, and so are the key and the comma before that.
fn last_member_id(tail: &[u8]) -> Option<RequestId> {
    let members = tail.trim_ascii_end().strip_suffix(b"}")?;
    let after_key = |key: &[u8]| {
        let at = members.windows(key.len()).rposition(|bytes| bytes == key)?;
        members.get(at + key.len()..)
    };
    let value = after_key(br#","id":"#).or_else(|| after_key(br#", "id":"#))?;
    if value.contains(&b'\\') {
        return None;
    }
    serde_json::from_slice(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    impl<R> Input<R> {
        pub(in super::super) fn buffer_capacity(&self) -> usize {
            self.buffer.capacity()
        }
    }

    #[test]
    fn an_id_is_known_only_where_there_is_no_doubt() {
        let number = |id| Some(RequestId::Number(id));
        let text = |id: &str| Some(RequestId::String(id.into()));
        let cases: [(&str, &str, Option<RequestId>); 17] = [
            (r#"{"jsonrpc":"2.0","id":7,"method":"a","params":{"b":"x"#, r#"xxx"}}"#, number(7)),
            (r#"{"method":"a","id":"seven","params":{"b":"x"#, r#"xxx"}}"#, text("seven")),
            (r#"{"method":"a","params":{"b":"x"#, r#"x"},"jsonrpc":"2.0","id":7}"#, number(7)),
            (r#"{"method": "a", "params": {"b": "x"#, r#"x"}, "id": "7" } "#, text("7")),
            // Not whole, not on top, not the only one, not an id, not a request.
            (r#"{"method":"a","id":7"#, "xxx", None),
            (r#"{"method":"a","params":{"id":7,"b":"x"#, r#"xxx"}}"#, None),
            (r#"{"method":"a","params":{"b":"x"#, r#"x","id":7}}"#, None),
            (r#"{"method":"a","id":7,"id":8,"params":"x"#, r#"xxx"}"#, None),
            (r#"{"method":"a","id":7,"params":{"b":"x"#, r#"x"},"id":8}"#, None),
            (r#"{"method":"a","id":7,"params":{"b":"x"#, r#"x"},"id":7}"#, number(7)),
            (r#"{"method":"a","id":null,"params":"x"#, r#"xxx"}"#, None),
            (r#"{"method":"a","params":"x"#, r#"x,\"id\":7"}"#, None),
            (r#"{"method":"a","params":"x"#, r#"x","id":"\u0041"}"#, None),
            (r#"{"method":"a","params":"x"#, r#"x","id":7"#, None),
            (r#"{"id":7,"result":{"b":"x"#, r#"xxx"}}"#, None),
            (r#"["method","id",7,"x"#, r#"x","id":7}"#, None),
            ("xxx", "xxx", None),
        ];
        for (head, tail, id) in cases {
            assert_eq!(certain_id(head.as_bytes(), tail.as_bytes()), id, "{head} … {tail}");
        }
    }
}
