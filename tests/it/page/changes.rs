//! The stream of changes: live across processes, resumed without a gap.

use serde_json::json;

use super::{Stream, served};
use crate::harness::Env;

#[test]
fn a_change_by_any_process_comes_with_its_row_and_its_writer() {
    let env = Env::new();
    env.cli(&["set", "before", "1"]).ok();
    let (server, _) = served(&env, &[]);
    let bearer = server.bearer();
    let headers = [("Authorization", bearer.as_str())];
    let stream = Stream::open(&server, "", &headers);
    assert_eq!(stream.next(), json!({"as_of_seq": 1, "head_seq": 1}));
    env.cli(&["set", "a", "by  hand"]).ok();
    let change = stream.change();
    assert_eq!(
        (&change["seq"], &change["change"], &change["row"]["preview"]),
        (&json!(2), &json!("created"), &json!("by hand"))
    );
    assert_eq!(change["actor"]["writer"], "human/local");
    let mut agent = env.mcp();
    agent.write("a", "by an agent");
    let change = stream.change();
    assert_eq!((&change["change"], &change["actor"]["kind"]), (&json!("updated"), &json!("agent")));
    let mut http = server.mcp();
    http.call("delete_key", &json!({"key": "a"})).ok();
    let change = stream.change();
    assert_eq!((&change["change"], change.get("row")), (&json!("deleted"), None));
    // Resumed from a seq, or from the last event.
    for (query, last) in [("?since=2", None), ("?since=0", Some("2"))] {
        let mut headers = headers.to_vec();
        headers.extend(last.map(|last| ("Last-Event-ID", last)));
        let resumed = Stream::open(&server, query, &headers);
        assert_eq!([resumed.change(), resumed.change()].map(|change| change["seq"].clone()), [json!(3), json!(4)]);
    }
}

#[test]
fn a_value_that_the_log_does_not_keep_is_shown_while_it_is_the_keys() {
    let env = Env::new();
    env.cli(&["set", "quiet", "0"]).ok();
    env.cli(&["call", "set_key_attributes", r#"{"key": "quiet", "history": "none"}"#]).ok();
    let (server, _) = served(&env, &[]);
    let bearer = server.bearer();
    let stream = Stream::open(&server, "", &[("Authorization", bearer.as_str())]);
    stream.next();
    env.cli(&["set", "quiet", "not in the log"]).ok();
    assert_eq!(stream.change()["row"]["preview"], "not in the log");
}

#[test]
fn who_asks_for_what_is_not_in_the_log_is_told_to_begin_anew() {
    let env = Env::new();
    env.cli(&["set", "a", "1"]).ok();
    let (server, _) = served(&env, &[]);
    let bearer = server.bearer();
    let headers = [("Authorization", bearer.as_str())];
    let stream = Stream::open(&server, "?since=99", &headers);
    stream.next();
    assert!(stream.next()["floor"].is_u64());
    assert!(stream.is_over());
    let refused = server.get("/v1/i/default/changes?since=x", &headers);
    assert_eq!((refused.status, refused.header("content-type")), (400, Some("application/problem+json")));
    assert_eq!(server.get("/v1/i/nowhere/changes", &headers).status, 404);
}
