//! Operations by their names: the arguments as the JSON body, the structured result back.

use std::{pin::pin, sync::Arc};

use axum::{
    Extension, Json,
    extract::{Path, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde_json::Value;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{
    access::sign_in::Watched,
    face::http::{Who, refuse},
    kernel::Caller,
    model::{error::OpError, instance::InstanceRef},
    ops::{
        self,
        bounds::IdempotencyKey,
        operation::{EffectClass, Reply, Target},
    },
};

use super::{LOOK_EVERY, Rest, begin, body, caller, check_signed_in, gzip, problem::Problem, signed_out};

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
    let caller = Caller { once, leaving: rest.leaving.child_token(), ..caller(&who, &headers) };
    let instance = InstanceRef::parse(&instance)?;
    let meta = ops::find(&name).map(|entry| &entry.meta);
    if meta.is_some_and(|meta| meta.target == Target::Instance) {
        begin(&rest.kernel, &caller, &instance).await?;
    }
    let calling = rest.kernel.execute(&caller, &instance, &name, args);
    let reply = match rest.watch(&who) {
        Some(sign_in) => while_signed_in(sign_in, &caller.leaving, calling).await?,
        None => calling.await?,
    };
    let mut response = ([(header::CACHE_CONTROL, "no-store")], Json(reply.result)).into_response();
    if meta.is_some_and(|meta| meta.effect == EffectClass::Read) {
        response.extensions_mut().insert(gzip::Read);
    }
    Ok(response)
}

/// Answers a call of a page, which ends when the page is signed out. What it has changed by then stands.
async fn while_signed_in(
    mut sign_in: Watched,
    leaving: &CancellationToken,
    calling: impl Future<Output = Result<Reply, OpError>>,
) -> Result<Reply, OpError> {
    let mut calling = pin!(calling);
    loop {
        match timeout(LOOK_EVERY, calling.as_mut()).await {
            Ok(reply) => return reply,
            Err(_) if sign_in.holds() => {}
            Err(_) => {
                leaving.cancel();
                calling.await?;
                return Err(signed_out());
            }
        }
    }
}
