//! What comes in over a connection, on its way to the WebSocket library, which holds each message whole. A large one takes a
//! place before it goes on, as large bodies of other faces do, and has to arrive in its time.

use std::{
    collections::HashMap,
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError, Weak},
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use crate::model::limits;

/// How long a large message may take to arrive once it has its place.
const ARRIVE: Duration = Duration::from_millis(limits::LARGE_MS);

/// Places for large messages that come in: few at a time, and one of each user, so that nobody has them all. Whose the
/// server is may take all.
pub(super) struct Landings {
    all: Arc<Semaphore>,
    of_users: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// Those that one connection takes.
#[derive(Clone)]
pub(super) struct Landing {
    all: Arc<Semaphore>,
    of_user: Option<Arc<Semaphore>>,
}

/// The place of one message. Dropped, it is free again.
pub(super) struct Place {
    #[expect(dead_code, reason = "they are free again when it is dropped")]
    held: (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>),
}

impl Landings {
    /// All free.
    pub(super) fn new() -> Self {
        Self { all: Arc::new(Semaphore::new(limits::LARGE_MESSAGES)), of_users: Mutex::default() }
    }

    /// For a connection of a user.
    pub(super) fn of(&self, user: Option<&str>) -> Landing {
        // Each change is a single step, so the map is whole even if a holder panicked.
        let mut of_users = self.of_users.lock().unwrap_or_else(PoisonError::into_inner);
        let of_user = user.map(|user| {
            of_users.get(user).and_then(Weak::upgrade).unwrap_or_else(|| {
                of_users.retain(|_, places| places.strong_count() > 0);
                let places = Arc::new(Semaphore::new(1));
                of_users.insert(user.to_owned(), Arc::downgrade(&places));
                places
            })
        });
        Landing { all: Arc::clone(&self.all), of_user }
    }
}

impl Landing {
    /// The next place that is free. They are never closed.
    async fn take(self) -> Option<Place> {
        let of_user = match self.of_user {
            Some(places) => Some(places.acquire_owned().await.ok()?),
            None => None,
        };
        Some(Place { held: (self.all.acquire_owned().await.ok()?, of_user) })
    }
}

/// A connection, read with an eye on its messages.
pub(super) struct Intake<S> {
    /// Nothing where it has moved on.
    connection: Option<S>,
    landing: Landing,
    messages: Messages,
    large: Large,
    written: u64,
}

/// The large message that is coming in.
enum Large {
    None,
    Waiting(BoxFuture<'static, Option<Place>>),
    /// With its place, until then.
    Coming(Place, Instant),
}

impl<S> Intake<S> {
    /// Of a connection that speaks WebSocket from now on. Large messages take these places.
    pub(super) fn of(connection: S, landing: Landing) -> Self {
        Self { connection: Some(connection), ..Self::moved_on(landing) }
    }

    fn moved_on(landing: Landing) -> Self {
        Self { connection: None, landing, messages: Messages::default(), large: Large::None, written: 0 }
    }

    /// Moves the connection on. What stays here is at its end.
    pub(super) fn moved(&mut self) -> Self {
        let landing = self.landing.clone();
        std::mem::replace(self, Self::moved_on(landing))
    }

    /// The place of a message that has come in whole, if it is large.
    pub(super) fn arrived(&mut self) -> Option<Place> {
        match std::mem::replace(&mut self.large, Large::None) {
            Large::Coming(place, _) => Some(place),
            Large::Waiting(_) | Large::None => None,
        }
    }

    /// Bytes that the connection has taken.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Whether everything that was read of the connection is messages that are whole, of which there were so many.
    pub(super) fn is_all_of(&self, messages: u64) -> bool {
        self.messages.whole == messages && self.messages.is_between()
    }

    /// Until when the large message that is coming in has to be here; whoever reads has to look to that.
    pub(super) fn until(&self) -> Option<Instant> {
        match &self.large {
            Large::Coming(_, until) => Some(*until),
            Large::Waiting(_) | Large::None => None,
        }
    }

    /// Whether a large message is under way: whoever sends it can say nothing else meanwhile.
    pub(super) fn is_busy(&self) -> bool {
        !matches!(self.large, Large::None)
    }

    /// Gives a large message its place and its time.
    fn poll_may_come(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.messages.bytes <= limits::LARGE_BYTES as u64 {
            return Poll::Ready(Ok(()));
        }
        loop {
            match &mut self.large {
                Large::None => {
                    self.large = Large::Waiting(self.landing.clone().take().boxed());
                }
                Large::Waiting(place) => match ready!(place.poll_unpin(context)) {
                    Some(place) => self.large = Large::Coming(place, Instant::now() + ARRIVE),
                    // They are never closed.
                    None => return Poll::Ready(Err(io::ErrorKind::Other.into())),
                },
                Large::Coming(..) => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Intake<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_may_come(context))?;
        let Some(connection) = &mut self.connection else { return Poll::Ready(Ok(())) };
        let before = buffer.filled().len();
        ready!(Pin::new(connection).poll_read(context, buffer))?;
        self.messages.pass(buffer.filled().get(before..).unwrap_or_default());
        // It would be taken in whole before it is found out.
        if self.messages.is_wrong { Poll::Ready(Err(io::ErrorKind::InvalidData.into())) } else { Poll::Ready(Ok(())) }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Intake<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Some(connection) = &mut self.connection else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        let taken = ready!(Pin::new(connection).poll_write(context, bytes))?;
        self.written += taken as u64;
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection.as_mut().map_or(Poll::Ready(Ok(())), |connection| Pin::new(connection).poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection.as_mut().map_or(Poll::Ready(Ok(())), |connection| Pin::new(connection).poll_shutdown(context))
    }
}

/// Tells messages apart in the bytes of a connection (RFC 6455, section 5.2). Whether they are right is found elsewhere.
#[derive(Debug, Default)]
struct Messages {
    /// The head of a frame as far as it has come, and how many bytes of it.
    head: u128,
    have: u32,
    /// Bytes of the frame that are still to come, and what comes with the last of them.
    left: u64,
    ends: Ends,
    /// A message has begun of which further frames come.
    is_open: bool,
    /// Bytes of the message that is coming in, by what its frames say of themselves.
    bytes: u64,
    /// Messages that have come in whole, pings and the like too.
    whole: u64,
    /// A ping or the like is longer than those may be (section 5.5).
    is_wrong: bool,
}

/// What ends with a frame.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// A piece of a message.
    #[default]
    Piece,
    /// A message.
    Message,
    /// A ping or the like, which may come between the pieces of a message.
    Control,
}

impl Messages {
    /// Takes note of what was read.
    fn pass(&mut self, mut read: &[u8]) {
        while let Some((first, rest)) = read.split_first() {
            if self.left > 0 {
                let passing = usize::try_from(self.left).unwrap_or(usize::MAX).min(read.len());
                self.left -= passing as u64;
                read = read.get(passing..).unwrap_or_default();
            } else {
                (self.head, self.have) = (self.head << 8 | u128::from(*first), self.have + 1);
                read = rest;
                if !self.begin() {
                    continue;
                }
            }
            if self.left == 0 {
                self.end();
            }
        }
    }

    /// Begins a frame if all of its head is here.
    fn begin(&mut self) -> bool {
        let [kind, short, rest @ ..] = (self.head << (8 * (16 - self.have))).to_be_bytes();
        let mask_bytes = if short & 0x80 == 0 { 0 } else { 4 };
        let (length_bytes, length) = match short & 0x7f {
            126 => (2, rest.first_chunk().map_or(0, |length| u16::from_be_bytes(*length).into())),
            127 => (8, rest.first_chunk().map_or(0, |length| u64::from_be_bytes(*length))),
            short => (0, short.into()),
        };
        if self.have < 2 || self.have < 2 + length_bytes + mask_bytes {
            return false;
        }
        (self.head, self.have, self.left) = (0, 0, length);
        let (is_last, opcode) = (kind & 0x80 != 0, kind & 0x0f);
        self.ends = match opcode {
            8.. => Ends::Control,
            _ if is_last => Ends::Message,
            _ => Ends::Piece,
        };
        if self.ends == Ends::Control {
            self.is_wrong |= length > 125;
        } else {
            self.bytes = if opcode == 0 { self.bytes.saturating_add(length) } else { length };
            self.is_open = !is_last;
        }
        true
    }

    fn end(&mut self) {
        match self.ends {
            Ends::Piece => return,
            Ends::Message => self.bytes = 0,
            Ends::Control => {}
        }
        self.whole += 1;
    }

    /// Whether the last that was read is the end of a message.
    fn is_between(&self) -> bool {
        self.have == 0 && self.left == 0 && !self.is_open
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A masked frame.
    fn frame(kind: u8, length: usize) -> Vec<u8> {
        let mut frame = vec![kind];
        match length {
            0..126 => frame.push(0x80 | u8::try_from(length).unwrap()),
            126..0x1_0000 => {
                frame.push(0xfe);
                frame.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            _ => {
                frame.push(0xff);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        // Payloads that look like heads.
        frame.extend(std::iter::repeat_n(0x81, 4 + length));
        frame
    }

    #[test]
    fn a_message_is_as_large_as_its_frames_say_until_it_is_whole() {
        let mut messages = Messages::default();
        let mut seen = Vec::new();
        for frame in [frame(0x01, 70_000), frame(0x89, 5), frame(0x00, 300), frame(0x80, 0), frame(0x82, 3)] {
            let (head, payload) = frame.split_at(frame.len() - 1);
            messages.pass(head);
            messages.pass(payload);
            seen.push((messages.bytes, messages.whole, messages.is_between()));
        }
        let expected = [(70_000, 0, false), (70_000, 1, false), (70_300, 1, false), (0, 2, true), (0, 3, true)];
        assert_eq!(seen, expected);
        messages.pass(&[0x81, 0xff, 0, 0, 0, 0, 0x7f, 0, 0, 0, 1, 2, 3, 4]);
        assert_eq!((messages.bytes, messages.is_between()), (0x7f00_0000, false));
    }

    #[tokio::test]
    async fn a_user_has_one_place_and_whose_the_server_is_has_all() {
        let landings = Landings::new();
        let ann = landings.of(Some("ann")).take().await.unwrap();
        let mut again = landings.of(Some("ann")).take().boxed();
        assert!((&mut again).now_or_never().is_none());
        // Who waits is in nobody's way.
        let bob = landings.of(Some("bob")).take().now_or_never().unwrap();
        assert!(landings.of(None).take().now_or_never().is_none());
        drop((ann, bob));
        drop(again.await.unwrap());
        let all = [landings.of(None).take().await, landings.of(None).take().now_or_never().unwrap()];
        assert!(all.iter().all(Option::is_some));
        assert_eq!(landings.of_users.lock().unwrap().len(), 2);
        drop(landings.of(Some("cem")));
        assert_eq!(landings.of_users.lock().unwrap().len(), 1, "nothing is kept of who has left");
    }

    proptest! {
        #[test]
        fn messages_are_the_same_however_they_are_cut(
            frames in prop::collection::vec((prop::sample::select(vec![0x81_u8, 0x01, 0x00, 0x80, 0x89, 0x88]), 0..70_000_usize), 0..6),
            cuts in prop::collection::vec(1..40_000_usize, 1..8),
        ) {
            let bytes: Vec<u8> = frames.iter().flat_map(|(kind, length)| frame(*kind, *length)).collect();
            let (mut whole, mut cut) = (Messages::default(), Messages::default());
            whole.pass(&bytes);
            let (mut left, mut sizes) = (bytes.as_slice(), cuts.iter().cycle());
            while !left.is_empty() {
                let (piece, rest) = left.split_at((*sizes.next().unwrap()).min(left.len()));
                cut.pass(piece);
                left = rest;
            }
            prop_assert_eq!((whole.bytes, whole.whole, whole.is_between()), (cut.bytes, cut.whole, cut.is_between()));
            let ended = frames.iter().filter(|(kind, _)| kind & 0x80 != 0).count();
            prop_assert_eq!(whole.whole, ended as u64);
        }
    }
}
