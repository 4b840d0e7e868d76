//! Tokens of issuers: whose they are, which are refused, and when they end.

use std::process::Stdio;

use serde_json::{Value, json};

use super::{
    at, call,
    issuer::{Issuer, Signer, now, unsigned, with_secret},
    live, local,
};
use crate::harness::{Env, http::Server, http_client::HttpClient, mcp::Era, mcp::text};

/// A server that takes the tokens of an issuer, with its log in the file `log`.
pub(super) fn serve(env: &Env, told: &str, args: &[&str]) -> Server {
    serve_trusting(env, told, args, None)
}

/// The same with a file of the certificates that the system trusts.
pub(super) fn serve_trusting(env: &Env, told: &str, args: &[&str], trusted: Option<&str>) -> Server {
    let mut command = env.command();
    command.args(["serve", "--listen", "127.0.0.1:0", "--multi-user", "--issuer", told]).args(args);
    command.env("MINDCACHE_LOG", "debug").envs(trusted.map(|file| ("SSL_CERT_FILE", file)));
    let log = std::fs::File::create(env.path("log")).unwrap();
    Server::start_logging(command, env.data(), Stdio::from(log))
}

pub(super) fn log(env: &Env) -> String {
    std::fs::read_to_string(env.path("log")).unwrap()
}

/// What became of a call with a token: the status, and what is said.
pub(super) fn with(server: &Server, token: &str) -> (u16, String) {
    let mut client = HttpClient::with_proof(server, "/mcp", &format!("Bearer {token}"), Era::Modern);
    let response = client.post_call("list_keys", &json!({}));
    (response.status, response.text())
}

fn with_email(mut claims: Value, email: &str, verified: &Value) -> Value {
    claims["email"] = json!(email);
    claims["email_verified"] = verified.clone();
    claims
}

#[test]
fn tokens_of_each_algorithm_say_who_it_is() {
    let signers = [Signer::rsa("r"), Signer::ec("e"), Signer::ed("d")];
    let issuer = Issuer::start(&signers.iter().collect::<Vec<_>>());
    let env = Env::new();
    let ann = text(&local(&env, "user_create", &json!({"email": "ann@example.com"}))["id"]);
    let server = serve(&env, &issuer.told("alg=RS256 alg=ES256 alg=EdDSA"), &[]);
    let claims = with_email(issuer.claims("sub-of-ann"), "Ann@Example.com", &json!(true));
    for signer in &signers {
        let token = signer.token(&claims);
        let key = json!({"key": signer.algorithm(), "value": "v"});
        call(&server, "/mcp", &format!("Bearer {token}"), "write_key", &key).unwrap();
        let without_id = signer.token_with(&json!({"alg": signer.algorithm()}), &claims);
        assert_eq!(with(&server, &without_id).0, 200, "it is the only key of its kind");
        assert!(!log(&env).contains(&token[token.len() - 40..]));
    }
    let proof = format!("Bearer {}", signers[0].token(&issuer.claims("sub-of-ann")));
    let changes = call(&server, "/mcp/edit", &proof, "log_read", &json!({"since": 0})).unwrap();
    for change in changes["changes"].as_array().unwrap() {
        assert_eq!(change["actor"]["principal"], json!(format!("user:{ann}")), "the address is asked for once");
    }
    assert_eq!(issuer.fetches(), 1);
}

#[test]
fn tokens_that_are_not_for_this_server_now_are_refused() {
    let (rsa, ec, foreign) = (Signer::rsa("r"), Signer::ec("e"), Signer::rsa("r"));
    let issuer = Issuer::start(&[&rsa, &ec]);
    let env = Env::new();
    let server = serve(&env, &issuer.told("azp=app alg=RS256 alg=ES256"), &["--admit-anybody"]);
    let mut good = issuer.claims("somebody");
    good["azp"] = json!("app");
    assert_eq!(with(&server, &rsa.token(&good)).0, 200);
    let changed = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        if claims[name].is_null() {
            claims.as_object_mut().unwrap().remove(name);
        }
        rsa.token(&claims)
    };
    let header = json!({"alg": "RS256", "kid": "r"});
    let hs = json!({"alg": "HS256", "kid": "r"});
    let none = unsigned(&json!({"alg": "none"}), &good) + ".";
    let signed = rsa.token(&good);
    let parts: Vec<&str> = signed.split('.').collect();
    let bad = [
        ("it has expired", changed("exp", json!(now() - 60))),
        ("it is not valid yet", changed("nbf", json!(now() + 600))),
        ("it is for somebody else", changed("aud", json!("another"))),
        ("it is for somebody else", changed("aud", json!(["another", "third"]))),
        ("it does not say for whom it is", changed("aud", Value::Null)),
        ("its issuer is not one", changed("iss", json!(format!("{}/", issuer.name())))),
        ("its issuer is not one", changed("iss", json!("https://other.example"))),
        ("it names no issuer", changed("iss", json!([issuer.name()]))),
        ("it was given to somebody else", changed("azp", json!("other"))),
        ("it was given to somebody else", changed("azp", Value::Null)),
        ("it cannot be read", changed("exp", Value::Null)),
        ("it cannot be read", changed("exp", json!("soon"))),
        ("it cannot be read", changed("sub", Value::Null)),
        ("it does not say of whom", changed("sub", json!(""))),
        ("it does not say of whom", changed("sub", json!("x".repeat(256)))),
        ("its signature is wrong", foreign.token(&good)),
        ("its signature is wrong", format!("{}.{}.AAAA", parts[0], parts[1])),
        ("its issuer has no such key", ec.token_with(&json!({"alg": "ES256", "kid": "r"}), &good)),
        ("its issuer has no such key", rsa.token_with(&json!({"alg": "RS256", "kid": "x"}), &good)),
        ("its issuer does not sign in that way", with_secret(&rsa.public(), &hs, &good)),
        ("its issuer does not sign in that way", with_secret(rsa.jwk().to_string().as_bytes(), &hs, &good)),
        ("its issuer does not sign in that way", rsa.token_with(&json!({"alg": "RS512", "kid": "r"}), &good)),
        ("its signature is wrong", with_secret(&rsa.public(), &header, &good)),
        ("it is no signed token", none),
        ("it is no signed token", rsa.token_with(&json!({"alg": "None", "kid": "r"}), &good)),
        (
            "it asks for rules",
            rsa.token_with(&json!({"alg": "RS256", "kid": "r", "crit": ["b64"], "b64": false}), &good),
        ),
        ("it is no signed token", "a.b.c".into()),
        ("it is no signed token", "..".into()),
        ("it names no issuer", format!("{}.e30.AAAA", parts[0])),
    ];
    for (index, (why, token)) in bad.iter().enumerate() {
        let (status, told) = with(&server, token);
        assert!(status == 401 && told.contains(why), "{index}: {status} {told}, not {why}");
        assert!(log(&env).contains(&format!("the token is refused: {why}")), "{why}");
    }
    // Of those with a signature, neither that nor what they say is in the log.
    let log = log(&env);
    for part in bad.iter().flat_map(|(_, token)| token.split('.')).filter(|part| part.len() > 20) {
        assert!(!log.contains(part), "the log has a part of a token");
    }
    assert!(!log.contains("somebody\""), "the log has what a token says");
}

#[test]
fn a_person_is_who_their_issuer_says_and_known_by_their_address_once() {
    let signer = Signer::ed("k");
    let (issuer, other) = (Issuer::start(&[&signer]), Issuer::start(&[&signer]));
    let env = Env::new();
    let ann = text(&local(&env, "user_create", &json!({"email": "ann@example.com"}))["id"]);
    let told = format!("{};{}", issuer.told("alg=EdDSA"), other.told("alg=EdDSA"));
    let mut server = serve(&env, &told, &[]);
    let token = |issuer: &Issuer, subject: &str, email: &str, verified: Value| {
        signer.token(&with_email(issuer.claims(subject), email, &verified))
    };
    let user = |server: &Server, token: &str| {
        let listed = call(server, "/mcp/edit", &format!("Bearer {token}"), "instance_create", &json!({"name": "mine"}));
        listed.map(|_| ()).map_err(|code| assert_eq!(code, "unauthenticated"))
    };
    for unknown in [
        signer.token(&issuer.claims("1")),
        token(&issuer, "1", "ann@example.com", json!(false)),
        token(&issuer, "1", "ann@example.com", json!("yes")),
        token(&issuer, "1", "bob@example.com", json!(true)),
    ] {
        assert!(user(&server, &unknown).is_err());
    }
    assert!(user(&server, &token(&issuer, "1", "ann@example.com", json!(true))).is_ok());
    let known = |server: &Server, token: &str| with(server, token).0;
    assert_eq!(known(&server, &signer.token(&issuer.claims("1"))), 200, "the name is enough from now on");
    assert_eq!(known(&server, &token(&issuer, "2", "ann@example.com", json!(true))), 401, "the address was given on");
    assert_eq!(known(&server, &signer.token(&other.claims("1"))), 401, "a name is its issuer's");
    assert_eq!(known(&server, &token(&other, "9", "ann@example.com", json!("true"))), 200);
    let users = local(&env, "user_list", &json!({}));
    assert_eq!(users["users"].as_array().unwrap().len(), 2, "Ann and the owner: {users}");
    server.terminate();
    // Whoever comes is a user, once.
    let server = serve(&env, &told, &["--admit-anybody"]);
    let new = token(&issuer, "3", "new@example.com", json!(true));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(known(&server, &new), 200));
        }
    });
    assert_eq!(known(&server, &token(&issuer, "4", "ann@example.com", json!(false))), 200);
    assert_eq!(known(&server, &token(&issuer, "5", "ann@example.com", json!(true))), 401, "Ann's stays Ann's");
    let users = local(&env, "user_list", &json!({}));
    let addresses: Vec<_> = users["users"].as_array().unwrap().iter().map(|user| user["email"].clone()).collect();
    assert_eq!(addresses.len(), 4, "{users}");
    assert_eq!(addresses.iter().filter(|address| **address == json!("new@example.com")).count(), 1);
    // Removed is removed, whatever the token says.
    let server_without = serve(&env, &told, &[]);
    local(&env, "user_delete", &json!({"user": ann}));
    assert_eq!(known(&server_without, &signer.token(&issuer.claims("1"))), 401);
}

#[test]
fn a_token_ends_what_was_opened_with_it() {
    let signer = Signer::ec("k");
    let issuer = Issuer::start(&[&signer]);
    let env = Env::new();
    env.cli(&["set", "k", "v"]).ok();
    let server = serve(&env, &issuer.told("alg=ES256"), &["--owner", "owner@example.com", "--clock-skew", "0"]);
    let instance = local(&env, "instance_list", &json!({}))["instances"][0]["id"].clone();
    let claims = with_email(issuer.claims("owner"), "owner@example.com", &json!(true));
    let proof = |claims: &Value| format!("Bearer {}", signer.token(claims));
    // Something else is held already, whose end is far.
    let mut other = HttpClient::with_proof(&server, &at(&instance), &proof(&claims), Era::Modern);
    other.listen(&json!({"toolsListChanged": true}));
    let mut short = claims.clone();
    short["exp"] = json!(now() + 10);
    live::ends(&env, &server, &instance, &proof(&short), || ());
    assert_eq!(call(&server, "/mcp", &proof(&short), "list_keys", &json!({})), Err("unauthenticated".into()));
    env.cli(&["set", "another", "v"]).ok();
    other.next_where(|message| message["method"] == "notifications/tools/list_changed");
}

#[test]
fn a_server_that_could_not_tell_whose_tokens_are_for_it_does_not_start() {
    let env = Env::new();
    let refused = |args: &[&str]| env.cli(&[&["serve", "--listen", "127.0.0.1:0"], args].concat()).fails(2);
    refused(&["--issuer", "https://a.example"]);
    refused(&["--issuer", "http://a.example aud=x"]);
    refused(&["--issuer", "https://a.example aud=x alg=HS256"]);
    let twice = refused(&["--issuer", "https://a.example aud=x", "--issuer", "https://a.example aud=y"]);
    assert!(twice.contains("once"), "{twice}");
    let many: Vec<String> = (0..17).map(|number| format!("https://a{number}.example aud=x")).collect();
    assert!(refused(&["--issuer", &many.join(";")]).contains("at most 16"));
    refused(&["--issuer", "https://a.example aud=x", "--clock-skew", "301"]);
    refused(&["--issuer", "https://a.example aud=x", "--no-auth"]);
    refused(&["--admit-anybody"]);
}
