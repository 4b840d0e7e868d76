//! How `mindcache serve` ends: at once, and whoever waits is answered.
#![cfg(unix)]

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{
    Env,
    http::Server,
    mcp::{Era, SUBSCRIPTION, ToolReply, reply_of},
};

/// The signal is the end of the process within this time.
const PROMPT: Duration = Duration::from_secs(1);

/// Ends a server to which `begin` has connected its clients, and looks at what they still hear. On a loaded machine
/// one try may be late; a server that waits for its clients is late each time.
fn ends_promptly<T>(begin: impl Fn(&Server) -> T, heard: impl Fn(T)) {
    let mut took = Vec::new();
    for _ in 0..3 {
        let env = Env::new();
        let mut server = env.serve(&[]);
        let clients = begin(&server);
        let (status, after) = server.terminate();
        assert_eq!(status.code(), Some(0), "a signal is no failure");
        heard(clients);
        if after < PROMPT {
            return;
        }
        took.push(after);
    }
    panic!("the signal is not the end of the process: {took:?}");
}

#[test]
fn bug_a_signal_right_after_the_first_line_was_no_orderly_stop() {
    for _ in 0..10 {
        ends_promptly(|_| {}, |()| {});
    }
}

#[test]
fn an_idle_connection_ends() {
    ends_promptly(
        |server| {
            let mut connection = server.connect();
            connection.send("GET", "/health", &[], b"");
            assert_eq!(connection.response().status, 200);
            connection
        },
        |mut connection| assert!(connection.is_closed()),
    );
}

#[test]
fn bug_a_stop_cut_the_result_of_a_subscription_off() {
    ends_promptly(
        |server| {
            let mut client = server.mcp_modern();
            let (id, _) = client.listen(&json!({"toolsListChanged": true}));
            (client.only_hear(), id)
        },
        |(heard, id)| {
            let rest = heard.rest();
            let end = rest.last().expect("the subscription ends with its result");
            assert_eq!((&end["id"], &end["result"]["_meta"][SUBSCRIPTION]), (&json!(id), &json!(id)), "{end}");
        },
    );
}

#[test]
fn bug_a_stop_cut_the_answer_of_a_wait_off() {
    for era in [Era::Legacy, Era::Modern] {
        ends_promptly(
            |server| {
                let mut client = if era == Era::Legacy { server.mcp() } else { server.mcp_modern() };
                let wait = json!({"name": "wait_for_change", "arguments": {"wait_ms": 45_000}});
                let (id, connection) = client.send_and_be_taken("tools/call", &wait);
                (connection, id)
            },
            |(mut connection, id)| {
                let answer = connection.response();
                assert_eq!(answer.status, 200, "{}", answer.text());
                let waited = ToolReply::of(reply_of(answer.message(id)).unwrap()).ok();
                assert_eq!((&waited["timed_out"], &waited["changes"]), (&json!(true), &json!([])), "{waited}");
            },
        );
    }
}

#[test]
fn a_stream_of_a_session_ends() {
    ends_promptly(
        |server| {
            let mut client = server.mcp();
            client.open_session_stream();
            client.only_hear()
        },
        |heard| assert_eq!(heard.rest(), Vec::<Value>::new()),
    );
}

#[test]
fn a_request_that_never_comes_whole_does_not_keep_the_server() {
    ends_promptly(
        |server| {
            let mut connection = server.connect();
            connection.send_raw(b"POST /mcp HTTP/1.1\r\nContent-Le");
            connection
        },
        drop,
    );
}
