//! `/api/ws-token`: a token that opens one WebSocket, for pages that must not hold a key.

use axum::{
    Json,
    body::Body,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    problem::Problem,
    seed::{Asking, Words, given},
    stm,
};
use crate::{
    access::ws_tokens::Admitted,
    face::http::{Who, refuse},
    model::{
        error::OpError,
        instance::InstanceRef,
        permission::{Permission, PrincipalKind},
    },
    ops::operation::parse,
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wanted {
    instance_id: Option<Words>,
    project_id: Option<Words>,
    permission: Option<Permission>,
}

/// A token that was made.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Made {
    token: String,
    /// In seconds since 1970.
    expires_at: i64,
    instance_id: String,
    permission: Permission,
}

/// Makes a token for a minute, for what the caller may do on the instance or for less.
pub(super) async fn create(asking: Asking, body: Body) -> Result<Response, Problem> {
    let bytes = asking.bytes(body).await?;
    let Ok(object) = serde_json::from_slice::<Map<String, Value>>(&bytes) else {
        return Ok(refuse(StatusCode::BAD_REQUEST, "Invalid JSON body"));
    };
    let wanted: Wanted = parse(Value::Object(object))?;
    let Some(instance) = given(wanted.instance_id) else {
        return Ok(refuse(StatusCode::BAD_REQUEST, "instanceId required"));
    };
    let (kernel, caller) = (&asking.seed.kernel, &asking.caller);
    let located = match (InstanceRef::parse(&instance), given(wanted.project_id)) {
        (Ok(InstanceRef::Name(name)), Some(project)) => {
            kernel.instance_in(caller, &project, &name).and_then(|id| kernel.locate(caller, &InstanceRef::Id(id)))
        }
        (Ok(instance), _) => {
            asking.begin(&instance).await?;
            kernel.locate(caller, &instance)
        }
        (Err(error), _) => Err(error),
    };
    let located = match located {
        Ok(located) => located,
        Err(error @ (OpError::Unavailable { .. } | OpError::Unauthenticated { .. })) => return Err(error.into()),
        Err(_) => return Ok(refuse(StatusCode::FORBIDDEN, "Instance not found or access denied")),
    };
    let permission = wanted.permission.unwrap_or(located.permission);
    if permission > located.permission {
        let has = located.permission.name();
        let text = format!("a token for {} is more than you may do on this instance: {has}", permission.name());
        return Ok(refuse(StatusCode::FORBIDDEN, &text));
    }
    let (sign_in, kind) = match &asking.who {
        Who::Page { sign_in, .. } => (sign_in.clone(), PrincipalKind::Human),
        Who::Program(_) => (None, PrincipalKind::App),
    };
    let principal = caller.principal.clone().through(kind);
    let admitted = Admitted { principal, sign_in, instance: located.id.clone(), permission };
    let (token, ends_ms) = asking.seed.tokens.issue(admitted)?;
    let made =
        Made { token, expires_at: ends_ms.div_euclid(1000), instance_id: located.id.as_str().to_owned(), permission };
    Ok(([stm::no_store()], Json(made)).into_response())
}
