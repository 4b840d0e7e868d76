//! People and rights over HTTP: keys, delegates, shares and groups, what each may do, and what happens when it is
//! taken back.

mod attacks;
mod certificate;
mod holes;
mod issuer;
mod joining;
mod keys;
mod limits;
mod live;
mod matrix;
mod people;
mod server;
mod tokens;
mod tokens_faults;
mod trail;

use serde_json::{Value, json};

use crate::harness::{Env, http::Server, http_client::HttpClient, mcp::Era, mcp::text};

/// Calls an operation as the user of the machine, in a process of its own.
pub(crate) fn local(env: &Env, operation: &str, args: &Value) -> Value {
    env.cli(&["call", operation, &args.to_string()]).json()
}

/// Makes a key as the user of the machine; its id and the `Authorization` that goes with it.
pub(crate) fn key(env: &Env, args: &Value) -> (String, String) {
    let mut all = json!({"name": "a key", "permissions": ["read", "write", "admin"]});
    all.as_object_mut().unwrap().extend(args.as_object().unwrap().clone());
    let made = local(env, "api_key_create", &all);
    (text(&made["id"]), format!("Bearer {}", text(&made["secret"])))
}

/// A user with an account key.
pub(crate) fn user(env: &Env, email: &str) -> (String, String) {
    let made = local(env, "user_create", &json!({"email": email}));
    (text(&made["id"]), key(env, &json!({"user": email})).1)
}

/// What became of an operation: its result, or the code of the refusal. 401 is `unauthenticated`.
pub(crate) fn call(server: &Server, path: &str, proof: &str, operation: &str, args: &Value) -> Result<Value, String> {
    let mut client = HttpClient::with_proof(server, path, proof, Era::Modern);
    let response = client.post_call("op_call", &json!({"name": operation, "args": args}));
    if response.status == 401 {
        return Err("unauthenticated".into());
    }
    let body: Value = serde_json::from_str(&response.text()).expect("the answer is JSON");
    let result = &body["result"];
    if result["isError"] == true {
        return Err(text(&result["structuredContent"]["error"]["code"]));
    }
    assert!(result["structuredContent"].is_object(), "{operation}: {body}");
    Ok(result["structuredContent"].clone())
}

/// The address of an instance, for whom may do everything.
fn at(instance: &Value) -> String {
    format!("/i/{}/mcp/edit", text(instance))
}
