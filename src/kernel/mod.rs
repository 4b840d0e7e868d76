//! Order: validate, authorise, apply, log, commit, reply, feed. Every face calls [`Kernel::execute`].

mod access;
mod actor;
mod audit;
mod busy;
pub mod clock;
mod credentials;
pub mod duties;
mod expiry;
pub mod export;
pub mod feed;
mod files;
mod follow;
mod found;
mod group;
mod handle;
mod holds;
mod instances;
mod order;
mod parts;
mod port;
mod quiet;
mod recent;
mod search;
pub mod seat;
mod sign_ins;
mod stats;
pub mod values;

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError, Weak, atomic::AtomicBool},
    time::Duration,
};

use serde_json::Value;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{
    model::{
        actor::Actor,
        error::{OpError, Reason},
        instance::{InstanceId, InstanceRef},
        limits,
        permission::{self, Mode, Principal},
    },
    ops::{
        self,
        bounds::IdempotencyKey,
        catalog,
        idempotency::Once,
        operation::{Answer, Call, Cx, EffectClass, Entry, Reply, Step, Target, Wait, parse, weight},
        schema,
        tx::Tx,
    },
    store::Store,
};

pub use files::{most_connections, most_open};

use clock::Clock;
use duties::Care;
use files::Files;
use found::Found;
use handle::{Handle, Look};
pub use holds::Hold;
use holds::Holds;
pub use instances::Located;
use order::{Fresh, Order};
pub use parts::{Lasting, Part};
pub use stats::Stats;

/// Who calls, and how much they may do.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who was identified.
    pub principal: Principal,
    /// How much this connection may do.
    pub mode: Mode,
    /// The author for the log.
    pub actor: Actor,
    /// Only a key that exists is written: a tool that was made for it must not bring it back.
    pub existing_only: bool,
    /// The call is done at most once under this key.
    pub once: Option<IdempotencyKey>,
    /// Cancelled when the caller is leaving: what it waits for is answered at once.
    pub leaving: CancellationToken,
    /// Places for the calls of its session that wait.
    pub waits: Arc<Semaphore>,
    /// Size of the message that the call came in, if it is not small: it is kept as long as the call.
    pub message_bytes: usize,
    /// The call reaches no other instance than the one it is made for, whatever else they may do.
    pub is_confined: bool,
}

impl Caller {
    /// The user of this machine through a program, in one connection or command of it.
    pub fn local(kind: permission::PrincipalKind, mode: Mode, client: &str, run: String) -> Self {
        Self::of(Principal::local(kind), mode, client, run)
    }

    /// Somebody through a program: what they may do is decided at each call, and is never more than `mode`.
    pub fn of(principal: Principal, mode: Mode, client: &str, run: String) -> Self {
        let client = client.chars().filter(|c| !c.is_control()).take(limits::CLIENT_CHARACTERS).collect();
        let from = principal.from.clone();
        let actor = Actor { principal: principal.id.clone(), kind: principal.kind, client, run, from };
        Self::by(principal, mode, actor)
    }

    /// The kernel itself: upkeep.
    fn system() -> Self {
        Self::by(Principal::local(permission::PrincipalKind::App), Mode::Edit, Actor::system())
    }

    fn by(principal: Principal, mode: Mode, actor: Actor) -> Self {
        let (leaving, waits) = (CancellationToken::new(), Arc::new(Semaphore::new(limits::WAITS_OF_SESSION)));
        Self {
            principal,
            mode,
            actor,
            existing_only: false,
            once: None,
            leaving,
            waits,
            message_bytes: 0,
            is_confined: false,
        }
    }
}

/// The kernel over one store.
pub struct Kernel {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    handles: Mutex<HashMap<InstanceId, Arc<Handle>>>,
    stats: Arc<Stats>,
    files: Arc<Files>,
    care: Care,
    is_following: AtomicBool,
    found: Found,
    noted: credentials::Noted,
    holds: Holds,
    audit: audit::Audit,
    parts: parts::Parts,
    /// Instances that are being scrubbed, and those at which the work for that still goes on.
    scrubbing: Arc<Mutex<HashSet<InstanceId>>>,
    visiting: Arc<Mutex<HashSet<InstanceId>>>,
    /// Places for calls that wait.
    waits: Semaphore,
    this: Weak<Self>,
}

impl Kernel {
    /// A kernel over a store, with the clock that tells its time.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Arc<Self> {
        Self::with_care(store, clock, Care::default())
    }

    /// The same, kept in this way.
    pub fn with_care(store: Arc<dyn Store>, clock: Arc<dyn Clock>, care: Care) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            store,
            clock,
            handles: Mutex::default(),
            stats: Arc::default(),
            files: Arc::new(Files::new(care.files)),
            care,
            is_following: AtomicBool::new(false),
            found: Found::default(),
            noted: credentials::Noted::default(),
            holds: Holds::default(),
            audit: audit::Audit::default(),
            parts: parts::Parts::default(),
            scrubbing: Arc::default(),
            visiting: Arc::default(),
            waits: Semaphore::new(limits::WAITS),
            this: this.clone(),
        })
    }

    /// How much was written.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Does one operation on an instance, and answers when its changes are durable.
    pub async fn execute(
        &self,
        caller: &Caller,
        instance: &InstanceRef,
        name: &str,
        args: Value,
    ) -> Result<Reply, OpError> {
        let reply = self.perform(caller, instance, name, args).await;
        self.audited(caller, instance, name, reply)
    }

    async fn perform(
        &self,
        caller: &Caller,
        instance: &InstanceRef,
        name: &str,
        args: Value,
    ) -> Result<Reply, OpError> {
        let entry = ops::find(name).filter(|entry| entry.meta.listing != ops::operation::Listing::Internal);
        let entry = entry.ok_or_else(|| unknown_operation(name))?;
        if !entry.allowed(caller.mode) {
            return Err(permission::refuse_operation(caller.mode, entry.meta.action, entry.name));
        }
        match &entry.answer {
            Answer::Turn(parse) => {
                let bytes = weight(&args);
                let (handle, caller) = self.target(caller, instance, entry)?;
                let call = Self::call(&caller, entry, *parse, args)?;
                let is_maker = entry.meta.target == Target::Catalog && entry.meta.effect != EffectClass::Read;
                let fresh = if is_maker { Fresh::draw() } else { Fresh::default() };
                let order = Order { fresh, bytes, ..Order::new(entry.name, call.into(), caller.into_owned()) };
                self.turn(&handle, entry, order).await
            }
            Answer::Procedure(_) if caller.once.is_some() => {
                let rule = format!("{} takes none: look whether it was done before you call it again", entry.name);
                Err(OpError::invalid("idempotency_key", rule, ""))
            }
            Answer::Procedure(parse) => self.run(caller, instance, parse(args)?).await,
            Answer::Search => {
                let search: catalog::Search = parse(args)?;
                let mode = if caller.principal.is_local() { caller.mode } else { self.admit(caller, instance)?.1.mode };
                Reply::of(&catalog::search(ops::registry(), mode, search.query.as_str()))
            }
            Answer::Forward => {
                let forward: catalog::Forward = parse(args)?;
                let inner = ops::find(forward.name.as_str()).filter(|inner| !matches!(inner.answer, Answer::Forward));
                let inner = inner.ok_or_else(|| unknown_operation(forward.name.as_str()))?;
                let args = schema::lenient(forward.args.unwrap_or_default(), &inner.input_schema());
                let once = forward.idempotency_key.or_else(|| caller.once.clone());
                let caller = Caller { once, ..caller.clone() };
                Box::pin(self.execute(&caller, instance, inner.name, Value::Object(args))).await
            }
        }
    }

    /// Reads the arguments of a call, and wraps it if it is to be done once. What only reads may be done again.
    fn call(
        caller: &Caller,
        entry: &'static Entry,
        parse: fn(Value) -> Result<Box<dyn Call>, OpError>,
        args: Value,
    ) -> Result<Box<dyn Call>, OpError> {
        let may_be_once = caller.once.is_some() || args.get("idempotency_key").is_some();
        if !may_be_once || entry.meta.effect == EffectClass::Read {
            return parse(args);
        }
        let call = parse(args.clone())?;
        match caller.once.as_ref().or_else(|| call.idempotency_key()).cloned() {
            Some(key) => Ok(Box::new(Once::new(key, entry.name, &args, call))),
            None => Ok(call),
        }
    }

    /// Looks at one state of an instance, as the caller may: for what is derived and no operation.
    pub fn derive<T>(
        &self,
        caller: &Caller,
        instance: &InstanceRef,
        look: impl Fn(&mut Tx<'_>, &Cx) -> Result<T, OpError>,
    ) -> Result<T, OpError> {
        let admitted = self.admit(caller, instance);
        let (handle, caller) = self.audited(caller, instance, "derive", admitted)?;
        handle.read(&caller, Wait::default(), look)
    }

    /// The instance that an operation works on, and the caller as who they are there.
    fn target<'c>(
        &self,
        caller: &'c Caller,
        instance: &InstanceRef,
        entry: &Entry,
    ) -> Result<(Arc<Handle>, Cow<'c, Caller>), OpError> {
        if entry.meta.target == Target::Catalog {
            return Ok((self.handle(&InstanceId::catalog())?, Cow::Borrowed(caller)));
        }
        if matches!(instance, InstanceRef::Id(id) if id.is_catalog()) {
            return Err(permission::refuse_operation(caller.mode, permission::Action::Instances, entry.name));
        }
        let (handle, caller) = self.admit(caller, instance)?;
        if !entry.allowed(caller.mode) {
            return Err(permission::refuse_operation(caller.mode, entry.meta.action, entry.name));
        }
        Ok((handle, caller))
    }

    /// Applies an operation that was read from arguments.
    async fn turn(&self, handle: &Arc<Handle>, entry: &Entry, order: Order) -> Result<Reply, OpError> {
        if entry.meta.waits {
            self.wait(handle, &order.caller, order.call.as_ref()).await
        } else if entry.meta.effect == EffectClass::Read {
            answer(handle, &order.caller, order.call.as_ref())
        } else {
            self.write(handle, order).await
        }
    }

    /// One order's turn; what it took from the log is gone from the files before it is answered, where nobody reads them.
    async fn write(&self, handle: &Arc<Handle>, order: Order) -> Result<Reply, OpError> {
        let reply = handle.write(order).await;
        self.scrub_erased(handle).await;
        reply
    }

    /// Runs an operation that waits: again after each change, until it is done or its time is up.
    async fn wait(&self, handle: &Arc<Handle>, caller: &Caller, call: &dyn Call) -> Result<Reply, OpError> {
        let mut feed = self.follow(handle);
        let hold = self.hold(&caller.principal, Some(&InstanceRef::Id(handle.id.clone())))?;
        let mut wait = Wait::default();
        let mut deadline = None;
        let mut place = None;
        loop {
            feed.borrow_and_update();
            let Look { step, head } = handle.look(caller, call, wait)?;
            let (wait_ms, seen) = match step {
                Step::Done(reply) => return Ok(reply),
                Step::Park { wait_ms, seen } => (Duration::from_millis(wait_ms.min(limits::WAIT_MS)), seen),
            };
            wait.since = Some(seen);
            if seen < head && !wait.timed_out {
                // A long log is looked through in slices; the others get their turn in between.
                tokio::task::yield_now().await;
                continue;
            }
            if place.is_none() {
                place = Some(self.place_to_wait(caller)?);
            }
            let deadline = *deadline.get_or_insert_with(|| tokio::time::Instant::now() + wait_ms);
            tokio::select! {
                () = caller.leaving.cancelled() => wait.timed_out = true,
                () = hold.lost() => return Err(holds::lost()),
                heard = tokio::time::timeout_at(deadline, feed.changed()) => match heard {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return Err(stopped()),
                    Err(_) => wait.timed_out = true,
                },
            }
        }
    }

    /// The open instance of an id that the catalog knows.
    fn handle(&self, id: &InstanceId) -> Result<Arc<Handle>, OpError> {
        if let Some(handle) = self.handles().get(id) {
            return Ok(Arc::clone(handle));
        }
        if id.is_catalog() {
            // Made on first use; refused when it was lost.
            self.store.create(id)?;
        } else if !self.is_listed(id)? {
            return Err(ops::instances::not_found(id.as_str()));
        }
        let mut handles = self.handles();
        // Another caller may have been first.
        let handle = handles.entry(id.clone()).or_insert_with(|| {
            let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock));
            let handle = Handle::new(id.clone(), store, clock, Arc::clone(&self.stats), Arc::clone(&self.files));
            expiry::watch(&handle);
            quiet::watch(&handle);
            handle
        });
        Ok(Arc::clone(handle))
    }

    fn handles(&self) -> std::sync::MutexGuard<'_, HashMap<InstanceId, Arc<Handle>>> {
        // A map of handles is whole even if a holder panicked.
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs an operation that only reads and never waits.
fn answer(handle: &Handle, caller: &Caller, call: &dyn Call) -> Result<Reply, OpError> {
    match handle.look(caller, call, Wait::default())?.step {
        Step::Done(reply) => Ok(reply),
        Step::Park { .. } => Err(stopped()),
    }
}

fn unknown_operation(name: &str) -> OpError {
    OpError::NotFound { what: format!("operation \"{name}\""), remedy: "op_search shows those that exist".into() }
}

/// The refusal of a process that is ending.
fn stopped() -> OpError {
    OpError::Unavailable {
        reason: Reason::Stopped,
        what: "the instance stopped before it answered".into(),
        remedy: "look whether the change was made, then try again".into(),
    }
}

#[cfg(test)]
mod tests;
