//! The WebSocket face: the protocol of the first MindCache as its clients speak it, and ours (`?v=2`), which has
//! acknowledgements, versions, resuming and operations. `docs/sync.md` tells both.

mod answers;
mod coming;
mod ending;
mod entry;
mod from_client;
mod heard;
mod hub;
mod intake;
mod passing;
mod ring;
mod said;
mod sight;
mod socket;
mod state;
mod to_client;
mod turns;
mod upgrade;

#[cfg(test)]
mod published;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::get,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::{
    access::{
        proofs::Proofs,
        ws_tokens::{Admitted, Refused, WsTokens},
    },
    face::http::{Access, Stop, is_same_origin, refuse},
    kernel::{Caller, Kernel, Lasting},
    model::{
        error::OpError,
        instance::InstanceRef,
        limits,
        permission::{Mode, Permission, Principal, PrincipalKind},
    },
};

use coming::Coming;
use hub::Hubs;
use intake::Landings;
use socket::Beginning;
use state::Places;
use to_client::Present;
use turns::Turns;

/// How long sockets have to take their leave when the server stops.
const LEAVE: Duration = Duration::from_millis(400);

/// In which form a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// That of the first MindCache.
    Old,
    /// Ours.
    Ours,
}

/// What proves something on an open socket.
#[derive(Clone)]
struct Proving {
    kernel: Arc<Kernel>,
    /// Nothing where nobody is asked who they are.
    proofs: Option<Proofs>,
    /// The socket was opened by a token, which is for one instance.
    is_token: bool,
}

/// The sockets of one server.
pub struct Sockets {
    kernel: Arc<Kernel>,
    access: Access,
    tokens: Arc<WsTokens>,
    hubs: Hubs,
    places: Arc<Places>,
    landings: Landings,
    leaving: CancellationToken,
    open: Arc<Semaphore>,
}

impl Sockets {
    /// None yet.
    pub fn new(kernel: Arc<Kernel>, access: Access, tokens: Arc<WsTokens>, stop: &Stop) -> Arc<Self> {
        Arc::new(Self {
            hubs: Hubs::new(Arc::clone(&kernel)),
            kernel,
            access,
            tokens,
            places: Arc::new(Places::new()),
            landings: Landings::new(),
            leaving: stop.leaving.clone(),
            open: Arc::new(Semaphore::new(limits::SOCKETS)),
        })
    }

    /// The routes, which ask for a proof of their own: one that a browser can send too.
    pub fn routes(self: &Arc<Self>) -> Router {
        let missing = || async { refuse(StatusCode::BAD_REQUEST, "Instance ID required") };
        Router::new()
            .route("/sync", get(missing))
            .route("/sync/", get(missing))
            .route("/sync/{instance}", get(connect))
            .route("/sync/{instance}/{*rest}", get(connect_below))
            .with_state(Arc::clone(self))
    }

    /// Waits until the sockets have taken their leave, for a moment.
    pub async fn left(&self) {
        let all = u32::try_from(limits::SOCKETS).unwrap_or(u32::MAX);
        let all_left = tokio::time::timeout(LEAVE, self.open.acquire_many(all)).await;
        if all_left.is_err() {
            tracing::debug!("some sockets did not take their leave");
        }
    }
}

/// Who wants in, and as what.
struct Arriving {
    principal: Principal,
    most: Permission,
    /// The instance that a token is for.
    token: Option<Admitted>,
}

async fn connect_below(
    sockets: State<Arc<Sockets>>,
    Path((instance, _)): Path<(String, String)>,
    coming: Coming,
) -> Response {
    connect(sockets, Path(instance), coming).await
}

async fn connect(State(sockets): State<Arc<Sockets>>, Path(instance): Path<String>, coming: Coming) -> Response {
    match sockets.let_in(&instance, coming).await {
        Ok(response) => response,
        Err(Denied(status, why)) => refuse(status, &why),
    }
}

/// Why somebody is not let in.
#[derive(Debug)]
struct Denied(StatusCode, String);

fn refused(status: StatusCode, why: &str) -> Denied {
    Denied(status, why.to_owned())
}

fn unavailable(error: &OpError) -> Denied {
    refused(StatusCode::SERVICE_UNAVAILABLE, &error.to_string())
}

impl Sockets {
    async fn let_in(self: &Arc<Self>, instance: &str, coming: Coming) -> Result<Response, Denied> {
        let arriving = self.arriving(&coming).await?;
        let Coming { asked, upgrade, client, from, .. } = coming;
        let denied = || refused(StatusCode::FORBIDDEN, "Instance not found or access denied");
        let connection = uuid::Uuid::new_v4().simple().to_string();
        let principal = Principal { from: Some(from), ..arriving.principal };
        let caller = Caller::of(principal, Mode::Edit, &client, connection.clone());
        let caller = Caller { leaving: self.leaving.clone(), ..caller };
        let instance = InstanceRef::parse(instance).map_err(|_| denied())?;
        let instance = self.meant(&caller, instance, asked.get("project").map(String::as_str)).await;
        let seat = instance.and_then(|instance| self.kernel.seat(&caller, &instance, arriving.most));
        let seat = match seat {
            Ok(seat) => seat,
            Err(error @ OpError::Unavailable { .. }) => return Err(unavailable(&error)),
            Err(_) if arriving.token.is_some() => {
                return Err(refused(StatusCode::FORBIDDEN, "Token not valid for this instance"));
            }
            Err(_) => return Err(denied()),
        };
        if arriving.token.as_ref().is_some_and(|token| token.instance != seat.located().id) {
            let error = OpError::PermissionDenied { what: "this instance by this token".into(), remedy: String::new() };
            self.kernel.tell_of_refusal(&caller, &seat.located().id, &error);
            return Err(refused(StatusCode::FORBIDDEN, "Token not valid for this instance"));
        }
        let Some(upgrade) = upgrade else {
            return Err(refused(StatusCode::BAD_REQUEST, "WebSocket required or invalid endpoint"));
        };
        let part = self.kernel.part(&caller.principal, Lasting::Socket).map_err(|error| unavailable(&error))?;
        let landing = self.landings.of(part.user());
        let place = (place(&self.open)?, part);
        let hub = self.hubs.hub(&seat.located().id).map_err(|error| unavailable(&error))?;
        let form = if asked.get("v").is_some_and(|version| version == "2") { Form::Ours } else { Form::Old };
        let presence = hub.come(Present {
            connection: connection.clone(),
            principal: caller.principal.id.clone(),
            kind: caller.principal.kind.name(),
            client: caller.actor.client.clone(),
            since: self.kernel.now_ms(),
            note: None,
        });
        let proving = Proving {
            kernel: Arc::clone(&self.kernel),
            proofs: self.access.proofs.clone(),
            is_token: arriving.token.is_some(),
        };
        let sign_in = arriving.token.and_then(|token| token.sign_in);
        let sign_in = self.access.pages.as_ref().zip(sign_in).map(|(pages, id)| pages.sign_ins.watch(&id));
        let since = asked.get("since").and_then(|since| since.parse().ok()).filter(|_| form == Form::Ours);
        let beginning = Box::new(Beginning {
            seat,
            form,
            hub,
            places: Arc::clone(&self.places),
            turns: Turns::new(Arc::clone(&self.kernel), proving, form),
            presence,
            connection,
            since: since.map(|since| (since, asked.get("log").cloned())),
            as_changes: form == Form::Ours && asked.get("changes").is_some_and(|changes| changes == "1"),
            sign_in,
            leaving: self.leaving.clone(),
            place,
        });
        Ok(upgrade.answer(landing, move |wire| socket::serve(wire, beginning)))
    }

    /// Who shows what; who shows nothing that holds is told of in the trail.
    async fn arriving(&self, coming: &Coming) -> Result<Arriving, Denied> {
        let arriving = self.proved(&coming.asked, &coming.headers).await;
        arriving.inspect_err(|Denied(status, why)| {
            if *status == StatusCode::UNAUTHORIZED {
                let error = OpError::Unauthenticated { what: why.clone(), remedy: String::new() };
                self.kernel.tell_of_stranger(&coming.from, &coming.client, &error);
            }
        })
    }

    /// Who shows what, in the order in which clients of every age expect it to be looked at.
    async fn proved(&self, asked: &HashMap<String, String>, headers: &HeaderMap) -> Result<Arriving, Denied> {
        if let Some(token) = asked.get("token") {
            // It is spent now, whatever comes of it.
            let admitted = self.tokens.spend(token).map_err(|why| {
                let text = if why == Refused::Expired { "Token expired" } else { "Invalid token" };
                refused(StatusCode::UNAUTHORIZED, text)
            })?;
            // A page asks for itself; the port counts.
            if admitted.sign_in.is_some() && !is_same_origin(headers) {
                return Err(refused(StatusCode::FORBIDDEN, "this token is for the page of this server"));
            }
            let (principal, most) = (admitted.principal.clone(), admitted.permission);
            return Ok(Arriving { principal, most, token: Some(admitted) });
        }
        match self.access.prove_key(asked.get("apiKey").map(String::as_str), headers).await {
            Ok(Some(principal)) => {
                let principal = principal.through(PrincipalKind::App);
                Ok(Arriving { principal, most: Permission::Admin, token: None })
            }
            Ok(None) => Err(refused(StatusCode::UNAUTHORIZED, "Authorization required")),
            Err(OpError::Unauthenticated { .. }) => Err(refused(StatusCode::UNAUTHORIZED, "Invalid API key")),
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// The instance that is meant: by a name in a project where one is named. The local user's `default` is made on its
    /// first use.
    async fn meant(
        &self,
        caller: &Caller,
        instance: InstanceRef,
        project: Option<&str>,
    ) -> Result<InstanceRef, OpError> {
        if let (InstanceRef::Name(name), Some(project)) = (&instance, project.filter(|project| !project.is_empty())) {
            return self.kernel.instance_in(caller, project, name).map(InstanceRef::Id);
        }
        if caller.principal.is_local() && instance == InstanceRef::Name("default".into()) {
            self.kernel.locate_or_create(caller, &instance).await?;
        }
        Ok(instance)
    }
}

/// Takes a frame in as a socket does, for `tests/fuzz`.
#[cfg(fuzzing)]
pub fn try_frame(text: &str) {
    from_client::try_frame(text);
}

/// A place for one more socket.
fn place(open: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Denied> {
    Arc::clone(open).try_acquire_owned().map_err(|_| unavailable(&Lasting::Socket.full()))
}
