//! REST: keys and operations as resources of HTTP, for programs that speak it directly and for the page.

mod body;
mod changes;
mod export;
mod gzip;
mod marks;
mod openapi;
mod ops;
mod problem;
mod seed;
mod seed_admin;
mod seed_delegates;
mod seed_groups;
mod seed_instances;
mod seed_keys;
mod seed_projects;
mod seed_routes;
mod seed_shares;
mod seed_ws_token;
mod stm;
mod table;
mod values;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    http::{HeaderMap, Method, header},
};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{
    access::{sign_in::Watched, ws_tokens::WsTokens},
    face::http::{Pages, Stop, Who},
    kernel::{Caller, Kernel},
    model::{
        error::OpError,
        instance::InstanceRef,
        limits,
        permission::{Mode, Principal, PrincipalKind},
    },
    ops::bounds::Version,
};

pub use openapi::open;
pub use seed_admin::admin;
use table::{Table, schema_of, told};

/// How often the sign-in is looked at by what lasts: when it is revoked, the page closes within a second.
const LOOK_EVERY: Duration = Duration::from_millis(400);

/// What the routes share.
struct Rest {
    kernel: Arc<Kernel>,
    /// Cancelled when the server ends: what waits is answered then.
    leaving: CancellationToken,
    pages: Option<Pages>,
    /// Places for those who follow changes, and for large bodies.
    listens: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

/// `/v1/i/{instance}/keys/{key}`: a value as it is, read, written and removed. `/v1/i/{instance}/ops/{op}`: any operation.
/// `/v1/i/{instance}/changes`: what changes, as it happens. `/v1/i/{instance}/stm`: all keys at once. `/api`: people,
/// projects, instances and rights in the shapes of the first MindCache. All in mode `edit`, as the token or the sign-in allows.
pub fn router(kernel: Arc<Kernel>, pages: Option<Pages>, stop: &Stop, tokens: Arc<WsTokens>) -> Router {
    let rest = Rest {
        kernel: Arc::clone(&kernel),
        leaving: stop.leaving.clone(),
        pages,
        listens: Arc::new(Semaphore::new(limits::LISTENS)),
        large: Arc::new(Semaphore::new(limits::LARGE_MESSAGES)),
    };
    let seed = seed::router(Arc::clone(&kernel), Arc::clone(&rest.large), tokens);
    gzip::over(values::routes().router(kernel).merge(routes().router(Arc::new(rest))).merge(seed))
}

/// Those that wait or have arguments of an operation.
fn routes() -> Table<Arc<Rest>> {
    let from = "The seq of the last change that is known";
    let seq = schema_of::<Version>(true);
    let events = "Events `change` (its seq is the id of the event), `position`, `truncated`, `signed_out` and `failed`";
    let changes = told("followChanges", "What changes, as it happens, as server-sent events")
        .query("since", &seq, from)
        .header("Last-Event-ID", &seq, from)
        .answers(200, events, Some(("text/event-stream", &json!({"type": "string"}))));
    Table::new().operations("/v1/i/{instance}/ops/{op}", "{op}", ops::call).on(
        Method::GET,
        "/v1/i/{instance}/changes",
        changes::follow,
        changes,
    )
}

/// Programs that call without MCP are known by their agent header, a person on the page by the tab.
fn caller(who: &Who, headers: &HeaderMap) -> Caller {
    let principal = match who {
        Who::Page { tab, from, .. } => {
            let person = Principal { from: Some(Arc::clone(from)), ..Principal::local(PrincipalKind::Human) };
            return Caller::of(person, Mode::Edit, "page", tab.clone());
        }
        Who::Program(principal) => principal.clone(),
    };
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or("http");
    let client = agent.split(['/', ' ']).next().unwrap_or_default();
    Caller::of(principal.through(PrincipalKind::App), Mode::Edit, client, String::new())
}

/// Refuses a page that was signed out while what it sends came in, which may take long.
fn check_signed_in(kernel: &Kernel, who: &Who) -> Result<(), OpError> {
    match who {
        Who::Page { sign_in: Some(id), .. } if kernel.sign_in(id)?.is_none() => Err(signed_out()),
        _ => Ok(()),
    }
}

fn signed_out() -> OpError {
    OpError::Unauthenticated {
        what: "this browser was signed out".into(),
        remedy: "Run `mindcache open` for a new link".into(),
    }
}

impl Rest {
    /// The sign-in that a request depends on for as long as it lasts; none but for pages.
    fn watch(&self, who: &Who) -> Option<Watched> {
        match (who, &self.pages) {
            (Who::Page { sign_in: Some(id), .. }, Some(pages)) => Some(pages.sign_ins.watch(id)),
            _ => None,
        }
    }
}

/// Makes the local user's instance `default` on its first use; no other is made so.
async fn begin(kernel: &Kernel, caller: &Caller, instance: &InstanceRef) -> Result<(), OpError> {
    if caller.principal.is_local() && *instance == InstanceRef::Name("default".into()) {
        kernel.locate_or_create(caller, instance).await?;
    }
    Ok(())
}
