//! The three use cases of the specification of MindCache 2, step by step as it numbers them, each side with nothing but
//! what it was given.

use serde_json::{Value, json};

use crate::{
    access::{key, user},
    harness::{
        Env,
        http::Server,
        http_client::HttpClient,
        mcp::{Era, text},
    },
    sync::client::Client,
};

/// What is answered to a request as somebody, by status and body.
fn ask(server: &Server, proof: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let headers = [("Authorization", proof), ("Content-Type", "application/json")];
    let response = server.send(method, path, &headers, &body);
    (response.status, response.json())
}

/// The same where it succeeds.
fn done(server: &Server, proof: &str, method: &str, path: &str, body: &Value) -> Value {
    let (status, answer) = ask(server, proof, method, path, body);
    assert!(status == 200 || status == 201, "{method} {path}: {status} {answer}");
    answer
}

/// Makes a project and an instance in it.
fn project(server: &Server, proof: &str, name: &str, instance: &str) -> (String, String) {
    let project = text(&done(server, proof, "POST", "/api/projects", &json!({"name": name}))["id"]);
    let path = format!("/api/projects/{project}/instances");
    let instance = text(&done(server, proof, "POST", &path, &json!({"name": instance}))["id"]);
    (project, instance)
}

#[test]
fn use_case_1_a_scraper_writes_and_a_group_of_agents_is_told() {
    let env = Env::new();
    let (_, ann) = user(&env, "ann@example.com");
    let server = env.serve(&["--multi-user"]);
    let make = |path: &str, body: &Value| done(&server, &ann, "POST", path, body);
    // 1 and 2: a project with an instance. 3 and 4: a key for the instance alone, which is all the scraper has.
    let (project, tweets) = project(&server, &ann, "Tweet Monitor", "tweets");
    let scope =
        json!({"name": "scraper", "scopeType": "instance", "scopeId": tweets, "permissions": ["read", "write"]});
    let scraper = format!("Bearer {}", text(&make("/api/keys", &scope)["key"]));
    let tweet = |number: u64| format!("/v1/i/{tweets}/keys/tweet-{number}");
    // 5: it writes there and reaches nothing else.
    done(&server, &scraper, "PUT", &tweet(1), &json!({"text": "first"}));
    assert_eq!(done(&server, &scraper, "GET", "/api/instances", &Value::Null)["instances"][0]["id"], json!(tweets));
    assert_eq!(ask(&server, &scraper, "GET", &format!("/api/projects/{project}"), &Value::Null).0, 403);
    // 6: a group of two agents, one a delegate with its own secret, one with an agent's key.
    let group = text(&make("/api/groups", &json!({"name": "readers"}))["id"]);
    let flags = json!({"name": "summarizer", "keyPermissions": {"can_read": true, "can_write": true}});
    let delegate = text(&make("/api/delegates", &flags)["delegate_id"]);
    let secret = text(&make(&format!("/api/delegates/{delegate}/secrets"), &json!({}))["delegateSecret"]);
    let summarizer = format!("ApiKey {delegate}:{secret}");
    let (watcher_id, watcher) = key(
        &env,
        &json!({"user": "ann@example.com", "kind": "agent", "permissions": ["read"],
        "scopes": [format!("instance:{tweets}")]}),
    );
    for (kind, id) in [("delegate", &delegate), ("api_key", &watcher_id)] {
        make(&format!("/api/groups/{group}/members"), &json!({"memberType": kind, "memberId": id}));
    }
    let (address, share) = (format!("/i/{tweets}/mcp"), format!("/api/instances/{tweets}/shares"));
    assert_eq!(ask(&server, &summarizer, "GET", &tweet(1), &Value::Null).0, 404, "nothing was shared with it yet");
    make(&share, &json!({"targetType": "group", "targetId": group, "permission": "write"}));
    // 7: both subscribe, one with MCP and one with a socket.
    let mut summarizer = HttpClient::with_proof(&server, &address, &summarizer, Era::Modern);
    summarizer.listen(&json!({"resourcesListChanged": true}));
    let (mut watcher, state) = Client::synced(&server, &format!("/sync/{tweets}?v=2"), &watcher);
    assert_eq!(state["data"].as_object().unwrap().keys().collect::<Vec<_>>(), ["tweet-1"]);
    // 8: each is told of a new tweet; one processes it, the other is told of that too and may not write.
    done(&server, &scraper, "PUT", &tweet(2), &json!({"text": "second"}));
    assert_eq!(watcher.next_of("key_updated")["key"], "tweet-2");
    summarizer.next_where(|message| message["method"] == "notifications/resources/list_changed");
    let read = summarizer.call("read_key", &json!({"key": "tweet-2"})).ok();
    let summary = json!({"key": "summary-2", "value": format!("of {}", read["value"])});
    summarizer.call("write_key", &summary).ok();
    assert_eq!(watcher.next_of("key_updated")["key"], "summary-2");
    watcher.set("summary-2", "mine");
    assert_eq!(watcher.next_of("error")["code"], "NO_PERMISSION");
    let stored = done(&server, &ann, "GET", &format!("/v1/i/{tweets}/stm"), &Value::Null);
    assert!(stored.to_string().contains("second"), "{stored}");
}

#[test]
fn use_case_2_friends_see_the_public_links_and_not_the_project() {
    let env = Env::new();
    let (_, ann) = user(&env, "ann@example.com");
    let (_, bob) = user(&env, "bob@example.com");
    let server = env.serve(&["--multi-user"]);
    // 1 and 2: a project with an instance. 3: links with tags.
    let (project, all) = project(&server, &ann, "My Links", "all-links");
    for (name, tags) in [("diary", vec!["private"]), ("rust", vec!["public", "work"]), ("wiki", vec!["work"])] {
        let link = json!({"key": name, "value": format!("https://{name}.example.com"), "tags": tags});
        done(&server, &ann, "POST", &format!("/v1/i/{all}/ops/write_key"), &link);
    }
    // 4: an instance with only the public ones.
    let clone = json!({"instance": all, "name": "public-links", "project": project, "tag": "public"});
    let public = text(&done(&server, &ann, "POST", &format!("/v1/i/{all}/ops/instance_clone"), &clone)["id"]);
    // 5: shared with friends, one of whom has no account yet.
    for friend in ["bob@example.com", "carol@example.com"] {
        let with = json!({"targetType": "user", "targetEmail": friend, "permission": "read"});
        done(&server, &ann, "POST", &format!("/api/instances/{public}/shares"), &with);
    }
    let (_, carol) = user(&env, "carol@example.com");
    // 6: they see it, and no more of the project.
    for friend in [&bob, &carol] {
        let listed = done(&server, friend, "GET", "/api/instances", &Value::Null);
        let names: Vec<_> = listed["instances"].as_array().unwrap().iter().map(|each| each["name"].clone()).collect();
        assert!(names.contains(&json!("public-links")) && !names.contains(&json!("all-links")), "{names:?}");
        let shown = done(&server, friend, "GET", &format!("/v1/i/{public}/stm"), &Value::Null).to_string();
        assert!(shown.contains("rust.example.com"), "{shown}");
        assert!(!shown.contains("diary") && !shown.contains("wiki"), "{shown}");
        for hidden in [format!("/v1/i/{all}/stm"), format!("/api/projects/{project}"), format!("/api/instances/{all}")]
        {
            assert_eq!(ask(&server, friend, "GET", &hidden, &Value::Null).0, 404, "{hidden}");
        }
        assert_eq!(ask(&server, friend, "PUT", &format!("/v1/i/{public}/keys/rust"), &json!("spam")).0, 403);
    }
}

#[test]
fn use_case_3_a_form_and_an_agent_work_on_one_instance() {
    let env = Env::new();
    let (_, ann) = user(&env, "ann@example.com");
    let server = env.serve(&["--multi-user"]);
    // 1: one instance for both.
    let (_, form) = project(&server, &ann, "Forms", "form");
    let scopes = json!([format!("instance:{form}")]);
    let (_, agent) = key(
        &env,
        &json!({"user": "ann@example.com", "kind": "agent", "permissions": ["read", "write"], "scopes": scopes}),
    );
    // 3: both are connected; the page of the form speaks the protocol of the SDK.
    let (mut person, _) = Client::synced(&server, &format!("/sync/{form}"), &ann);
    let (mut agent, _) = Client::synced(&server, &format!("/sync/{form}?v=2"), &agent);
    for (field, value) in [("name", "Ann"), ("name", "Ann Lee"), ("age", "41")] {
        // 2: the person fills a field in. 4: the agent is told, with the value.
        person.set(field, value);
        assert_eq!(agent.next_where(|told| told["key"] == field)["value"], value);
        // 5: it writes what it made of it. 6: the person sees it.
        agent.send(&json!({"type": "set", "key": "greeting", "value": format!("{field} is {value}"), "opId": value}));
        assert_eq!(agent.next_where(|told| told["opId"] == value)["type"], "ack");
        let seen = person.next_where(|told| told["key"] == "greeting");
        assert_eq!(seen["value"], format!("{field} is {value}"));
    }
}
