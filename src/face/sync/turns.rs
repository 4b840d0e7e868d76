//! The messages of one socket on their way through the kernel: in order, many at a time.
//!
//! Sets join the commits of the instance while earlier ones are still under way; what has to see them, or what later
//! ones have to see, waits its turn.

use std::{collections::VecDeque, sync::Arc};

use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use serde_json::Value;

use crate::{
    kernel::{Caller, Kernel, seat::Seat},
    model::{
        error::OpError,
        instance::InstanceRef,
        limits,
        permission::{self, Action, Permission},
    },
    ops::{
        self,
        bounds::{IdempotencyKey, Whole},
        keys::{
            delete,
            put::{Delivered, Put},
        },
        operation::{Answer, Operation as _, Reply, Target},
    },
};

use super::{
    Form, Proving,
    from_client::{Auth, Call, Clear, Delete, FromClient, Set, Subscribe, key_name},
    intake::Place,
};

/// What a message came to.
pub(super) enum Done {
    /// A set, a delete or a clear.
    Written { what: Wrote, key: Option<String>, op_id: Option<String>, result: Result<Reply, OpError> },
    /// A call.
    Called { op_id: String, result: Result<Reply, OpError> },
    /// An `auth`: the most that may be done from now on.
    Proved(Result<Permission, &'static str>),
    /// A subscription.
    Subscribed(Subscribe),
    /// A `ping`: everything before it is done.
    Pinged,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrote {
    Set,
    Delete,
    Clear,
}

struct Waiting {
    message: FromClient,
    sent: Sent,
    taken: Taken,
}

/// How a message came.
struct Sent {
    /// The frame, where its arguments are to be told from others sent under the same key.
    frame: Option<String>,
    /// What was known of deletions when it came.
    delivered: Option<Delivered>,
}

/// What a message takes until it is done: its bytes, and a place if it is large.
struct Taken {
    bytes: usize,
    #[expect(dead_code, reason = "it is free again when the message is done")]
    place: Option<Place>,
}

/// A message that is done, and what it counted for.
struct Finished {
    done: Done,
    taken: Taken,
    is_ordered: bool,
}

/// The messages under way.
pub(super) struct Turns {
    kernel: Arc<Kernel>,
    proving: Proving,
    form: Form,
    queue: VecDeque<Waiting>,
    running: FuturesUnordered<BoxFuture<'static, Finished>>,
    /// Of those that run, how many others may have to wait for.
    ordered: usize,
    /// One runs that all later ones wait for.
    is_barred: bool,
    bytes: usize,
}

impl Turns {
    /// None yet.
    pub(super) fn new(kernel: Arc<Kernel>, proving: Proving, form: Form) -> Self {
        Self {
            kernel,
            proving,
            form,
            queue: VecDeque::new(),
            running: FuturesUnordered::new(),
            ordered: 0,
            is_barred: false,
            bytes: 0,
        }
    }

    /// Whether more may come in.
    pub(super) fn has_room(&self) -> bool {
        self.queue.len() + self.running.len() < limits::SOCKET_IN_FLIGHT && self.bytes < limits::SOCKET_IN_FLIGHT_BYTES
    }

    /// Whether any runs that others may have to wait for.
    pub(super) fn is_busy(&self) -> bool {
        self.ordered > 0
    }

    /// Takes in a message of a client that has heard of so much. A large one keeps its place until it is done.
    pub(super) fn push(
        &mut self,
        message: FromClient,
        frame: &str,
        delivered: Option<Delivered>,
        place: Option<Place>,
    ) {
        let key = match &message {
            FromClient::Set(Set { idempotency_key, .. })
            | FromClient::Delete(Delete { idempotency_key, .. })
            | FromClient::Clear(Clear { idempotency_key, .. }) => idempotency_key.as_ref(),
            _ => None,
        };
        self.bytes += frame.len();
        let sent = Sent { frame: key.map(|_| frame.to_owned()), delivered };
        self.queue.push_back(Waiting { message, sent, taken: Taken { bytes: frame.len(), place } });
    }

    /// Starts what may be started.
    pub(super) fn advance(&mut self, seat: &Seat) {
        while let Some(first) = self.queue.front() {
            if self.is_barred || (self.ordered > 0 && is_alone(&first.message)) {
                return;
            }
            let Some(waiting) = self.queue.pop_front() else { return };
            self.start(seat, waiting);
        }
    }

    /// The next that is done. Never resolves while nothing runs.
    pub(super) async fn next(&mut self) -> Done {
        match self.running.next().await {
            Some(finished) => self.finished(finished),
            None => std::future::pending().await,
        }
    }

    /// Does all that was taken in but for what waits.
    pub(super) async fn finish(&mut self, seat: &Seat) {
        loop {
            self.advance(seat);
            if self.ordered == 0 && self.queue.is_empty() {
                return;
            }
            drop(self.next().await);
        }
    }

    /// One that is done already.
    pub(super) fn done_now(&mut self) -> Option<Done> {
        let finished = self.running.next().now_or_never().flatten()?;
        Some(self.finished(finished))
    }

    fn finished(&mut self, finished: Finished) -> Done {
        let Finished { done, taken, is_ordered } = finished;
        self.bytes -= taken.bytes;
        if is_ordered {
            self.ordered -= 1;
            // Only the last that was started can have barred the way.
            self.is_barred &= self.ordered > 0;
        }
        done
    }

    fn run(
        &mut self,
        taken: Taken,
        is_ordered: bool,
        is_barring: bool,
        work: impl Future<Output = Done> + Send + 'static,
    ) {
        self.ordered += usize::from(is_ordered);
        self.is_barred |= is_ordered && is_barring;
        self.running.push(async move { Finished { done: work.await, taken, is_ordered } }.boxed());
    }

    fn start(&mut self, seat: &Seat, waiting: Waiting) {
        let Waiting { message, sent, taken } = waiting;
        let bytes = taken.bytes;
        let seat = seat.clone();
        // A value in a file of its own is saved before its turn, so what comes later would overtake it.
        let is_large = bytes > limits::INLINE_BYTES;
        match message {
            FromClient::Set(asked) => {
                self.run(taken, true, is_large, write_set(seat, asked, sent, bytes, self.form));
            }
            FromClient::Delete(delete) => self.run(taken, true, false, write_delete(seat, delete, sent.frame)),
            FromClient::Clear(clear) => self.run(taken, true, false, write_clear(seat, clear, sent.frame)),
            FromClient::Call(call) => {
                let waits = ops::find(call.op.as_str()).is_some_and(|entry| entry.meta.waits);
                let (kernel, is_token) = (Arc::clone(&self.kernel), self.proving.is_token);
                self.run(taken, !waits, true, called(kernel, seat, call, is_token, bytes));
            }
            FromClient::Auth(auth) => {
                let proving = self.proving.clone();
                self.run(taken, true, true, async move { Done::Proved(prove(proving, seat, auth).await) });
            }
            FromClient::Subscribe(to) => self.run(taken, true, true, async move { Done::Subscribed(to) }),
            FromClient::Ping | FromClient::Presence(_) => self.run(taken, true, false, async { Done::Pinged }),
        }
    }
}

/// Whether a message has to see all that came before it.
fn is_alone(message: &FromClient) -> bool {
    !matches!(message, FromClient::Set(_) | FromClient::Delete(_) | FromClient::Clear(_))
}

/// The arguments by which a message is known again: all that it says but its name.
fn once(key: Option<IdempotencyKey>, frame: Option<String>) -> Option<(IdempotencyKey, Value)> {
    let mut args: Value = serde_json::from_str(&frame?).ok()?;
    if let Some(members) = args.as_object_mut() {
        for name in ["opId", "idempotencyKey", "timestamp"] {
            members.shift_remove(name);
        }
    }
    Some((key?, args))
}

async fn write_set(seat: Seat, asked: Set, came: Sent, bytes: usize, form: Form) -> Done {
    let Sent { frame, delivered } = came;
    let (key, op_id) = (Some(asked.key.clone()), asked.op_id.as_ref().map(|id| id.as_str().to_owned()));
    let write = async {
        if !permission::mode_allows(seat.mode(), Action::Write) {
            return Err(denied("Write permission required"));
        }
        let (key, wanted) = asked.wanted(form)?;
        let put = Put {
            key,
            value: asked.value,
            wanted,
            if_version: asked.if_version,
            ttl_ms: asked.ttl_ms.map(Whole::get),
            delivered,
        };
        seat.write(Put::NAME, Box::new(put), bytes, once(asked.idempotency_key, frame)).await
    };
    Done::Written { what: Wrote::Set, key, op_id, result: write.await }
}

async fn write_delete(seat: Seat, delete: Delete, frame: Option<String>) -> Done {
    let Delete { key, op_id, if_version, idempotency_key } = delete;
    let name = Some(key.clone());
    let write = async {
        if !permission::mode_allows(seat.mode(), Action::Delete) {
            return Err(denied("Write permission required"));
        }
        let delete = delete::Delete { key: key_name(&key)?, if_version };
        seat.write(delete::Delete::NAME, Box::new(delete), 0, once(idempotency_key, frame)).await
    };
    let op_id = op_id.map(|id| id.as_str().to_owned());
    Done::Written { what: Wrote::Delete, key: name, op_id, result: write.await }
}

async fn write_clear(seat: Seat, clear: Clear, frame: Option<String>) -> Done {
    let Clear { op_id, idempotency_key } = clear;
    let write = async {
        if !permission::mode_allows(seat.mode(), Action::Arrange) {
            return Err(denied("System permission required"));
        }
        seat.write(delete::Clear::NAME, Box::new(delete::Clear {}), 0, once(idempotency_key, frame)).await
    };
    let op_id = op_id.map(|id| id.as_str().to_owned());
    Done::Written { what: Wrote::Clear, key: None, op_id, result: write.await }
}

/// What the first MindCache says to who may not.
fn denied(what: &str) -> OpError {
    OpError::PermissionDenied { what: what.into(), remedy: String::new() }
}

async fn called(kernel: Arc<Kernel>, seat: Seat, call: Call, is_token: bool, message_bytes: usize) -> Done {
    let Call { op, args, op_id, idempotency_key } = call;
    let result = async {
        let name = op.as_str();
        let entry = ops::find(name);
        let is_forward = entry.is_some_and(|entry| matches!(entry.answer, Answer::Forward));
        let is_beyond = entry.is_some_and(|entry| entry.meta.target == Target::Catalog);
        // A token is for one instance, whatever else whoever asked for it may do.
        if is_forward || (is_token && is_beyond) {
            return Err(OpError::PermissionDenied {
                what: format!("{name} through this connection"),
                remedy: "Call operations of this instance; others take a key of your own".into(),
            });
        }
        let instance = InstanceRef::Id(seat.located().id.clone());
        let caller = if is_beyond { seat.beyond() } else { seat.caller().clone() };
        let caller = Caller { once: idempotency_key, message_bytes, is_confined: is_token, ..caller };
        kernel.execute(&caller, &instance, name, Value::Object(args)).await
    };
    Done::Called { op_id: op_id.as_str().to_owned(), result: result.await }
}

/// What a key that is shown on an open socket allows here.
async fn prove(proving: Proving, seat: Seat, auth: Auth) -> Result<Permission, &'static str> {
    let Some(proofs) = proving.proofs else {
        // Where nobody asks, whoever says who they are may write, as ever.
        return Ok(Permission::Write);
    };
    let proved = proofs.prove(Some(&format!("Bearer {}", auth.api_key))).await;
    let principal = proved.map_err(|error| {
        if matches!(error, OpError::Unauthenticated { .. }) {
            let actor = &seat.caller().actor;
            proofs.tell_of_stranger(actor.from.as_deref().unwrap_or("sync unknown"), &actor.client, &error);
        }
        "Invalid API key"
    })?;
    let caller = Caller { principal, ..seat.caller().clone() };
    let instance = InstanceRef::Id(seat.located().id.clone());
    let located = proving.kernel.locate(&caller, &instance).map_err(|_| "Instance not found or access denied")?;
    Ok(located.permission)
}
