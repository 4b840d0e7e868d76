//! A client over streamable HTTP, of either era.

use std::{
    collections::VecDeque,
    io,
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
};

use serde_json::{Value, json};

use super::{
    DEADLINE,
    connection::{Connection, Events, Response},
    http::{JSON, Server},
    mcp::{self, Era, LEGACY, MODERN, Reply, ToolReply, initialize_params, reply_of, with_meta},
};

/// A session, or what stands for one without a handshake.
pub(crate) struct HttpClient<'s> {
    server: &'s Server,
    path: String,
    bearer: String,
    era: Era,
    /// The id of its session.
    pub(crate) session: Option<String>,
    last_id: u64,
    inbox: (Sender<Value>, Receiver<Value>),
    early: VecDeque<Value>,
    /// What it listens to, each with the id of the request that opened it.
    open: Vec<(u64, Events)>,
}

impl<'s> HttpClient<'s> {
    /// A client that has said nothing yet.
    pub(crate) fn new(server: &'s Server, path: &str, era: Era) -> Self {
        Self::with_proof(server, path, &server.bearer(), era)
    }

    /// The same with something else than the token, as it goes into the header.
    pub(crate) fn with_proof(server: &'s Server, path: &str, proof: &str, era: Era) -> Self {
        Self {
            server,
            path: path.to_owned(),
            bearer: proof.to_owned(),
            era,
            session: None,
            last_id: 0,
            inbox: mpsc::channel(),
            early: VecDeque::new(),
            open: Vec::new(),
        }
    }

    /// `initialize` and `notifications/initialized`.
    pub(crate) fn handshake(&mut self) -> io::Result<()> {
        self.try_request("initialize", &initialize_params(LEGACY))?.expect("initialize succeeds");
        let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string();
        let response = self.try_post("notifications/initialized", None, &initialized)?;
        assert_eq!(response.status, 202, "{}", response.text());
        Ok(())
    }

    fn try_post(&self, method: &str, name: Option<&str>, body: &str) -> io::Result<Response> {
        let headers = [&JSON, &self.headers(method, name)[..]].concat();
        self.server.try_send("POST", &self.path, &headers, body)
    }

    /// The headers of a message.
    pub(crate) fn headers<'h>(&'h self, method: &'h str, name: Option<&'h str>) -> Vec<(&'h str, &'h str)> {
        let mut headers = vec![("Authorization", self.bearer.as_str())];
        match self.era {
            Era::Modern => {
                headers.extend([("MCP-Protocol-Version", MODERN), ("Mcp-Method", method)]);
                headers.extend(name.map(|name| ("Mcp-Name", name)));
            }
            Era::Legacy => {
                if let Some(session) = &self.session {
                    headers.extend([("Mcp-Session-Id", session.as_str()), ("MCP-Protocol-Version", LEGACY)]);
                }
            }
        }
        headers
    }

    fn message(&mut self, method: &str, params: &Value) -> String {
        self.last_id += 1;
        let params = if self.era == Era::Modern { with_meta(params.clone()) } else { params.clone() };
        json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}).to_string()
    }

    /// A request and its reply.
    pub(crate) fn request(&mut self, method: &str, params: &Value) -> Reply {
        self.try_request(method, params).expect("the answer arrives")
    }

    /// The same of a server that may be killed meanwhile.
    fn try_request(&mut self, method: &str, params: &Value) -> io::Result<Reply> {
        let body = self.message(method, params);
        let response = self.try_post(method, name_of(params), &body)?;
        // A request of the newer era may be refused with the status that goes with its error.
        assert!(response.status == 200 || self.era == Era::Modern, "{}: {}", response.status, response.text());
        if let Some(session) = response.header("mcp-session-id") {
            self.session = Some(session.to_owned());
        }
        let message = response.try_message(self.last_id).ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(reply_of(message))
    }

    /// A tool call.
    pub(crate) fn call(&mut self, tool: &str, args: &Value) -> ToolReply {
        let result = self.request("tools/call", &json!({"name": tool, "arguments": args}));
        ToolReply::of(result.unwrap_or_else(|error| panic!("{tool} is a protocol error: {error}")))
    }

    /// A tool call with its answer as it came.
    pub(crate) fn post_call(&mut self, tool: &str, args: &Value) -> Response {
        let params = json!({"name": tool, "arguments": args});
        let body = self.message("tools/call", &params);
        self.try_post("tools/call", name_of(&params), &body).expect("the answer arrives")
    }

    /// A tool call of a server that may be killed meanwhile.
    pub(crate) fn try_call(&mut self, tool: &str, args: &Value) -> io::Result<ToolReply> {
        let result = self.try_request("tools/call", &json!({"name": tool, "arguments": args}))?;
        Ok(ToolReply::of(result.unwrap_or_else(|error| panic!("{tool} is a protocol error: {error}"))))
    }

    /// Sends a request; answers its id and the connection on which its answer will come.
    pub(crate) fn send(&mut self, method: &str, params: &Value) -> (u64, Connection) {
        let body = self.message(method, params);
        let mut connection = self.server.connect();
        let headers = [&JSON, &self.headers(method, name_of(params))[..]].concat();
        connection.send("POST", &self.path, &headers, body.as_bytes());
        (self.last_id, connection)
    }

    /// The same, and waits until the server has taken the request, although it may answer much later.
    pub(crate) fn send_and_be_taken(&mut self, method: &str, params: &Value) -> (u64, Connection) {
        let body = self.message(method, params);
        let mut connection = self.server.connect();
        let headers = [&JSON, &self.headers(method, name_of(params))[..]].concat();
        connection.post_when_asked(&self.path, &headers, body.as_bytes());
        (self.last_id, connection)
    }

    /// Opens the stream on which a session is told of changes.
    pub(crate) fn open_session_stream(&mut self) {
        let headers = [&[("Accept", "text/event-stream")], &self.headers("", None)[..]].concat();
        let mut connection = self.server.connect();
        connection.send("GET", &self.path, &headers, b"");
        self.keep(0, connection);
    }

    /// Keeps a connection on which messages come.
    fn keep(&mut self, id: u64, mut connection: Connection) {
        let head = connection.head();
        assert_eq!(head.status, 200, "the stream is opened");
        self.open.push((id, connection.events_to(self.inbox.0.clone())));
    }

    /// Opens a subscription of the newer protocol; answers its id and what was acknowledged.
    pub(crate) fn listen(&mut self, wanted: &Value) -> (u64, Value) {
        let (id, connection) = self.send("subscriptions/listen", &json!({"notifications": wanted}));
        self.keep(id, connection);
        let acknowledged = self.next_where(|message| {
            message["method"] == mcp::ACKNOWLEDGED && message["params"]["_meta"][mcp::SUBSCRIPTION] == json!(id)
        });
        (id, acknowledged["params"]["notifications"].clone())
    }

    /// Closes the connection of the request of this id.
    pub(crate) fn hang_up(&mut self, id: u64) {
        self.open.retain(|(each, _)| *each != id);
    }

    /// Says nothing more, and leaves the streams open.
    pub(crate) fn only_hear(self) -> Heard {
        Heard { inbox: self.inbox.1, _open: self.open }
    }

    /// The next of this kind; others are kept.
    pub(crate) fn next_where(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        if let Some(message) = self.early.iter().position(&is_it).and_then(|at| self.early.remove(at)) {
            return message;
        }
        loop {
            let message = self.inbox.1.recv_timeout(DEADLINE).expect("a message comes");
            if is_it(&message) {
                return message;
            }
            self.early.push_back(message);
        }
    }
}

/// The streams of a client that says nothing more.
pub(crate) struct Heard {
    inbox: Receiver<Value>,
    _open: Vec<(u64, Events)>,
}

impl Heard {
    /// What came until the server ended them.
    pub(crate) fn rest(&self) -> Vec<Value> {
        let rest = std::iter::from_fn(|| match self.inbox.recv_timeout(DEADLINE) {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("the streams do not end"),
        });
        rest.collect()
    }
}

/// What a request of the newer era is about, which its headers say too.
fn name_of(params: &Value) -> Option<&str> {
    params["name"].as_str().or(params["uri"].as_str())
}
