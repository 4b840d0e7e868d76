//! The REST of the first MindCache: its paths, shapes and times over the operations of the registry. What the `seed_…`
//! files share stands here.

use std::{borrow::Cow, sync::Arc};

use axum::{
    Json, Router,
    body::Body,
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::{Map, Value};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{begin, body, caller, check_signed_in, problem::Problem, seed_routes, stm};
use crate::{
    access::ws_tokens::WsTokens,
    face::http::Who,
    kernel::{Caller, Kernel},
    model::{
        error::OpError,
        instance::{InstanceId, InstanceRef},
        limits,
        permission::Principal,
        time,
    },
    ops::{bounds::Text, operation::parse},
};

/// What its routes share.
pub(super) struct Seed {
    pub(super) kernel: Arc<Kernel>,
    /// Places for large bodies.
    large: Arc<Semaphore>,
    /// The tokens for WebSockets that are out.
    pub(super) tokens: Arc<WsTokens>,
}

/// The routes over a kernel.
pub(super) fn router(kernel: Arc<Kernel>, large: Arc<Semaphore>, tokens: Arc<WsTokens>) -> Router {
    seed_routes::routes().router(Arc::new(Seed { kernel, large, tokens }))
}

impl Seed {
    /// One of the few places for what is large. Errors: `unavailable` while the server ends.
    pub(super) async fn large_place(&self) -> Result<OwnedSemaphorePermit, OpError> {
        Arc::clone(&self.large).acquire_owned().await.map_err(|_| stm::broken())
    }
}

/// What is not there answers like everything that is not there, to who has proved who they are.
pub(super) async fn unknown() -> Problem {
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

/// A text that may be empty.
pub(super) type Words = Text<0, { limits::ACCESS_CHARACTERS }>;

/// A text that counts as not given when it is empty.
pub(super) fn given(text: Option<Words>) -> Option<String> {
    text.map(|text| text.as_str().to_owned()).filter(|text| !text.is_empty())
}

/// The answer to what was changed or removed.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Done {
    success: bool,
}

/// The same.
pub(super) fn success() -> Json<Done> {
    Json(Done { success: true })
}

/// The answer to what was made.
pub(super) fn created(what: impl Serialize) -> Response {
    (StatusCode::CREATED, Json(what)).into_response()
}

/// The answer to what was asked.
pub(super) fn shown(what: impl Serialize) -> Response {
    Json(what).into_response()
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

impl JsonSchema for Moment {
    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "description": "In seconds since 1970"})
    }
}

/// The schema of yes and no as SQL has them.
pub(super) fn zero_or_one(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "enum": [0, 1]})
}

/// Yes and no as SQL has them.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
pub(super) fn number<S: Serializer>(is: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u8(u8::from(*is))
}
