//! The live page without a browser: who gets in, what is served, what it is told. `tests/page/` drives it in a browser.

mod changes;
mod client;
mod files;
mod login;
mod ops;
mod sync;

use std::{process::Stdio, sync::mpsc};

use serde_json::{Value, json};

use crate::harness::{
    DEADLINE, Env,
    connection::{Events, Response},
    http::Server,
};

/// A server, and the code of the link that it printed.
fn served(env: &Env, args: &[&str]) -> (Server, String) {
    let server = env.serve(args);
    let link = server.next_line();
    let code = link.split_once("/#code=").map(|(_, code)| code.to_owned()).unwrap_or_default();
    (server, code)
}

/// Takes a code as the page does.
fn exchange(server: &Server, code: &str) -> Response {
    let body = json!({ "code": code }).to_string();
    let origin = format!("http://{}", server.address);
    let headers = [("Origin", origin.as_str()), ("Content-Type", "application/json")];
    server.send("POST", "/api/sign-in", &headers, &body)
}

/// Both halves of a sign-in, as the headers that carry them.
struct Halves {
    cookie: String,
    page_key: String,
}

impl Halves {
    /// Signs in.
    fn of(server: &Server, code: &str) -> Self {
        let answer = exchange(server, code);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        Self { cookie, page_key: answer.json()["page_key"].as_str().unwrap().to_owned() }
    }

    fn headers(&self) -> [(&str, &str); 3] {
        [("Cookie", &self.cookie), ("X-MindCache-Page", &self.page_key), ("X-MindCache-Tab", "tab1")]
    }
}

/// Does an operation as the page does.
fn call(server: &Server, headers: &[(&str, &str)], name: &str, args: &Value) -> Response {
    let headers = [headers, &[("Content-Type", "application/json")]].concat();
    server.send("POST", &format!("/v1/i/default/ops/{name}"), &headers, &args.to_string())
}

/// What comes on a stream of changes.
struct Stream {
    inbox: mpsc::Receiver<Value>,
    _events: Events,
}

impl Stream {
    fn open(server: &Server, query: &str, headers: &[(&str, &str)]) -> Self {
        let mut connection = server.connect();
        connection.send("GET", &format!("/v1/i/default/changes{query}"), headers, b"");
        let head = connection.head();
        assert_eq!((head.status, head.header("content-type")), (200, Some("text/event-stream")));
        let (sender, inbox) = mpsc::channel();
        Self { inbox, _events: connection.events_to(sender) }
    }

    fn next(&self) -> Value {
        self.inbox.recv_timeout(DEADLINE).expect("an event arrives")
    }

    /// The next change of a key.
    fn change(&self) -> Value {
        loop {
            let event = self.next();
            if event["key"].is_string() {
                return event;
            }
        }
    }

    /// Whether the server has ended the stream: nothing more comes.
    fn is_over(&self) -> bool {
        loop {
            match self.inbox.recv_timeout(DEADLINE) {
                Ok(_) => {}
                Err(ended) => return ended == mpsc::RecvTimeoutError::Disconnected,
            }
        }
    }
}

/// A server whose log goes to a file.
pub(crate) fn served_with_log(env: &Env, log: &str) -> Server {
    // The harness throws standard error away; a shell does not.
    let mut shell = env.command_of(std::path::Path::new("sh"));
    let line = format!("exec \"$0\" serve --listen 127.0.0.1:0 2>\"{log}\"");
    shell.args(["-c", &line]).arg(env!("CARGO_BIN_EXE_mindcache")).env("MINDCACHE_LOG", "trace").stdin(Stdio::null());
    Server::start(shell, env.data())
}
