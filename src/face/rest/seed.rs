//! The REST of the first MindCache: its paths, shapes and times over the operations of the registry. What the `seed_…`
//! files share stands here.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Body,
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
    routing::{any, delete, get, post},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;

use super::{
    begin, body, caller, check_signed_in, problem::Problem, seed_delegates, seed_groups, seed_instances, seed_keys,
    seed_projects,
};
use super::{seed_shares, seed_ws_token, stm};
use crate::{
    access::ws_tokens::WsTokens,
    face::http::Who,
    kernel::{Caller, Kernel},
    model::{
        error::OpError,
        instance::{InstanceId, InstanceRef},
        permission::Principal,
        time,
    },
    ops::operation::parse,
};

/// What its routes share.
pub(super) struct Seed {
    pub(super) kernel: Arc<Kernel>,
    /// Places for large bodies.
    large: Arc<Semaphore>,
    /// The tokens for WebSockets that are out.
    pub(super) tokens: Arc<WsTokens>,
}

/// The routes.
pub(super) fn router(kernel: Arc<Kernel>, large: Arc<Semaphore>, tokens: Arc<WsTokens>) -> Router {
    let seed = Seed { kernel, large, tokens };
    let project = get(seed_projects::read).put(seed_projects::change).patch(seed_projects::change);
    let instance = get(seed_instances::read).patch(seed_instances::rename).delete(seed_instances::remove);
    let grants = get(seed_delegates::grants).post(seed_delegates::grant);
    Router::new()
        .route("/api/projects", get(seed_projects::list).post(seed_projects::create))
        .route("/api/projects/{id}", project.delete(seed_projects::remove))
        .route("/api/projects/{id}/instances", get(seed_instances::inside).post(seed_instances::create))
        .route("/api/projects/{id}/shares", get(seed_shares::of_project).post(seed_shares::project))
        .route("/api/instances", get(seed_instances::list))
        .route("/api/instances/{id}", instance)
        .route("/api/instances/{id}/shares", get(seed_shares::of_instance).post(seed_shares::instance))
        .route("/api/shares/{id}", delete(seed_shares::remove))
        .route("/api/keys", get(seed_keys::list).post(seed_keys::create))
        .route("/api/keys/{id}", delete(seed_keys::revoke))
        .route("/api/delegates", get(seed_delegates::list).post(seed_delegates::create))
        .route("/api/delegates/{id}", delete(seed_delegates::remove))
        .route("/api/delegates/{id}/secrets", get(seed_delegates::secrets).post(seed_delegates::make_secret))
        .route("/api/delegates/{id}/secrets/{secret}", delete(seed_delegates::revoke_secret))
        .route("/api/delegates/{id}/grants", grants)
        .route("/api/delegates/{id}/grants/{instance}", delete(seed_delegates::take_back))
        .route("/api/groups", get(seed_groups::list).post(seed_groups::create))
        .route("/api/groups/{id}", delete(seed_groups::remove))
        .route("/api/groups/{id}/members", get(seed_groups::members).post(seed_groups::add))
        .route("/api/groups/{id}/members/{member}", delete(seed_groups::take_out))
        .route("/api/ws-token", post(seed_ws_token::create))
        .route("/api/{*rest}", any(unknown))
        .route("/v1/i/{instance}/stm", get(stm::read).put(stm::write))
        .with_state(Arc::new(seed))
}

/// What is not there answers like everything that is not there, to who has proved who they are.
async fn unknown() -> Problem {
    Problem(OpError::NotFound { what: "this address".into(), remedy: "The routes are in the documentation".into() })
}

/// Somebody who asks for something, by one request.
pub(super) struct Asking {
    pub(super) seed: Arc<Seed>,
    pub(super) caller: Caller,
    pub(super) who: Who,
}

impl FromRequestParts<Arc<Seed>> for Asking {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, seed: &Arc<Seed>) -> Result<Self, Problem> {
        let who = parts.extensions.get::<Who>().cloned().unwrap_or_else(|| Who::Program(Principal::nobody()));
        Ok(Self { seed: Arc::clone(seed), caller: caller(&who, &parts.headers), who })
    }
}

impl Asking {
    /// Does an operation of the catalog; its name is that of its type.
    pub(super) async fn call(&self, name: &'static str, args: Value) -> Result<Value, Problem> {
        let catalog = InstanceRef::Id(InstanceId::catalog());
        Ok(self.seed.kernel.execute(&self.caller, &catalog, name, args).await?.result)
    }

    /// The same, and its result as it is shown here.
    pub(super) async fn ask<T: DeserializeOwned>(&self, name: &'static str, args: Value) -> Result<T, Problem> {
        Ok(parse(self.call(name, args).await?)?)
    }

    /// Every item of a list: here lists have no pages.
    pub(super) async fn all<T: DeserializeOwned>(
        &self,
        name: &'static str,
        mut args: Map<String, Value>,
        list: &str,
    ) -> Result<Vec<T>, Problem> {
        let mut all: Vec<T> = Vec::new();
        loop {
            let mut page = self.call(name, Value::Object(args.clone())).await?;
            let items = page.get_mut(list).map(Value::take).unwrap_or_default();
            all.append(&mut parse(items)?);
            match page.get("next_cursor").filter(|cursor| cursor.is_string()) {
                Some(cursor) => drop(args.insert("cursor".into(), cursor.clone())),
                None => return Ok(all),
            }
        }
    }

    /// Makes the local user's instance `default` on its first use; no other is made so.
    pub(super) async fn begin(&self, instance: &InstanceRef) -> Result<(), OpError> {
        begin(&self.seed.kernel, &self.caller, instance).await
    }

    /// The body of the request as an object.
    pub(super) async fn object(&self, body: Body) -> Result<Map<String, Value>, Problem> {
        let object = body::object(body, &self.seed.large).await?;
        check_signed_in(&self.seed.kernel, &self.who)?;
        Ok(object)
    }

    /// The body of the request as it came.
    pub(super) async fn bytes(&self, body: Body) -> Result<Vec<u8>, Problem> {
        let bytes = body::whole(body, &self.seed.large).await?;
        check_signed_in(&self.seed.kernel, &self.who)?;
        Ok(bytes)
    }

    /// The body of the request, read. Errors: `invalid_argument` with the member.
    pub(super) async fn body<T: DeserializeOwned>(&self, body: Body) -> Result<T, Problem> {
        Ok(parse(Value::Object(self.object(body).await?))?)
    }
}

/// Arguments of one member.
pub(super) fn only(name: &str, value: impl Into<Value>) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), value.into())])
}

/// A text that counts as not given when it is empty.
pub(super) fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// The answer to what was changed or removed.
pub(super) fn success() -> Json<Value> {
    Json(json!({"success": true}))
}

/// The answer to what was made.
pub(super) fn created(what: impl Serialize) -> Response {
    (StatusCode::CREATED, Json(what)).into_response()
}

/// A list under its name.
pub(super) fn listed(name: &str, items: impl Serialize) -> Response {
    Json(std::collections::BTreeMap::from([(name, items)])).into_response()
}

/// A moment: replies of operations have it in RFC 3339, this REST in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(i64);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        time::from_rfc3339(&text).map(Self).ok_or_else(|| serde::de::Error::custom("it is no time"))
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0.div_euclid(1000))
    }
}

/// Yes and no as SQL has them.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
pub(super) fn number<S: Serializer>(is: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u8(u8::from(*is))
}
