//! REST: keys as resources of HTTP, for programs that speak it directly.

mod problem;
mod values;

use std::sync::Arc;

use axum::{Router, routing::get};

use crate::kernel::Kernel;

#[cfg(test)]
pub(crate) use problem::status;

/// `/v1/i/{instance}/keys/{key}`: a value as it is, read, written and removed; in mode `edit`, as the token allows.
pub fn router(kernel: Arc<Kernel>) -> Router {
    let value = get(values::read).put(values::write).delete(values::delete);
    Router::new().route("/v1/i/{instance}/keys/{key}", value).with_state(kernel)
}
