//! `/sync`: the protocol of the first MindCache re-enacted, its holes, and what ours adds.

mod changes;
pub(crate) mod client;
mod connect;
mod ends;
mod hostile;
mod old;
mod ours;
mod sdk;

use serde_json::{Value, json};

use crate::{
    access::local,
    harness::{Env, http::Server, mcp::text},
};

/// A server with an instance, as the user of the machine.
pub(crate) struct World {
    pub(crate) env: Env,
    pub(crate) server: Server,
    /// The id of the instance `i`.
    pub(crate) instance: String,
    /// `/sync/{instance}`.
    pub(crate) path: String,
    /// The `Authorization` of the user of the machine.
    pub(crate) proof: String,
}

impl World {
    fn new() -> Self {
        let env = Env::new();
        let instance = text(&local(&env, "instance_create", &json!({"name": "i"}))["id"]);
        let server = env.serve(&[]);
        let (path, proof) = (format!("/sync/{instance}"), server.bearer());
        Self { env, server, instance, path, proof }
    }

    /// An operation on the instance by another process.
    fn call(&self, operation: &str, args: &Value) -> Value {
        self.env.cli(&["-i", &self.instance, "call", operation, &args.to_string()]).json()
    }

    /// A client with its first state.
    fn old(&self) -> (client::Client, Value) {
        client::Client::synced(&self.server, &self.path, &self.proof)
    }

    /// The same of our protocol.
    fn ours(&self) -> (client::Client, Value) {
        client::Client::synced(&self.server, &format!("{}?v=2", self.path), &self.proof)
    }

    /// Asks for a token, for this instance.
    fn token(&self, proof: &str, permission: Option<&str>) -> Result<String, (u16, String)> {
        let mut body = json!({"instanceId": self.instance});
        if let Some(permission) = permission {
            body["permission"] = permission.into();
        }
        let headers = [("Authorization", proof)];
        let response = self.server.post("/api/ws-token", &headers, &body.to_string());
        let answer = response.json();
        if response.status == 200 { Ok(text(&answer["token"])) } else { Err((response.status, text(&answer["error"]))) }
    }
}
