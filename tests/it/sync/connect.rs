//! Who gets in, as what, and by which proof.

use serde_json::json;

use super::{World, client::Client};
use crate::{
    access::{key, local, user},
    harness::{Env, mcp::text},
};

#[test]
fn each_proof_is_looked_at_in_its_order_and_refused_in_its_words() {
    let world = World::new();
    let (_, api_key) = key(&world.env, &json!({"permissions": ["write"]}));
    let bare = api_key.trim_start_matches("Bearer ").to_owned();
    let address = &world.server.address;
    let refused = |path: &str, headers: &[(&str, &str)]| Client::try_open(address, path, headers).err().unwrap();
    let path = &world.path;
    assert_eq!(refused(path, &[]), (401, "Authorization required".into()));
    let wrong = format!("{path}?apiKey=mc_live_00000000000000000000000000000000");
    assert_eq!(refused(&wrong, &[]), (401, "Invalid API key".into()));
    for proof in ["Bearer a.b.c", "Bearer nothing", "ApiKey del_a:sec_b", "Basic eDp5"] {
        assert_eq!(refused(path, &[("Authorization", proof)]), (401, "Invalid API key".into()), "{proof}");
    }
    assert_eq!(refused(&format!("{path}?token=none&apiKey={bare}"), &[]), (401, "Invalid token".into()));
    let unknown = "/sync/0ad0a8a6-2d6c-4b6e-9f0f-0e6c6b6f4a11";
    for path in [unknown, "/sync/nothing"] {
        let denied = (403, "Instance not found or access denied".into());
        assert_eq!(refused(path, &[("Authorization", &api_key)]), denied, "{path}");
        assert_eq!(refused(path, &[("Authorization", &world.proof)]), denied, "{path}");
    }
    assert_eq!(refused("/sync/", &[]), (400, "Instance ID required".into()));
    let plain = world.server.get(path, &[("Authorization", &api_key)]);
    assert_eq!((plain.status, &plain.json()["error"]), (400, &json!("WebSocket required or invalid endpoint")));
    let evil = [("Authorization", api_key.as_str()), ("Origin", "http://evil.example")];
    assert_eq!(refused(path, &evil).0, 403);

    let hello = Client::open(&world.server, &format!("{path}?apiKey={bare}"), "").hello;
    assert_eq!((&hello["permission"], &hello["instanceId"]), (&json!("write"), &json!(world.instance)));
    assert!(text(&hello["userId"]).starts_with("key:"), "{hello}");
    assert_eq!(Client::open(&world.server, &format!("{path}/further"), &api_key).hello["permission"], "write");
    // By its name, in the project of the caller and in one that is named.
    assert_eq!(Client::open(&world.server, "/sync/i", &world.proof).hello["instanceId"], world.instance);
    let project = local(&world.env, "project_create", &json!({"name": "p q"}))["id"].clone();
    let inside = local(&world.env, "instance_create", &json!({"name": "main", "project": project}))["id"].clone();
    for project in ["p%20q".to_owned(), "p+q".into(), text(&project)] {
        let path = format!("/sync/main?project={project}");
        assert_eq!(Client::open(&world.server, &path, &world.proof).hello["instanceId"], inside);
    }
}

#[test]
fn a_token_opens_one_socket_for_a_minute_and_never_more_than_its_maker_may() {
    let world = World::new();
    let (_, writer) = key(&world.env, &json!({"permissions": ["write"]}));
    let token = world.token(&writer, None).unwrap();
    assert_eq!(token.len(), 72);
    let path = format!("{}?token={token}", world.path);
    assert_eq!(Client::open(&world.server, &path, "").hello["permission"], "write");
    let again = Client::try_open(&world.server.address, &path, &[]).err().unwrap();
    assert_eq!(again, (401, "Invalid token".into()), "a token is for one use");
    // Also when the request is no upgrade.
    let token = world.token(&writer, Some("read")).unwrap();
    let path = format!("{}?token={token}", world.path);
    assert_eq!(world.server.get(&path, &[]).status, 400);
    assert_eq!(Client::try_open(&world.server.address, &path, &[]).err().unwrap().0, 401);
    // For its instance alone.
    let other = text(&local(&world.env, "instance_create", &json!({"name": "other"}))["id"]);
    let token = world.token(&writer, None).unwrap();
    let elsewhere = Client::try_open(&world.server.address, &format!("/sync/{other}?token={token}"), &[]);
    assert_eq!(elsewhere.err().unwrap(), (403, "Token not valid for this instance".into()));
    // Lower, and not higher.
    let token = world.token(&writer, Some("read")).unwrap();
    let path = format!("{}?token={token}", world.path);
    assert_eq!(Client::open(&world.server, &path, "").hello["permission"], "read");
    assert_eq!(world.token(&writer, Some("admin")).unwrap_err().0, 403);
    let (_, stranger) = user(&world.env, "bob@example.com");
    assert_eq!(world.token(&stranger, None).unwrap_err(), (403, "Instance not found or access denied".into()));
    let ask = |body: &str| world.server.post("/api/ws-token", &[("Authorization", &writer)], body);
    assert_eq!(ask("{}").json()["error"], "instanceId required");
    assert_eq!((ask("{").status, &ask("{").json()["error"]), (400, &json!("Invalid JSON body")));
    let made = ask(&json!({"instanceId": world.instance, "permission": "read"}).to_string()).json();
    assert!(made["expiresAt"].as_i64().unwrap() < 100_000_000_000, "in seconds: {made}");
    assert_eq!((&made["permission"], &made["instanceId"]), (&json!("read"), &json!(world.instance)));
}

#[test]
fn a_token_is_for_its_instance_and_calls_nothing_beyond() {
    let world = World::new();
    let token = world.token(&world.proof, None).unwrap();
    let (mut client, _) = Client::synced(&world.server, &format!("{}?v=2&token={token}", world.path), "");
    assert_eq!(client.hello["permission"], "admin");
    for op in ["api_key_create", "instance_list", "op_call"] {
        client.send(&json!({"type": "call", "op": op, "args": {"name": "k"}, "opId": op}));
        let refused = client.next_of("error");
        assert_eq!((&refused["code"], &refused["opId"]), (&json!("NO_PERMISSION"), &json!(op)), "{refused}");
    }
    client.send(&json!({"type": "call", "op": "clear_keys", "opId": "mine"}));
    assert_eq!(client.next_of("result")["opId"], "mine");
}

#[test]
fn hole_auth_on_an_open_socket_never_raises_what_may_be_done() {
    let world = World::new();
    let (_, reader) = key(&world.env, &json!({"permissions": ["read"]}));
    let (_, admin) = key(&world.env, &json!({"permissions": ["admin"]}));
    let (_, writer) = key(&world.env, &json!({"permissions": ["write"]}));
    let bare = |proof: &str| proof.trim_start_matches("Bearer ").to_owned();
    let (mut client, _) = Client::synced(&world.server, &world.path, &reader);
    client.send(&json!({"type": "auth", "apiKey": bare(&admin)}));
    assert_eq!(client.next_of("auth_success")["permission"], "read");
    assert_eq!(client.next()["type"], "sync");
    client.set("k", "v");
    let refused = client.next();
    assert_eq!((&refused["code"], &refused["error"]), (&json!("NO_PERMISSION"), &json!("Write permission required")));
    client.send(&json!({"type": "auth", "apiKey": "mc_live_wrong"}));
    let refused = client.next();
    assert_eq!((&refused["type"], &refused["error"]), (&json!("error"), &json!("Invalid API key")));
    // It lowers.
    let (mut client, _) = Client::synced(&world.server, &world.path, &admin);
    client.send(&json!({"type": "auth", "apiKey": bare(&writer)}));
    assert_eq!(client.next_of("auth_success")["permission"], "write");
    client.next_of("sync");
    client.send(&json!({"type": "clear"}));
    assert_eq!(client.next()["error"], "System permission required");
    client.send(&json!({"type": "auth", "apiKey": bare(&admin)}));
    assert_eq!(client.next_of("auth_success")["permission"], "write");
}

#[test]
fn without_authentication_everybody_of_this_machine_gets_in_and_auth_lowers_to_write() {
    let env = Env::new();
    let server = env.serve(&["--no-auth"]);
    let (mut client, state) = Client::synced(&server, "/sync/default", "");
    assert_eq!((&client.hello["permission"], &state["data"]), (&json!("admin"), &json!({})));
    client.send(&json!({"type": "auth", "apiKey": "anything"}));
    assert_eq!(client.next_of("auth_success")["permission"], "write");
    client.next_of("sync");
    client.set("k", "v");
    assert_eq!(client.next_of("key_updated")["value"], "v");
    let evil = [("Origin", "http://evil.example")];
    assert_eq!(Client::try_open(&server.address, "/sync/default", &evil).err().unwrap().0, 403);
}

#[test]
fn bug_who_sat_at_what_they_may_only_read_could_do_nothing_of_their_own() {
    let world = World::new();
    let (_, ann) = user(&world.env, "ann@example.com");
    let share = json!({"instance": world.instance, "with": "ann@example.com", "permission": "read"});
    local(&world.env, "share_create", &share);
    let (mut client, _) = Client::synced(&world.server, &format!("{}?v=2", world.path), &ann);
    let mut call = |op: &str, args: serde_json::Value| {
        client.send(&json!({"type": "call", "op": op, "args": args, "opId": op}));
        client.next_where(|told| told["opId"] == op)
    };
    assert_eq!(call("project_create", json!({"name": "hers"}))["result"]["name"], "hers");
    assert_eq!(call("write_key", json!({"key": "k", "value": "v"}))["code"], "NO_PERMISSION");
    // What was lowered stays so, wherever it is.
    let (_, reader) = key(&world.env, &json!({"user": "ann@example.com", "permissions": ["read"]}));
    client.send(&json!({"type": "auth", "apiKey": reader.trim_start_matches("Bearer ")}));
    client.next_of("auth_success");
    client.send(&json!({"type": "call", "op": "project_create", "args": {"name": "more"}, "opId": "after"}));
    assert_eq!(client.next_where(|told| told["opId"] == "after")["code"], "NO_PERMISSION");
}
