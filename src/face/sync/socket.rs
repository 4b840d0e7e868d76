//! One socket: a task that reads what its client says, writes what it is told, and keeps no more of either than fits.

use std::{
    collections::{HashMap, VecDeque},
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _, future::BoxFuture};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::{Instant, Sleep, sleep_until},
};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_util::sync::CancellationToken;

use crate::{
    access::sign_in::Watched,
    kernel::{Part, seat::Seat},
    model::{error::OpError, limits},
};

use super::{
    Form,
    ending::End,
    from_client::Subscribe,
    heard::Heard,
    hub::{Hub, Presence},
    passing::{Alarms, POSITION_EVERY, Stuck},
    sight::Sight,
    state::{From, Next, Piece, Places, Reader},
    to_client::{Limits, ToClient},
    turns::{Done, Turns},
    upgrade::{Wire, wire},
};

/// How often the server asks whether the client is there.
pub(super) const PING_EVERY: Duration = Duration::from_secs(25);
/// Least time between two lists of who is there.
const PRESENCE_EVERY: Duration = Duration::from_millis(250);
/// Answers that may wait to be taken, and their bytes; beyond that the client is read no further and nothing more is done
/// for it.
const ANSWERS: usize = 512;
const ANSWERS_BYTES: usize = 4 * 1024 * 1024;

/// Everything that a socket begins with.
pub(super) struct Beginning {
    pub(super) seat: Seat,
    pub(super) form: Form,
    pub(super) hub: Arc<Hub>,
    pub(super) places: Arc<Places>,
    pub(super) turns: Turns,
    pub(super) presence: Presence,
    pub(super) connection: String,
    pub(super) since: Option<(u64, Option<String>)>,
    pub(super) as_changes: bool,
    pub(super) sign_in: Option<Watched>,
    pub(super) leaving: CancellationToken,
    pub(super) place: (OwnedSemaphorePermit, Part),
}

/// A socket at work.
pub(super) struct Socket {
    pub(super) ws: Wire,
    pub(super) seat: Seat,
    pub(super) form: Form,
    pub(super) hub: Arc<Hub>,
    pub(super) places: Arc<Places>,
    pub(super) turns: Turns,
    pub(super) presence: Presence,
    pub(super) connection: String,
    pub(super) sign_in: Option<Watched>,
    pub(super) leaving: CancellationToken,
    /// What the client sees.
    pub(super) sight: Arc<Sight>,
    pub(super) news: watch::Receiver<u64>,
    pub(super) comings: Option<watch::Receiver<u64>>,
    /// What is to be written; and whether all of it has gone out.
    pub(super) out: VecDeque<Message>,
    pub(super) is_flushed: bool,
    /// Held until what was read large has gone out.
    pub(super) large: Option<OwnedSemaphorePermit>,
    /// Messages that have come in; and whether one was so large that its buffer is to go.
    pub(super) received: u64,
    pub(super) is_swollen: bool,
    /// What is to be shown before what happens; and the read of its next piece.
    pub(super) next: VecDeque<Next>,
    pub(super) reading: Option<BoxFuture<'static, Result<Piece, OpError>>>,
    /// Everything up to here has been passed on, or is in what is to be shown.
    pub(super) cursor: u64,
    /// Names of own messages by the seq of what they did.
    pub(super) own: HashMap<u64, String>,
    /// The last change that was made by an own message; and for each `ping`, what is to be told before its answer.
    pub(super) changed: u64,
    pub(super) pings: VecDeque<u64>,
    /// What is known of the deletions that an older client has.
    pub(super) heard: Heard,
    pub(super) alarms: Alarms,
    #[expect(dead_code, reason = "it is free again when the socket ends")]
    place: (OwnedSemaphorePermit, Part),
}

enum Event {
    Read(Option<Result<Message, Error>>),
    Written(Result<(), Error>),
    Done(Done),
    Piece(Result<Piece, OpError>),
    News,
    Comings,
    Alarm,
    End(End),
}

/// Serves a socket to its end. What it begins with is no part of what is waited for, which would keep room for it.
pub(super) fn serve(ws: Wire, beginning: Box<Beginning>) -> impl Future<Output = ()> + Send {
    let mut socket = Box::new(Socket::new(ws, *beginning));
    async move {
        let end = socket.work().await;
        socket.finish(end).await;
        socket.close(end).await;
    }
}

impl Socket {
    fn new(ws: Wire, beginning: Beginning) -> Self {
        let Beginning { seat, form, hub, places, turns, presence, connection, .. } = beginning;
        let Beginning { since, as_changes, sign_in, leaving, place, .. } = beginning;
        let now = Instant::now();
        let sight = Arc::new(Sight { mode: seat.mode(), only: Subscribe::default(), as_changes });
        Self {
            ws,
            news: hub.heard(),
            seat,
            form,
            hub,
            places,
            turns,
            presence,
            connection,
            sign_in,
            leaving,
            sight,
            comings: None,
            out: VecDeque::new(),
            is_flushed: true,
            large: None,
            received: 0,
            is_swollen: false,
            next: VecDeque::from([Next::Begin(since)]),
            reading: None,
            cursor: 0,
            own: HashMap::new(),
            changed: 0,
            pings: VecDeque::new(),
            heard: Heard::default(),
            alarms: Alarms {
                ping: now + PING_EVERY,
                alive: now,
                stuck: None,
                position: None,
                presence: None,
                presence_told: now,
                look: now,
            },
            place,
        }
    }

    /// Tells the client something.
    pub(super) fn send(&mut self, text: Utf8Bytes) {
        self.out.push_back(Message::Text(text));
    }

    async fn work(&mut self) -> End {
        self.greet();
        // Made once: what is made anew for each event is put on lists that all sockets share.
        let mut ends = pin!(ends(self.seat.clone(), self.hub.deleted.clone(), self.leaving.clone()));
        let mut clock = pin!(sleep_until(self.next_alarm()));
        loop {
            self.pull();
            self.advance();
            let alarm = self.next_alarm();
            // One that comes too early finds nothing due.
            if alarm < clock.deadline() || clock.is_elapsed() {
                clock.as_mut().reset(alarm);
            }
            let event = match self.write_now().await {
                Some(written) => Event::Written(written),
                None => self.event(ends.as_mut(), clock.as_mut()).await,
            };
            let ended = match event {
                Event::Read(read) => self.read(read),
                Event::Written(Ok(())) => {
                    self.is_swollen |= self.large.is_some();
                    (self.is_flushed, self.alarms.stuck, self.large) = (true, None, None);
                    if self.is_swollen {
                        // In a place of its own, for which each socket would otherwise keep room.
                        Box::pin(self.slim()).await;
                    }
                    None
                }
                Event::Written(Err(_)) => Some(End::Gone),
                Event::Done(done) => {
                    self.done(done);
                    None
                }
                Event::Piece(piece) => self.piece(piece),
                Event::News => None,
                Event::Comings => {
                    self.alarms.presence.get_or_insert(self.alarms.presence_told + PRESENCE_EVERY);
                    None
                }
                Event::Alarm => self.alarm(),
                Event::End(end) => Some(end),
            };
            if let Some(end) = ended {
                return end;
            }
        }
    }

    /// Says who the client is here.
    pub(super) fn greet(&mut self) {
        // Who cannot read has lost the right, or the instance is gone: the next read ends it.
        let log = self.seat.read(|tx, _| self.sight.stand(tx)).unwrap_or_default();
        let located = self.seat.located();
        let limits = Limits {
            message_bytes: limits::MESSAGE_BYTES,
            value_bytes: limits::VALUE_BYTES,
            inline_bytes: limits::INLINE_BYTES,
        };
        let hello = ToClient::AuthSuccess {
            instance_id: located.id.as_str(),
            user_id: &self.seat.caller().principal.id,
            permission: located.permission.name(),
            protocol: (self.form == Form::Ours).then_some(2),
            name: &located.name,
            connection: &self.connection,
            log: &log,
            limits,
        };
        let hello = hello.text();
        self.send(hello);
    }

    /// Whether the client has to take answers first.
    fn is_full(&self) -> bool {
        self.out.len() >= ANSWERS || self.out.iter().map(Message::len).sum::<usize>() > ANSWERS_BYTES
    }

    /// Starts what can be started.
    fn advance(&mut self) {
        if !self.is_full() {
            self.turns.advance(&self.seat);
        }
        if self.reading.is_none()
            && self.out.is_empty()
            && self.is_flushed
            && let Some(next) = self.next.pop_front()
        {
            let reader = Reader {
                seat: self.seat.clone(),
                form: self.form,
                sight: Arc::clone(&self.sight),
                places: Arc::clone(&self.places),
            };
            self.reading = Some(reader.piece(next).boxed());
        }
    }

    /// Waits for whatever comes first.
    async fn event(&mut self, ends: Pin<&mut impl Future<Output = End>>, clock: Pin<&mut Sleep>) -> Event {
        if !self.is_flushed && self.alarms.stuck.is_none() {
            self.alarms.stuck = Some(Stuck::at(self.ws.get_ref().written()));
        }
        let may_read = self.turns.has_room() && !self.is_full();
        let is_live = self.reading.is_none() && self.next.is_empty() && self.out.is_empty();
        let (ws, out, is_flushed) = (&mut self.ws, &mut self.out, self.is_flushed);
        let io = poll_fn(|context| {
            if !is_flushed && let Poll::Ready(written) = write(ws, out, context) {
                return Poll::Ready(Event::Written(written));
            }
            if may_read && let Poll::Ready(read) = ws.poll_next_unpin(context) {
                return Poll::Ready(Event::Read(read));
            }
            Poll::Pending
        });
        let reading = async {
            match &mut self.reading {
                Some(reading) => Event::Piece(reading.await),
                None => std::future::pending().await,
            }
        };
        let comings = async {
            match &mut self.comings {
                Some(comings) => comings.changed().await.map_or(Event::Comings, |()| Event::Comings),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            event = io => event,
            done = self.turns.next() => Event::Done(done),
            event = reading => event,
            _ = self.news.changed(), if is_live => Event::News,
            event = comings => event,
            () = clock => Event::Alarm,
            end = ends => Event::End(end),
        }
    }

    /// Lets go of the buffers of large messages, which the library keeps for as long as it has the connection. To be called
    /// when all has gone out.
    async fn slim(&mut self) {
        if self.ws.get_ref().is_all_of(self.received) {
            self.ws = wire(self.ws.get_mut().moved()).await;
            self.is_swollen = false;
        }
    }

    fn piece(&mut self, piece: Result<Piece, OpError>) -> Option<End> {
        self.reading = None;
        let piece = match piece {
            Ok(piece) => piece,
            Err(error) => return Some(self.ended(&error)),
        };
        let Piece { messages, next, from: From { seq, .. }, place } = piece;
        let is_silent = messages.is_empty();
        self.out.extend(messages.into_iter().map(Message::Text));
        // Where nothing goes out there is nothing that would give it back.
        self.large = place.filter(|_| !is_silent);
        if let Some(next) = next {
            self.next.push_front(next);
        } else {
            // What happened before has been shown, or is shown again.
            self.heard.begin(self.cursor, seq);
            self.cursor = seq;
            if is_silent && self.sight.as_changes {
                self.alarms.position.get_or_insert(Instant::now() + POSITION_EVERY);
            } else {
                self.alarms.position = None;
            }
        }
        None
    }
}

/// Resolves when the socket is to end, whatever its client does.
async fn ends(seat: Seat, deleted: CancellationToken, leaving: CancellationToken) -> End {
    tokio::select! {
        () = deleted.cancelled() => End::Deleted,
        () = seat.lost() => End::Lost,
        () = leaving.cancelled() => End::Stopping,
    }
}

/// Writes as much as the connection takes; ready when all has gone out.
pub(super) fn write(ws: &mut Wire, out: &mut VecDeque<Message>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
    while !out.is_empty() {
        ready!(ws.poll_ready_unpin(context))?;
        if let Some(message) = out.pop_front() {
            ws.start_send_unpin(message)?;
        }
    }
    ws.poll_flush_unpin(context)
}
