//! The REST of the first MindCache: its routes and shapes, the holes that it had, and the whole key map.

mod holes;
mod routes;
mod stm;

use serde_json::{Map, Value, json};

use crate::{
    access::user,
    harness::{Env, connection::Response, http::Server, mcp::text},
};

/// A request as somebody; nothing for `proof` is no credential.
fn ask(server: &Server, proof: &str, method: &str, path: &str, body: &Value) -> Response {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut headers = vec![("Content-Type", "application/json")];
    if !proof.is_empty() {
        headers.push(("Authorization", proof));
    }
    server.send(method, path, &headers, &body)
}

/// What is answered to a request that succeeds.
fn done(server: &Server, proof: &str, method: &str, path: &str, body: &Value) -> Value {
    let response = ask(server, proof, method, path, body);
    assert!([200, 201].contains(&response.status), "{method} {path}: {} {}", response.status, response.text());
    response.json()
}

/// The status of a refusal, which is a problem that carries `error`, and nothing of the inside.
fn refused(server: &Server, proof: &str, method: &str, path: &str, body: &Value) -> u16 {
    let response = ask(server, proof, method, path, body);
    check_problem(&response, &format!("{method} {path}"));
    response.status
}

fn check_problem(response: &Response, what: &str) {
    assert!(response.status >= 400 && response.status != 500, "{what}: {} {}", response.status, response.text());
    assert_eq!(response.header("content-type"), Some("application/problem+json"), "{what}");
    let problem = response.json();
    assert_eq!((problem["status"].as_u64(), &problem["type"]), (Some(response.status.into()), &json!("about:blank")));
    assert!(problem["error"].is_string() && problem["code"].is_string(), "{what}: {problem}");
    assert!(problem.get("debug").is_none() && problem.get("stack").is_none(), "{what}: {problem}");
}

/// A value with its types in the places of what it holds; of a list the first item.
fn shape(value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Bool(_) => json!("bool"),
        Value::Number(_) => json!("number"),
        Value::String(_) => json!("string"),
        Value::Array(items) => items.first().map(shape).into_iter().collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), shape(value))).collect::<Map<_, _>>().into()
        }
    }
}

/// Two users, and what the first has: a project, an instance in it, a share of it, a key, a delegate with a secret and a
/// grant, and a group with a member.
struct World {
    server: Server,
    owner: String,
    other: String,
    names: Vec<(&'static str, String)>,
    _env: Env,
}

impl World {
    fn new() -> Self {
        let env = Env::new();
        let (_, owner) = user(&env, "ann@example.com");
        let (_, other) = user(&env, "bob@example.com");
        let server = env.serve(&[]);
        let make = |path: &str, body: Value| done(&server, &owner, "POST", path, &body);
        let project = make("/api/projects", json!({"name": "p", "description": "d"}));
        let (project, instance) = (text(&project["id"]), text(&project["defaultInstanceId"]));
        let to = json!({"targetType": "user", "targetEmail": "carol@example.com", "permission": "read"});
        let share = text(&make(&format!("/api/instances/{instance}/shares"), to)["id"]);
        let key = json!({"name": "k", "scopeType": "instance", "scopeId": instance, "permissions": ["read"]});
        let key = text(&make("/api/keys", key)["id"]);
        let delegate = text(&make("/api/delegates", json!({"name": "d"}))["delegate_id"]);
        let secret = text(&make(&format!("/api/delegates/{delegate}/secrets"), json!({}))["secret_id"]);
        let grant = json!({"instanceId": instance, "permission": "read"});
        make(&format!("/api/delegates/{delegate}/grants"), grant);
        let group = text(&make("/api/groups", json!({"name": "g"}))["id"]);
        let member = json!({"memberType": "user", "memberEmail": "dave@example.com"});
        make(&format!("/api/groups/{group}/members"), member);
        let names = vec![
            ("{p}", project),
            ("{i}", instance),
            ("{s}", share),
            ("{k}", key),
            ("{d}", delegate),
            ("{x}", secret),
            ("{g}", group),
        ];
        Self { server, owner, other, names, _env: env }
    }

    /// A text with the ids of what there is.
    fn fill(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (name, id)| text.replace(name, id))
    }

    fn owner(&self, method: &str, path: &str, body: &Value) -> Value {
        done(&self.server, &self.owner, method, &self.fill(path), body)
    }

    fn refused(&self, proof: &str, method: &str, path: &str, body: &Value) -> u16 {
        refused(&self.server, proof, method, &self.fill(path), body)
    }
}
