//! Resources: every key that may be read is one, under a URI that leads back to it.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};

use crate::harness::{
    Env,
    mcp::{Client, text},
};

/// The URI of a key of the default instance: everything but unreserved characters is encoded.
fn uri(key: &str) -> String {
    let encoded = key.bytes().map(|byte| match byte {
        b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    format!("mindcache://default/{}", encoded.collect::<String>())
}

/// The resources that are keys, over all pages.
fn resources(client: &mut Client) -> Vec<Value> {
    let mut found = Vec::new();
    let mut params = json!({});
    loop {
        let page = client.request("resources/list", params).expect("resources/list succeeds");
        let listed = page["resources"].as_array().expect("resources").clone();
        found.extend(listed.into_iter().filter(|each| !text(&each["uri"]).ends_with("system_prompt")));
        match page.get("nextCursor").filter(|cursor| !cursor.is_null()) {
            Some(cursor) => params = json!({"cursor": cursor}),
            None => return found,
        }
    }
}

/// The one content of a resource.
fn contents(client: &mut Client, uri: &str) -> Value {
    let read = client.request("resources/read", json!({"uri": uri})).expect("resources/read succeeds");
    let contents = read["contents"].as_array().expect("contents");
    assert_eq!(contents.len(), 1);
    assert_eq!(contents[0]["uri"], uri);
    contents[0].clone()
}

#[test]
fn every_name_makes_a_uri_that_leads_back_to_it() {
    let env = Env::new();
    let mut client = env.mcp();
    let names = ["plain", "a b/ü", "100%", "a?b#c", "\\", "..", "😀", "a&offset=1", "%41", "é"];
    for name in names {
        client.write(name, &format!("of {name}"));
    }
    let mut listed: Vec<_> = resources(&mut client).iter().map(|resource| text(&resource["uri"])).collect();
    let mut expected: Vec<_> = names.map(uri).into();
    listed.sort();
    expected.sort();
    assert_eq!(listed, expected);
    for name in names {
        assert_eq!(contents(&mut client, &uri(name))["text"], format!("of {name}"));
    }
}

#[test]
fn text_is_text_and_a_picture_is_a_blob_each_with_its_type() {
    let env = Env::new();
    let mut client = env.mcp();
    let value = BASE64.encode(b"picture");
    client.call("write_key", json!({"key": "p", "value": value, "type": "image", "content_type": "image/png"})).ok();
    client.call("write_key", json!({"key": "j", "value": "{\"a\": 1}", "type": "json"})).ok();
    client.write("t", "words");
    let picture = contents(&mut client, &uri("p"));
    assert_eq!((&picture["blob"], &picture["mimeType"]), (&json!(value), &json!("image/png")));
    assert_eq!(picture.get("text"), None);
    assert_eq!(contents(&mut client, &uri("t"))["text"], "words");
    let object = contents(&mut client, &uri("j"));
    assert_eq!((&object["text"], &object["mimeType"]), (&json!("{\"a\": 1}"), &json!("application/json")));
    let kinds: Vec<_> = resources(&mut client).iter().map(|each| each["mimeType"].clone()).collect();
    assert!(kinds.contains(&json!("image/png")), "{kinds:?}");
}

#[test]
fn keys_of_the_prompt_come_first_with_priority_1() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    for name in ["a", "b", "c"] {
        client.write(name, "v");
    }
    client.call("set_key_attributes", json!({"key": "c", "system_tags": ["SystemPrompt"]})).ok();
    let listed = resources(&mut client);
    assert_eq!((&listed[0]["uri"], &listed[0]["annotations"]["priority"]), (&json!(uri("c")), &json!(1.0)));
    assert_eq!(listed.len(), 3);
}

#[test]
fn more_keys_than_a_page_are_all_listed() {
    let env = Env::new();
    let mut client = env.mcp();
    let ids: Vec<_> =
        (0..130).map(|n| client.send_call("write_key", json!({"key": format!("k{n}"), "value": "v"}))).collect();
    client.collect(&ids);
    let mut uris: Vec<_> = resources(&mut client).iter().map(|each| text(&each["uri"])).collect();
    uris.sort();
    uris.dedup();
    assert_eq!(uris.len(), 130);
}

#[test]
fn a_template_says_how_a_key_is_reached() {
    let env = Env::new();
    let templates = env.mcp().request("resources/templates/list", json!({})).expect("the list succeeds");
    let templates = templates["resourceTemplates"].as_array().expect("templates");
    let uris: Vec<_> = templates.iter().map(|template| text(&template["uriTemplate"])).collect();
    assert!(uris.iter().any(|uri| uri.starts_with("mindcache://") && uri.contains("{key}")), "{uris:?}");
}

#[test]
fn what_is_not_there_is_not_found_in_the_words_of_each_era() {
    let env = Env::new();
    let absent =
        [uri("absent"), "mindcache://other/k".into(), "mindcache://default".into(), "file:///etc/passwd".into()];
    for (mut client, code) in [(env.mcp(), -32002), (env.mcp_modern(&[]), -32602)] {
        client.write("k", "v");
        for uri in &absent {
            let error = client.request("resources/read", json!({"uri": uri})).expect_err("nothing is there");
            assert_eq!(error["code"], code, "{uri}: {error}");
            assert_eq!(error["data"]["uri"], **uri, "{error}");
        }
    }
}

#[test]
fn a_key_that_may_not_be_read_is_no_resource() {
    let env = Env::new();
    let mut person = env.mcp_with(&["--mode", "edit"]);
    person.write("private", "secret");
    person.call("set_key_attributes", json!({"key": "private", "system_tags": ["LLMWrite"]})).ok();
    let mut client = env.mcp();
    assert_eq!(resources(&mut client), Vec::<Value>::new());
    let hidden = client.request("resources/read", json!({"uri": uri("private")})).expect_err("it is hidden");
    let absent = client.request("resources/read", json!({"uri": uri("absent!")})).expect_err("it is absent");
    assert_eq!(hidden["code"], absent["code"]);
    assert_eq!(contents(&mut person, &uri("private"))["text"], "secret");
}

#[test]
fn keys_of_the_prompt_come_first_whatever_page_they_are_on() {
    let env = Env::new();
    let mut client = env.mcp_with(&["--mode", "edit"]);
    let mut expected = Vec::new();
    for n in 0..230 {
        client.write(&format!("k{n:03}"), "x");
        let in_prompt = n % 2 == 1;
        if in_prompt {
            let tags = json!({"key": format!("k{n:03}"), "system_tags": ["SystemPrompt"]});
            client.call("set_key_attributes", tags).ok();
        }
        expected.push((!in_prompt, uri(&format!("k{n:03}"))));
    }
    expected.sort();
    let listed = resources(&mut client);
    let listed: Vec<_> = listed.iter().map(|each| (each["annotations"].is_null(), text(&each["uri"]))).collect();
    assert_eq!(listed, expected);
    let refused = client.request("resources/list", json!({"cursor": "nonsense"})).unwrap_err();
    assert_eq!(refused["code"], -32602);
}
