//! Operations by their names: the arguments as the JSON body, the structured result back.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Path, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde_json::Value;

use crate::{
    face::http::{Who, refuse},
    kernel::Caller,
    model::instance::InstanceRef,
    ops::{self, bounds::IdempotencyKey, operation::Target},
};

use super::{Rest, body, caller, check_signed_in, problem::Problem};

/// Does an operation on an instance. `Idempotency-Key` has it done once.
pub(super) async fn call(
    State(rest): State<Arc<Rest>>,
    Extension(who): Extension<Who>,
    Path((instance, name)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    let headers = request.headers().clone();
    // A form cannot send this type: what a browser sends without asking is refused.
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        let why = "send the arguments as a JSON object, with Content-Type: application/json";
        return Ok(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
    }
    let once = match headers.get("idempotency-key") {
        // What is no visible ASCII is refused as an empty one is.
        Some(key) => Some(ops::operation::parse::<IdempotencyKey>(key.to_str().unwrap_or_default().into())?),
        None => None,
    };
    let args = Value::Object(body::object(request.into_body(), &rest.large).await?);
    check_signed_in(&rest.kernel, &who)?;
    let caller = Caller { once, leaving: rest.leaving.clone(), ..caller(&who, &headers) };
    let instance = InstanceRef::parse(&instance)?;
    if ops::find(&name).is_some_and(|entry| entry.meta.target == Target::Instance) {
        rest.begin(&caller, &instance).await?;
    }
    let reply = rest.kernel.execute(&caller, &instance, &name, args).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(reply.result)).into_response())
}
