//! Issuers that fail, change their keys, or are asked by many at once.

use serde_json::json;

use super::{
    certificate::Certificate,
    issuer::{Answer, Issuer, Signer},
    tokens::{log, serve, serve_trusting, with},
};
use crate::harness::{Env, eventually, http_client::HttpClient, mcp::Era};

#[test]
fn an_issuer_that_does_not_give_its_keys_lets_nobody_in() {
    let signer = Signer::rsa("k");
    let issuer = Issuer::start(&[&signer]);
    let env = Env::new();
    let server = serve(&env, &issuer.told(""), &["--admit-anybody"]);
    let token = signer.token(&issuer.claims("somebody"));
    for (answer, why) in [
        (Answer::Status(500), "the status 500"),
        (Answer::Endless, "longer than 262144 bytes"),
        (Answer::Garbage, "no set of keys"),
        (Answer::NoKeys, "none of its keys"),
        (Answer::Redirect, "the status 302"),
        (Answer::OtherIssuer, "of another issuer"),
        (Answer::UnsafeKeys, "not safe"),
        (Answer::Never, "too long to answer"),
    ] {
        issuer.now_answers(answer);
        eventually("it is asked again", || {
            let (status, told) = with(&server, &token);
            assert_eq!(status, 503, "{answer:?}: {told}");
            log(&env).contains(why)
        });
    }
    issuer.now_answers(Answer::Keys);
    eventually("it is asked again", || with(&server, &token).0 == 200);
    let log = log(&env);
    assert!(token.split('.').all(|part| !log.contains(part)), "the log has a part of the token");
}

#[test]
fn a_new_key_is_fetched_once_and_one_that_is_not_there_is_not_asked_for_often() {
    let (old, new, unknown) = (Signer::ec("old"), Signer::ec("new"), Signer::ec("unknown"));
    let issuer = Issuer::start(&[&old]);
    let env = Env::new();
    let server = serve(&env, &issuer.told("alg=ES256"), &["--admit-anybody"]);
    let claims = issuer.claims("somebody");
    assert_eq!(with(&server, &old.token(&claims)).0, 200);
    issuer.now_has(&[&new]);
    assert_eq!(with(&server, &new.token(&claims)).0, 200);
    assert_eq!(issuer.fetches(), 2);
    // A key that was taken out is taken no more; and whoever names keys makes no traffic.
    for token in [old.token(&claims), unknown.token(&claims), unknown.token(&claims)] {
        let (status, told) = with(&server, &token);
        assert!(status == 401 && told.contains("no such key"), "{status} {told}");
    }
    assert_eq!(with(&server, &new.token(&claims)).0, 200);
    assert!(issuer.fetches() <= 3, "{} within a moment", issuer.fetches());
}

#[test]
fn keys_outlast_their_issuer() {
    let (signer, other) = (Signer::ed("k"), Signer::ed("other"));
    let issuer = Issuer::start(&[&signer]);
    let env = Env::new();
    let server = serve(&env, &issuer.told("alg=EdDSA"), &["--admit-anybody", "--issuer-fresh-ms", "1"]);
    let claims = issuer.claims("somebody");
    assert_eq!(with(&server, &signer.token(&claims)).0, 200);
    for answer in [Answer::Status(500), Answer::Never] {
        issuer.now_answers(answer);
        eventually("the old keys are to be renewed", || {
            assert_eq!(with(&server, &signer.token(&claims)).0, 200);
            issuer.fetches() > 1
        });
        assert_eq!(with(&server, &signer.token(&claims)).0, 200);
    }
    assert_eq!(with(&server, &other.token(&claims)).0, 503, "nobody can say whether it is a new key");
    assert_eq!(with(&server, &signer.token(&claims)).0, 200);
}

#[test]
fn many_who_come_first_at_once_cause_one_fetch() {
    let signer = Signer::ed("k");
    let issuer = Issuer::start(&[&signer]);
    issuer.now_answers(Answer::Held);
    let env = Env::new();
    let server = serve(&env, &issuer.told("alg=EdDSA"), &["--admit-anybody"]);
    let proof = format!("Bearer {}", signer.token(&issuer.claims("somebody")));
    let call = json!({"name": "list_keys", "arguments": {}});
    let mut clients: Vec<_> = (0..16)
        .map(|_| HttpClient::with_proof(&server, "/mcp", &proof, Era::Modern).send("tools/call", &call).1)
        .collect();
    // The first hangs up while it waits; the others get what it asked for.
    eventually("the keys are asked for", || issuer.fetches() == 1);
    drop(clients.remove(0));
    issuer.now_answers(Answer::Keys);
    for mut client in clients {
        assert_eq!(client.response().status, 200);
    }
    assert_eq!(issuer.fetches(), 1);
}

#[test]
fn bug_an_issuer_on_this_machine_was_never_asked_over_tls() {
    let signer = Signer::ed("k");
    let (its_own, other) = (Certificate::new(), Certificate::new());
    let issuer = Issuer::start_with(&[&signer], Some(&its_own));
    let token = signer.token(&issuer.claims("somebody"));
    for (trusted, expected) in [(&its_own, 200), (&other, 503)] {
        let env = Env::new();
        let file = env.file("trusted.pem", trusted.pem().as_bytes());
        let server = serve_trusting(&env, &issuer.told("alg=EdDSA"), &["--admit-anybody"], Some(&file));
        let (status, told) = with(&server, &token);
        let log = log(&env);
        assert_eq!(status, expected, "{told} {log}");
        assert_eq!(log.contains("invalid peer certificate"), expected == 503, "{log}");
        assert!(token.split('.').all(|part| !log.contains(part)), "the log has a part of the token");
    }
}
