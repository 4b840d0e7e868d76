//! One connection: what it is bound to, who calls through it, and its way to the kernel.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

use rmcp::{
    RoleServer,
    model::Extensions,
    service::{Peer, RequestContext},
};
use serde_json::Value;
use tokio::sync::{OnceCell, Semaphore};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    kernel::{Caller, Kernel, Located},
    model::{
        error::OpError,
        instance::{InstanceId, InstanceRef},
        limits,
        permission::{Mode, Principal, PrincipalKind},
    },
    ops::{
        operation::{Cx, Reply},
        tx::Tx,
    },
};

use super::{
    message,
    push::{self, Lists, Sink, Wanted},
};

/// One connection's handler: a thin view of the kernel, cheap to make.
#[derive(Clone)]
pub struct Server {
    pub(super) kernel: Arc<Kernel>,
    pub(super) mount: Mount,
    pub(super) leaving: CancellationToken,
    /// Names what this session or process writes in the log, once something asks for it.
    run: Arc<OnceLock<String>>,
    bound: Arc<OnceCell<Bound>>,
    /// What the client of an older session has subscribed to.
    pub(super) wanted: Wanted,
    /// Whether an older session is being told of changes already.
    follows: Arc<AtomicBool>,
    /// Places for its calls that wait.
    waits: Arc<Semaphore>,
    /// Places for its subscriptions of the newer protocol.
    pub(super) listens: Arc<Semaphore>,
    /// When a subscription of the newer protocol was last asked for.
    pub(super) asked_ms: Arc<AtomicI64>,
    /// Cancelled when the session ends.
    ended: CancellationToken,
    #[expect(dead_code, reason = "dropping it with the handler is what ends the session")]
    alive: Option<Arc<DropGuard>>,
}

/// What a connection is a connection to. Over HTTP the address says it, with each request.
#[derive(Debug, Clone)]
pub struct Mount {
    /// The instance.
    pub instance: InstanceRef,
    /// The project that is entered instead.
    pub project: Option<String>,
    /// How much the client may do.
    pub mode: Mode,
}

/// The instance that the connection turned out to use.
#[derive(Clone)]
pub(super) struct Bound {
    /// Its id as a reference: a rename does not lead the connection astray.
    pub(super) instance: InstanceRef,
    /// Its id.
    pub(super) id: InstanceId,
    /// Its name, for URIs.
    pub(super) name: String,
}

/// Who sends a message. On stdio that is the user of this machine; over HTTP the guard has told.
pub(super) fn principal(extensions: &Extensions) -> Principal {
    let Some(parts) = extensions.get::<axum::http::request::Parts>() else {
        return Principal::local(PrincipalKind::Agent);
    };
    let principal = parts.extensions.get::<Principal>().cloned();
    principal.unwrap_or_else(Principal::nobody).through(PrincipalKind::Agent)
}

impl Server {
    /// A handler for one mount. Its instance is made on first use if it is named and unknown; what a request's
    /// address names instead must exist, but for `default`.
    ///
    /// `leaving` is cancelled when the client has closed its end: what it waits for is then answered at once.
    pub fn new(kernel: Arc<Kernel>, mount: Mount, leaving: CancellationToken) -> Self {
        let ended = leaving.child_token();
        let alive = Some(Arc::new(ended.clone().drop_guard()));
        Self {
            kernel,
            mount,
            leaving,
            run: Arc::default(),
            bound: Arc::default(),
            wanted: Wanted::of_lists(Lists::ALL),
            follows: Arc::default(),
            waits: Arc::new(Semaphore::new(limits::WAITS_OF_SESSION)),
            listens: Arc::new(Semaphore::new(limits::LISTENS_OF_CONNECTION)),
            asked_ms: Arc::default(),
            ended,
            alive,
        }
    }

    /// What this request is addressed to.
    pub(super) fn mount<'c>(&'c self, context: &'c RequestContext<RoleServer>) -> &'c Mount {
        let parts = context.extensions.get::<axum::http::request::Parts>();
        parts.and_then(|parts| parts.extensions.get::<Mount>()).unwrap_or(&self.mount)
    }

    /// The instance. Nothing touches the store before the first request that needs it. A session stays with the
    /// instance that it began with: the address cannot change within it.
    pub(super) async fn bound(&self, context: &RequestContext<RoleServer>) -> Result<&Bound, OpError> {
        self.bound.get_or_try_init(|| async { self.bind(self.mount(context), &self.caller(context)).await }).await
    }

    async fn bind(&self, mount: &Mount, caller: &Caller) -> Result<Bound, OpError> {
        let wanted = &mount.instance;
        let (Located { id, name, .. }, created) = if let Some(project) = &mount.project {
            (self.kernel.enter_project(caller, project).await?, false)
        } else if *wanted == self.mount.instance {
            self.kernel.locate_or_create(caller, wanted).await?
        } else {
            (self.kernel.locate(caller, wanted)?, false)
        };
        if created {
            tracing::warn!("made the instance \"{name}\", which did not exist");
        }
        Ok(Bound { instance: InstanceRef::Id(id.clone()), id, name })
    }

    /// Tells an older session of changes from now on until it ends; once, however often it says that it has begun.
    pub(super) fn begin_to_follow(&self, mount: Mount, principal: Principal, peer: Peer<RoleServer>) {
        if self.follows.swap(true, Ordering::AcqRel) {
            return;
        }
        // The task must not keep the session alive, whose end is what ends it.
        let server = Self { alive: None, ..self.clone() };
        drop(tokio::spawn(server.follow(mount, principal, peer, self.kernel.now_ms())));
    }

    async fn follow(self, mount: Mount, principal: Principal, peer: Peer<RoleServer>, since_ms: i64) {
        let client = peer.peer_info().map(|info| info.client_info.name.clone()).unwrap_or_default();
        let caller = self.caller_in(principal, &mount, &client, self.run());
        let feed = match self.bound.get_or_try_init(|| self.bind(&mount, &caller)).await {
            Ok(bound) => self.kernel.feed(&caller, &bound.instance, since_ms),
            Err(error) => Err(error),
        };
        match feed {
            Ok(feed) => push::run(feed, self.wanted.clone(), Sink::Session(peer), self.ended).await,
            // The first request says it to the client.
            Err(error) => tracing::debug!(%error, "a client will not be told of changes"),
        }
    }

    pub(super) fn caller(&self, context: &RequestContext<RoleServer>) -> Caller {
        let client = context.client_info().map(|info| info.name).unwrap_or_default();
        // Requests of the newer protocol over HTTP belong to no session: a program's own are those of its name.
        let has_session = context.protocol_version().is_none_or(|version| version.has_initialize());
        let is_http = context.extensions.get::<axum::http::request::Parts>().is_some();
        let run = if has_session || !is_http { self.run() } else { String::new() };
        let caller = self.caller_in(principal(&context.extensions), self.mount(context), &client, run);
        Caller { message_bytes: message::bytes(&context.extensions), ..caller }
    }

    fn run(&self) -> String {
        self.run.get_or_init(|| uuid::Uuid::new_v4().simple().to_string()).clone()
    }

    fn caller_in(&self, principal: Principal, mount: &Mount, client: &str, run: String) -> Caller {
        let caller = Caller::of(principal, mount.mode, client, run);
        Caller { leaving: self.leaving.clone(), waits: Arc::clone(&self.waits), ..caller }
    }

    /// How much the client may do: what it is connected for, as far as it may now. What cannot be told is little.
    pub(super) async fn mode(&self, context: &RequestContext<RoleServer>) -> Mode {
        let (caller, mode) = (self.caller(context), self.mount(context).mode);
        if caller.principal.is_local() {
            return mode;
        }
        match self.bound(context).await.and_then(|bound| self.kernel.locate(&caller, &bound.instance)) {
            Ok(located) => mode.min(located.permission.mode(caller.principal.kind)),
            Err(_) => Mode::Read,
        }
    }

    /// Does an operation on the connection's instance. Gives up when the client cancels the request.
    pub(super) async fn execute(
        &self,
        context: &RequestContext<RoleServer>,
        name: &str,
        args: Value,
    ) -> Result<(Reply, &Bound), OpError> {
        self.execute_as(self.caller(context), context, name, args).await
    }

    /// The same for a tool of a single key, which only works on that key.
    pub(super) async fn execute_on_key(
        &self,
        context: &RequestContext<RoleServer>,
        name: &str,
        args: Value,
    ) -> Result<(Reply, &Bound), OpError> {
        self.execute_as(Caller { existing_only: true, ..self.caller(context) }, context, name, args).await
    }

    /// Looks at what the keys of the connection's instance make.
    pub(super) async fn derive<T>(
        &self,
        context: &RequestContext<RoleServer>,
        look: impl Fn(&mut Tx<'_>, &Cx) -> Result<T, OpError>,
    ) -> Result<T, OpError> {
        let bound = self.bound(context).await?;
        self.kernel.derive(&self.caller(context), &bound.instance, look)
    }

    async fn execute_as(
        &self,
        caller: Caller,
        context: &RequestContext<RoleServer>,
        name: &str,
        args: Value,
    ) -> Result<(Reply, &Bound), OpError> {
        let bound = self.bound(context).await?;
        let reply = self.kernel.execute(&caller, &bound.instance, name, args);
        tokio::select! {
            biased;
            reply = reply => Ok((reply?, bound)),
            () = context.ct.cancelled() => Err(OpError::Unavailable {
                reason: crate::model::error::Reason::Stopped,
                what: "the client cancelled the request".into(),
                remedy: "look whether the change was made before you try again".into(),
            }),
        }
    }
}
