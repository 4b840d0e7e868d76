//! A raw JSON-RPC client of `mindcache mcp`: what a real client sends, and what it had better not send.

use std::{
    collections::{BTreeMap, VecDeque},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, RecvTimeoutError, Sender},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use serde_json::{Map, Value, json};

use super::{
    DEADLINE,
    pipes::{collect, read_messages, write_lines},
};

/// The version that the handshake asks for.
pub(crate) const LEGACY: &str = "2025-11-25";
/// The version without a handshake.
pub(crate) const MODERN: &str = "2026-07-28";

/// The first message of a subscription.
pub(crate) const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";
/// Where a message says to which subscription it belongs.
pub(crate) const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

/// The two ways to speak the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Era {
    /// `initialize` first.
    Legacy,
    /// Each request says its version.
    Modern,
}

/// The result or the error object of a request.
pub(crate) type Reply = Result<Value, Value>;

/// How a server ended by itself.
#[derive(Debug)]
#[must_use]
pub(crate) struct Exit {
    /// Its status.
    pub(crate) status: ExitStatus,
    /// From closing its input to its end.
    pub(crate) took: Duration,
    /// What it still wrote.
    pub(crate) messages: Vec<Value>,
}

/// One process of `mindcache mcp`, killed on drop.
pub(crate) struct Client {
    child: Child,
    outgoing: Option<Sender<Vec<u8>>>,
    incoming: Receiver<Result<Value, String>>,
    early: VecDeque<Value>,
    notifications: VecDeque<Value>,
    stderr: Arc<Mutex<String>>,
    stderr_reader: Option<JoinHandle<()>>,
    last_id: u64,
    era: Era,
}

impl Client {
    /// Starts the process. Lines are read and written by threads, so that no test hangs on a full pipe.
    pub(crate) fn start(mut command: Command, era: Era) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let outgoing = write_lines(child.stdin.take().expect("standard input is a pipe"));
        let incoming = read_messages(child.stdout.take().expect("standard output is a pipe"));
        let (stderr, stderr_reader) = collect(child.stderr.take().expect("standard error is a pipe"));
        let (outgoing, stderr_reader) = (Some(outgoing), Some(stderr_reader));
        Self {
            child,
            outgoing,
            incoming,
            early: VecDeque::new(),
            notifications: VecDeque::new(),
            stderr,
            stderr_reader,
            last_id: 0,
            era,
        }
    }

    /// `initialize` and `notifications/initialized`; returns the result of the first.
    pub(crate) fn handshake(&mut self) -> Value {
        let result = self.request("initialize", initialize_params(LEGACY)).expect("initialize succeeds");
        self.notify("notifications/initialized", json!({}));
        result
    }

    /// Turns to the older era, as a client does whose question was answered to its dislike.
    pub(crate) fn fall_back(&mut self) {
        self.era = Era::Legacy;
        self.handshake();
    }

    /// Sends bytes as they are.
    pub(crate) fn send_raw(&mut self, bytes: impl Into<Vec<u8>>) {
        // When the process has ended the next read says so.
        if let Some(outgoing) = &self.outgoing {
            drop(outgoing.send(bytes.into()));
        }
    }

    /// Sends a notification.
    pub(crate) fn notify(&mut self, method: &str, params: Value) {
        self.send_json(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Sends a request without waiting for its reply, and returns its id.
    pub(crate) fn send(&mut self, method: &str, params: Value) -> u64 {
        self.last_id += 1;
        let params = match self.era {
            Era::Legacy => params,
            Era::Modern => with_meta(params),
        };
        self.send_json(&json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}));
        self.last_id
    }

    /// Sends a tool call without waiting for its reply, and returns its id.
    pub(crate) fn send_call(&mut self, tool: &str, args: Value) -> u64 {
        self.send("tools/call", json!({"name": tool, "arguments": args}))
    }

    fn send_json(&mut self, message: &Value) {
        let mut line = message.to_string();
        line.push('\n');
        self.send_raw(line);
    }

    /// The next message of the server; the test fails when none comes, or when its output ends.
    pub(crate) fn next_message(&mut self) -> Value {
        match self.early.pop_front() {
            Some(message) => message,
            None => self.receive().unwrap_or_else(|| panic!("the server ended. {}", self.stderr())),
        }
    }

    /// The next message that is no notification, or `None` when the server's output ends.
    pub(crate) fn receive(&mut self) -> Option<Value> {
        loop {
            let message = self.receive_any()?;
            if is_notification(&message) {
                self.notifications.push_back(message);
            } else {
                return Some(message);
            }
        }
    }

    /// The next notification; other messages are kept.
    pub(crate) fn next_notification(&mut self) -> Value {
        loop {
            if let Some(notification) = self.notifications.pop_front() {
                return notification;
            }
            let message = self.receive_any().unwrap_or_else(|| panic!("the server ended. {}", self.stderr()));
            if is_notification(&message) {
                self.notifications.push_back(message);
            } else {
                self.early.push_back(message);
            }
        }
    }

    /// The notifications that have come so far.
    pub(crate) fn notifications(&mut self) -> Vec<Value> {
        self.notifications.drain(..).collect()
    }

    fn receive_any(&mut self) -> Option<Value> {
        match self.incoming.recv_timeout(DEADLINE) {
            Ok(Ok(message)) => Some(message),
            Ok(Err(line)) => panic!("standard output carries nothing but messages, not {line}"),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("no message within {DEADLINE:?}. {}", self.stderr()),
        }
    }

    /// The reply to the request of this id; other messages are kept for `next_message`.
    pub(crate) fn reply(&mut self, id: u64) -> Reply {
        let is_it = |message: &Value| message.get("id").and_then(Value::as_u64) == Some(id);
        if let Some(message) = self.early.iter().position(is_it).and_then(|at| self.early.remove(at)) {
            return reply_of(message);
        }
        loop {
            let message = self.receive().unwrap_or_else(|| panic!("the server ended. {}", self.stderr()));
            if is_it(&message) {
                return reply_of(message);
            }
            self.early.push_back(message);
        }
    }

    /// The replies to requests sent before, in whatever order they come.
    pub(crate) fn collect(&mut self, ids: &[u64]) -> BTreeMap<u64, Reply> {
        ids.iter().map(|id| (*id, self.reply(*id))).collect()
    }

    /// A request and its reply.
    pub(crate) fn request(&mut self, method: &str, params: Value) -> Reply {
        let id = self.send(method, params);
        self.reply(id)
    }

    /// A tool call that the protocol must take; the tool itself may refuse.
    pub(crate) fn call(&mut self, tool: &str, args: Value) -> ToolReply {
        self.try_call(tool, args).unwrap_or_else(|error| panic!("{tool} is a protocol error: {error}"))
    }

    /// A tool call that may also be refused by the protocol.
    pub(crate) fn try_call(&mut self, tool: &str, args: Value) -> Result<ToolReply, Value> {
        let id = self.send_call(tool, args);
        self.reply(id).map(ToolReply::of)
    }

    /// Writes a key and returns its version.
    pub(crate) fn write(&mut self, key: &str, value: &str) -> u64 {
        let written = self.call("write_key", json!({"key": key, "value": value})).ok();
        written["version"].as_u64().expect("a version")
    }

    /// The value of a key.
    pub(crate) fn value(&mut self, key: &str) -> String {
        let read = self.call("read_key", json!({"key": key})).ok();
        read["value"].as_str().expect("a value").to_owned()
    }

    /// The names of the keys, in one page of 1000.
    pub(crate) fn keys(&mut self) -> Vec<String> {
        let listed = self.call("list_keys", json!({"limit": 1000})).ok();
        listed["keys"].as_array().expect("keys").iter().map(|key| text(&key["key"])).collect()
    }

    /// The number of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the process has written to standard error so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.lock().expect("no reader of standard error panics").clone()
    }

    /// The exit code and all of standard error of a process whose output has ended; -1 after a signal.
    pub(crate) fn ended(&mut self) -> (i32, String) {
        let status = self.child.wait().expect("the process ends");
        if let Some(reader) = self.stderr_reader.take() {
            reader.join().expect("standard error was read");
        }
        (status.code().unwrap_or(-1), self.stderr())
    }

    /// Ends the process as a power cut would, and returns what it had already written.
    pub(crate) fn kill9(&mut self) -> Vec<Value> {
        self.child.kill().expect("the process can be killed");
        self.child.wait().expect("the process ends");
        self.outgoing = None;
        self.drain()
    }

    /// Closes the input and waits until the process ends by itself.
    #[expect(clippy::disallowed_methods, reason = "how long the end takes is what is measured")]
    pub(crate) fn close_stdin_and_wait(mut self) -> Exit {
        let start = Instant::now();
        self.outgoing = None;
        let messages = self.drain();
        let status = self.child.wait().expect("the process ends");
        Exit { status, took: start.elapsed(), messages }
    }

    fn drain(&mut self) -> Vec<Value> {
        let mut messages: Vec<_> = self.early.drain(..).collect();
        while let Some(message) = self.receive() {
            messages.push(message);
        }
        messages
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn is_notification(message: &Value) -> bool {
    message.get("method").is_some() && message.get("id").is_none()
}

/// The parameters of `initialize` for a version.
pub(crate) fn initialize_params(version: &str) -> Value {
    json!({"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "black-box", "version": "1"}})
}

/// Parameters with what a request of 2026-07-28 says about itself.
pub(crate) fn with_meta(params: Value) -> Value {
    let Value::Object(mut params) = params else { return params };
    let meta = params.entry("_meta").or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(meta) = meta {
        meta.insert("io.modelcontextprotocol/protocolVersion".into(), MODERN.into());
        meta.insert("io.modelcontextprotocol/clientCapabilities".into(), json!({}));
    }
    Value::Object(params)
}

/// The result or the error of a reply.
pub(crate) fn reply_of(mut message: Value) -> Reply {
    assert_eq!(message["jsonrpc"], "2.0", "{message}");
    match (message["result"].take(), message["error"].take()) {
        (Value::Null, Value::Null) => panic!("neither a result nor an error: {message}"),
        (result, Value::Null) => Ok(result),
        (_, error) => Err(error),
    }
}

/// The text of a JSON string.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a string: {value}")).to_owned()
}

/// The names of an object's members, sorted.
pub(crate) fn members(object: &Value) -> Vec<&str> {
    let object = object.as_object().unwrap_or_else(|| panic!("not an object: {object}"));
    let mut names: Vec<_> = object.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// What a tool answered.
#[derive(Debug)]
#[must_use]
pub(crate) struct ToolReply {
    /// It refused.
    pub(crate) is_error: bool,
    /// `structuredContent`.
    pub(crate) structured: Value,
    /// The content blocks.
    pub(crate) content: Vec<Value>,
}

impl ToolReply {
    /// Reads the result of `tools/call`.
    pub(crate) fn of(mut result: Value) -> Self {
        Self {
            is_error: result["isError"].as_bool().unwrap_or(false),
            structured: result["structuredContent"].take(),
            content: result["content"].as_array().cloned().unwrap_or_default(),
        }
    }

    /// The text blocks, a line break between them.
    pub(crate) fn text(&self) -> String {
        let texts = self.content.iter().filter(|block| block["type"] == "text");
        texts.map(|block| text(&block["text"])).collect::<Vec<_>>().join("\n")
    }

    /// The structured result of a call that must succeed.
    pub(crate) fn ok(self) -> Value {
        assert!(!self.is_error, "the tool refused: {}", self.text());
        self.structured
    }

    /// The error object of a call that must be refused with this code.
    pub(crate) fn error(self, code: &str) -> Value {
        assert!(self.is_error, "the tool should have refused with {code}: {}", self.structured);
        let first = self.text();
        let mut structured = self.structured;
        let error = structured["error"].take();
        assert_eq!(error["code"], code, "{error}");
        assert!(
            error["message"].as_str().is_some_and(|message| message.len() > 10),
            "an error says what to do: {error}"
        );
        assert!(!first.trim().is_empty() && !first.starts_with('{'), "the first line says the outcome: {first}");
        error
    }
}
