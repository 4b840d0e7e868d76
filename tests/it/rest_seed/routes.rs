//! Each route with its exact status and shape: for the owner, for another user, and without a credential.

use serde_json::{Value, json};

use super::{World, ask, check_problem, shape};
use crate::harness::mcp::text;

/// Method, path, body, the status for the owner and for another user, and the shape of the owner's answer.
type Row = (&'static str, &'static str, Value, u16, u16, Value);

fn success() -> Value {
    json!({"success": "bool"})
}

/// What only reads or adds, then what removes.
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn table() -> Vec<Row> {
    let project = json!({
        "id": "string", "name": "string", "description": "string", "created_at": "number", "updated_at": "number",
        "role": "string",
    });
    let row = json!({
        "id": "string", "project_id": "string", "name": "string", "is_readonly": "number", "created_at": "number",
        "updated_at": "number",
    });
    let mut instance = row.clone();
    instance["role"] = json!("string");
    let inside = json!({
        "id": "string", "name": "string", "is_readonly": "number", "created_at": "number", "updated_at": "number",
    });
    let share = |id: Value, email: Value, name: Value| {
        json!({"shares": [{
            "id": "string", "target_type": "string", "target_id": id, "permission": "string", "created_at": "number",
            "target_email": email, "target_name": name,
        }]})
    };
    let public = json!({"targetType": "public", "permission": "read"});
    let grant = json!({"do_id": "string", "permission": "string", "granted_at": "number", "expires_at": null,
        "instance_id": "string"});
    let member = json!({"member": "string", "member_type": "string", "member_id": null, "member_email": "string"});
    let no = Value::Null;
    vec![
        ("GET", "/api/projects", no.clone(), 200, 200, json!({"projects": [project.clone()]})),
        ("GET", "/api/projects/{p}", no.clone(), 200, 404, project),
        (
            "POST",
            "/api/projects",
            json!({"name": "q"}),
            201,
            201,
            json!({"id": "string", "name": "string", "defaultInstanceId": "string", "created_at": "number",
                "updated_at": "number"}),
        ),
        ("POST", "/api/projects", json!({"description": "no name"}), 400, 400, no.clone()),
        ("PUT", "/api/projects/{p}", json!({"name": "p2", "description": ""}), 200, 404, success()),
        ("PATCH", "/api/projects/{p}", json!({"description": "e"}), 200, 404, success()),
        ("GET", "/api/projects/{p}/instances", no.clone(), 200, 404, json!({"instances": [inside]})),
        (
            "POST",
            "/api/projects/{p}/instances",
            json!({"name": "n"}),
            201,
            404,
            json!({"id": "string", "name": "string"}),
        ),
        (
            "POST",
            "/api/projects/{p}/instances",
            json!({"name": "c", "cloneFrom": "{i}"}),
            201,
            404,
            json!({"id": "string", "name": "string"}),
        ),
        ("POST", "/api/projects/{p}/instances", json!({}), 400, 400, no.clone()),
        ("GET", "/api/instances", no.clone(), 200, 200, json!({"instances": [instance.clone()]})),
        ("GET", "/api/instances/{i}", no.clone(), 200, 404, instance),
        ("PATCH", "/api/instances/{i}", json!({"name": "renamed"}), 200, 404, row),
        ("PATCH", "/api/instances/{i}", json!({}), 400, 400, no.clone()),
        ("GET", "/api/instances/{i}/shares", no.clone(), 200, 404, no.clone()),
        (
            "POST",
            "/api/instances/{i}/shares",
            public.clone(),
            201,
            404,
            json!({"id": "string", "targetType": "string", "permission": "string"}),
        ),
        (
            "POST",
            "/api/projects/{p}/shares",
            json!({"targetType": "user", "targetEmail": "erin@example.com", "permission": "write"}),
            201,
            404,
            json!({"id": "string", "targetType": "string", "targetEmail": "string", "permission": "string"}),
        ),
        ("GET", "/api/projects/{p}/shares", no.clone(), 200, 404, share(no.clone(), json!("string"), no.clone())),
        (
            "POST",
            "/api/projects/{p}/shares",
            json!({"targetType": "user", "targetEmail": "x@example.com", "permission": "everything"}),
            400,
            400,
            no.clone(),
        ),
        // By now the instance is public: that it is there is known.
        ("DELETE", "/api/shares/{s}", no.clone(), 200, 403, success()),
        (
            "GET",
            "/api/keys",
            no.clone(),
            200,
            200,
            json!({"keys": [{"id": "string", "name": "string", "key_prefix": "string", "scope_type": "string",
                "scope_id": "string", "permissions": "string", "created_at": "number", "last_used_at": null}]}),
        ),
        (
            "POST",
            "/api/keys",
            json!({"name": "k", "scopeType": "account", "permissions": ["read", "write"]}),
            201,
            201,
            json!({"id": "string", "name": "string", "key": "string", "keyPrefix": "string", "scopeType": "string",
                "scopeId": null, "permissions": ["string"]}),
        ),
        ("POST", "/api/keys", json!({"name": "k"}), 400, 400, no.clone()),
        (
            "POST",
            "/api/keys",
            json!({"name": "k", "scopeType": "project", "scopeId": "{p}", "permissions": ["read"]}),
            201,
            404,
            json!({"id": "string", "name": "string", "key": "string", "keyPrefix": "string", "scopeType": "string",
                "scopeId": "string", "permissions": ["string"]}),
        ),
        ("DELETE", "/api/keys/{k}", no.clone(), 200, 404, success()),
        (
            "GET",
            "/api/delegates",
            no.clone(),
            200,
            200,
            json!({"delegates": [{"delegate_id": "string", "name": "string", "can_read": "number",
                "can_write": "number", "can_system": "number", "created_at": "number", "expires_at": null}]}),
        ),
        (
            "POST",
            "/api/delegates",
            json!({"name": "e", "keyPermissions": {"can_read": true, "can_write": true, "can_system": false},
                "expiresAt": "2035-01-01T00:00:00.000Z"}),
            201,
            201,
            json!({"delegate_id": "string", "name": "string", "expiresAt": "string",
                "keyPermissions": {"can_read": "bool", "can_write": "bool", "can_system": "bool"}}),
        ),
        ("POST", "/api/delegates", json!({"name": "e", "expiresAt": "soon"}), 400, 400, no.clone()),
        ("POST", "/api/delegates", json!({"name": "e", "keyPermissions": {"can_write": true}}), 400, 400, no.clone()),
        ("POST", "/api/delegates", json!({}), 400, 400, no.clone()),
        (
            "GET",
            "/api/delegates/{d}/secrets",
            no.clone(),
            200,
            404,
            json!({"secrets": [{"secret_id": "string", "name": null, "created_at": "number", "last_used_at": null,
                "revoked_at": null}]}),
        ),
        (
            "POST",
            "/api/delegates/{d}/secrets",
            json!({"name": "s"}),
            201,
            404,
            json!({"secret_id": "string", "delegate_id": "string", "delegateSecret": "string", "name": "string",
                "warning": "string"}),
        ),
        ("DELETE", "/api/delegates/{d}/secrets/{x}", no.clone(), 200, 404, success()),
        ("GET", "/api/delegates/{d}/grants", no.clone(), 200, 404, json!({"grants": [grant]})),
        ("POST", "/api/delegates/{d}/grants", json!({"instanceId": "{i}", "permission": "write"}), 201, 404, success()),
        ("POST", "/api/delegates/{d}/grants", json!({"instanceId": "{i}"}), 400, 400, no.clone()),
        ("DELETE", "/api/delegates/{d}/grants/{i}", no.clone(), 200, 404, success()),
        (
            "GET",
            "/api/groups",
            no.clone(),
            200,
            200,
            json!({"groups": [{"id": "string", "name": "string", "members": [member.clone()]}]}),
        ),
        ("POST", "/api/groups", json!({"name": "h"}), 201, 201, json!({"id": "string", "name": "string"})),
        ("GET", "/api/groups/{g}/members", no.clone(), 200, 404, json!({"members": [member.clone()]})),
        (
            "POST",
            "/api/groups/{g}/members",
            json!({"memberType": "user", "memberEmail": "f@example.com"}),
            201,
            404,
            json!({"members": [member]}),
        ),
        ("POST", "/api/groups/{g}/members", json!({"memberType": "user"}), 400, 400, no.clone()),
        ("DELETE", "/api/groups/{g}/members/f%40example.com", no.clone(), 200, 404, success()),
        ("GET", "/v1/i/{i}/stm", no.clone(), 200, 200, json!({})),
        ("DELETE", "/api/groups/{g}", no.clone(), 200, 404, success()),
        ("DELETE", "/api/delegates/{d}", no.clone(), 200, 404, success()),
        ("DELETE", "/api/instances/{i}", no.clone(), 200, 403, success()),
        ("DELETE", "/api/projects/{p}", no.clone(), 200, 404, success()),
    ]
}

#[test]
fn each_route_has_its_status_and_shape_for_each_caller() {
    let world = World::new();
    for (method, path, body, for_owner, for_other, expected) in table() {
        let (at, what) = (world.fill(path), format!("{method} {path} {body}"));
        let body: Value = serde_json::from_str(&world.fill(&body.to_string())).unwrap();
        let nobody = ask(&world.server, "", method, &at, &body);
        assert_eq!(nobody.status, 401, "{what}");
        check_problem(&nobody, &what);
        let other = ask(&world.server, &world.other, method, &at, &body);
        assert_eq!(other.status, for_other, "{what} by another: {}", other.text());
        let owner = ask(&world.server, &world.owner, method, &at, &body);
        assert_eq!(owner.status, for_owner, "{what} by the owner: {}", owner.text());
        for response in [&other, &owner] {
            if response.status >= 400 {
                check_problem(response, &what);
            }
        }
        if for_owner < 400 && !expected.is_null() {
            assert_eq!(shape(&owner.json()), expected, "{what}: {}", owner.text());
        }
        if method == "DELETE" {
            // It is not there any more, and is not removed twice.
            assert_eq!(world.refused(&world.owner, method, path, &body), 404, "{what} again");
        }
    }
}

#[test]
fn lists_are_in_their_order_and_times_are_seconds() {
    let world = World::new();
    let ids = |list: &Value| -> Vec<String> { list.as_array().unwrap().iter().map(|each| text(&each["id"])).collect() };
    let project = world.owner("POST", "/api/projects", &json!({"name": "later"}));
    world.owner("PUT", "/api/projects/{p}", &json!({"description": "changed last"}));
    let projects = world.owner("GET", "/api/projects", &Value::Null)["projects"].clone();
    assert_eq!(ids(&projects)[..2], [world.fill("{p}"), text(&project["id"])]);
    assert!(projects[0]["created_at"].as_i64().is_some_and(|at| (1_600_000_000..10_000_000_000).contains(&at)));
    assert_eq!((&projects[0]["role"], &projects[0]["name"]), (&json!("owner"), &json!("p")));
    let made = world.owner("POST", "/api/projects/{p}/instances", &json!({"name": "newest"}));
    let inside = world.owner("GET", "/api/projects/{p}/instances", &Value::Null)["instances"].clone();
    assert_eq!(ids(&inside), [text(&made["id"]), world.fill("{i}")]);
    assert_eq!((&inside[1]["name"], &inside[1]["is_readonly"]), (&json!("main"), &json!(0)));
    let keys = world.owner("GET", "/api/keys", &Value::Null)["keys"].clone();
    assert_eq!((&keys[0]["permissions"], &keys[0]["scope_id"]), (&json!("[\"read\"]"), &json!(world.fill("{i}"))));
}

#[test]
fn a_role_is_what_was_given() {
    let world = World::new();
    for permission in ["read", "write", "admin"] {
        let give = json!({"targetType": "user", "targetEmail": "bob@example.com", "permission": permission});
        world.owner("POST", "/api/projects/{p}/shares", &give);
        let as_other = |path: &str| super::done(&world.server, &world.other, "GET", &world.fill(path), &Value::Null);
        assert_eq!(as_other("/api/projects/{p}")["role"], permission);
        assert_eq!(as_other("/api/instances/{i}")["role"], permission);
        // Whoever is no owner does not remove it.
        assert_eq!(world.refused(&world.other, "DELETE", "/api/projects/{p}", &Value::Null), 403);
    }
    assert_eq!(world.owner("GET", "/api/instances/{i}", &Value::Null)["role"], "owner");
}
