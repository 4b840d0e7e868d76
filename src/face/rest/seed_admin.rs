//! `/admin/do/{id}`: every key of an instance, for whoever runs the server and has set a token for that. The token of
//! this route is one of its own, so it stands outside of what asks who it is.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{Extensions, HeaderMap, Method, header},
    response::{IntoResponse as _, Response},
};
use schemars::JsonSchema;
use serde::Serialize;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::{
    caller,
    problem::Problem,
    stm,
    table::{Table, told},
};
use crate::{
    face::http::{Who, from},
    kernel::Kernel,
    model::{
        error::OpError,
        instance::{InstanceId, InstanceRef},
        permission::{Principal, PrincipalKind},
    },
    ops::keys::map,
};

/// What the route needs.
pub(super) struct Admin {
    kernel: Arc<Kernel>,
    token: Option<String>,
}

/// The route; without a token nobody passes.
pub fn admin(kernel: Arc<Kernel>, token: Option<String>) -> Router {
    let admin = Admin { kernel, token: token.filter(|token| !token.is_empty()) };
    routes().router(Arc::new(admin))
}

/// The same for the document.
pub(super) fn routes() -> Table<Arc<Admin>> {
    let read =
        told("readAllKeys", "Every key of an instance, hidden ones too").gives::<All>(200).for_admin().may(&[413]);
    Table::new().on(Method::GET, "/admin/do/{id}", self::read, read)
}

/// What it answers.
#[derive(Debug, Serialize, JsonSchema)]
struct All {
    keys: stm::Keys,
}

/// All keys, hidden ones too. The id may be written without hyphens.
async fn read(
    State(admin): State<Arc<Admin>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    extensions: Extensions,
) -> Result<Response, Problem> {
    let shown = headers.get("x-admin-token").map_or(&b""[..], |token| token.as_bytes());
    let is_it = |token: &String| token.as_bytes().ct_eq(shown).into();
    if !admin.token.as_ref().is_some_and(is_it) {
        let error = OpError::Unauthenticated {
            what: "the admin token is missing or another one".into(),
            remedy: "Send X-Admin-Token with the ADMIN_TOKEN that the server was started with".into(),
        };
        let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        admin.kernel.tell_of_stranger(&from("rest", &extensions), agent.unwrap_or_default(), &error);
        return Err(Problem(error));
    }
    let id = Uuid::parse_str(&id).map(InstanceId::from_uuid);
    let id = id.map_err(|_| OpError::invalid("id", "it is the id of an instance", ""))?;
    let caller = caller(&Who::Program(Principal::local(PrincipalKind::Human)), &headers);
    let read = tokio::task::spawn_blocking(move || admin.kernel.derive(&caller, &InstanceRef::Id(id), map::read));
    let whole = read.await.map_err(|_| stm::broken())??;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(All { keys: stm::shown(whole) })).into_response())
}
