//! A client of `/sync`: as much of a WebSocket as its tests need.

use std::{collections::BTreeMap, net::TcpStream};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{
    self, HandshakeError, Message, WebSocket, client::IntoClientRequest as _, protocol::WebSocketConfig,
};

use crate::harness::{DEADLINE, http::Server};

/// A connection.
pub(crate) struct Client {
    ws: WebSocket<TcpStream>,
    /// What was told when it began.
    pub(crate) hello: Value,
    /// What was told so far, for who asks for the whole of it.
    kept: Vec<Value>,
}

/// A refusal of the upgrade: the status and `error`.
pub(crate) type Refused = (u16, String);

/// A parameter of an address.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |all, byte| format!("{all}%{byte:02X}"))
}

impl Client {
    /// Connects, or tells how it was refused.
    pub(crate) fn try_open(address: &str, path: &str, headers: &[(&str, &str)]) -> Result<Self, Refused> {
        let mut request = format!("ws://{address}{path}").into_client_request().expect("it is an address");
        for (name, value) in headers {
            let name: tungstenite::http::HeaderName = name.parse().expect("it is a name");
            request.headers_mut().insert(name, value.parse().expect("it is a value"));
        }
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("it can be set");
        let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
        match tungstenite::client::client_with_config(request, stream, Some(config)) {
            Ok((ws, _)) => Ok(Self { ws, hello: Value::Null, kept: Vec::new() }),
            Err(HandshakeError::Failure(tungstenite::Error::Http(response))) => {
                let body = response.body().clone().unwrap_or_default();
                let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
                Err((response.status().as_u16(), problem["error"].as_str().unwrap_or_default().to_owned()))
            }
            Err(error) => panic!("the handshake failed: {error}"),
        }
    }

    /// Connects with `auth_success` read.
    pub(crate) fn open(server: &Server, path: &str, proof: &str) -> Self {
        Self::open_at(&server.address, path, proof)
    }

    /// The same at an address.
    pub(crate) fn open_at(address: &str, path: &str, proof: &str) -> Self {
        let headers: &[(&str, &str)] = &[("Authorization", proof)];
        let headers = if proof.is_empty() { &[] } else { headers };
        let mut client = Self::try_open(address, path, headers).expect("it is let in");
        client.hello = client.next();
        assert_eq!(client.hello["type"], "auth_success");
        client
    }

    /// The same with the whole first state read; it is all that `sync` said.
    pub(crate) fn synced(server: &Server, path: &str, proof: &str) -> (Self, Value) {
        let mut client = Self::open(server, path, proof);
        let state = client.state();
        client.kept.push(state.clone());
        (client, state)
    }

    /// Reads a state to its end; its pieces together.
    pub(crate) fn state(&mut self) -> Value {
        let mut whole = self.next_of("sync");
        while whole["more"] == true {
            let mut piece = self.next_of("sync");
            let data = piece["data"].take();
            whole["data"].as_object_mut().unwrap().extend(data.as_object().unwrap().clone());
            whole["more"] = piece["more"].take();
            whole["seq"] = piece["seq"].take();
        }
        whole
    }

    /// Sends a message.
    pub(crate) fn send(&mut self, message: &Value) {
        self.say(&message.to_string());
    }

    /// Sends a text, whatever it is.
    pub(crate) fn say(&mut self, text: &str) {
        self.ws.send(Message::Text(text.into())).expect("it can be sent");
    }

    /// Sends a frame, and nothing matters.
    pub(crate) fn try_send(&mut self, message: Message) -> bool {
        self.ws.send(message).is_ok()
    }

    /// Sets a key as an older client does.
    pub(crate) fn set(&mut self, key: &str, value: impl Into<Value>) {
        let attributes = json!({"type": "text", "readonly": false, "visible": true, "hardcoded": false,
            "template": false, "tags": []});
        self.set_with(key, value, &attributes);
    }

    /// The same with these attributes.
    pub(crate) fn set_with(&mut self, key: &str, value: impl Into<Value>, attributes: &Value) {
        let value: Value = value.into();
        self.send(&json!({"type": "set", "key": key, "value": value, "attributes": attributes, "timestamp": 1}));
    }

    /// The next message.
    pub(crate) fn next(&mut self) -> Value {
        match self.step() {
            Ok(message) => message,
            Err(closed) => panic!("the socket was closed: {closed:?}"),
        }
    }

    /// The next message of a sort; others are passed over.
    pub(crate) fn next_of(&mut self, kind: &str) -> Value {
        self.next_where(|message| message["type"] == kind)
    }

    /// The next message that is so; others are passed over.
    pub(crate) fn next_where(&mut self, mut is_it: impl FnMut(&Value) -> bool) -> Value {
        loop {
            let message = self.next();
            if is_it(&message) {
                return message;
            }
        }
    }

    /// Everything that comes before an answer to `ping`: so all that was sent before has been dealt with at least once.
    pub(crate) fn until_pong(&mut self) -> Vec<Value> {
        self.send(&json!({"type": "ping"}));
        let mut before = Vec::new();
        loop {
            let message = self.next();
            if message["type"] == "pong" {
                return before;
            }
            before.push(message);
        }
    }

    /// The next message, or how the socket was closed.
    pub(crate) fn try_next(&mut self) -> Result<Value, (u16, String)> {
        self.step()
    }

    /// Sends a `ping` and keeps what comes before its answer.
    pub(crate) fn keep_until_pong(&mut self) {
        let told = self.until_pong();
        self.kept.extend(told);
    }

    /// Keeps what comes until a key `mark` is told of; the values of the other keys by all that.
    pub(crate) fn told_until_mark(&mut self) -> BTreeMap<String, String> {
        loop {
            let told = self.next();
            let is_mark = told["key"] == "mark" || told["data"].get("mark").is_some();
            self.kept.push(told);
            if is_mark {
                break;
            }
        }
        let mut keys = BTreeMap::new();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        for told in &self.kept {
            match told["type"].as_str().unwrap_or_default() {
                "sync" => {
                    if told["full"] == true {
                        keys.clear();
                    }
                    let data = told["data"].as_object().unwrap();
                    keys.extend(data.iter().map(|(name, entry)| (name.clone(), text(&entry["value"]))));
                    for name in told["deleted"].as_array().into_iter().flatten() {
                        keys.remove(name.as_str().unwrap());
                    }
                }
                "key_updated" => drop(keys.insert(text(&told["key"]), text(&told["value"]))),
                "key_deleted" => drop(keys.remove(told["key"].as_str().unwrap())),
                "cleared" => keys.clear(),
                _ => {}
            }
        }
        keys
    }

    /// Reads to the end; the close code and the reason.
    pub(crate) fn closed(&mut self) -> (u16, String) {
        loop {
            if let Err(closed) = self.step() {
                return closed;
            }
        }
    }

    fn step(&mut self) -> Result<Value, (u16, String)> {
        loop {
            match self.ws.read() {
                Ok(Message::Text(text)) => return Ok(serde_json::from_str(&text).expect("the server sends JSON")),
                Ok(Message::Close(frame)) => {
                    drop(self.ws.flush());
                    return Err(
                        frame.map_or((1005, String::new()), |frame| (frame.code.into(), frame.reason.to_string()))
                    );
                }
                // The library answers pings with the next read or write.
                Ok(Message::Ping(_)) => drop(self.ws.flush()),
                Ok(_) => {}
                Err(error) => return Err((0, error.to_string())),
            }
        }
    }

    /// Says goodbye and goes when that was heard: what is under way when a connection is torn down is lost with it.
    pub(crate) fn leave(mut self) {
        drop(self.ws.close(None));
        while self.step().is_ok() {}
    }

    /// What the connection is, for tests that do to it what no client should.
    pub(crate) fn stream(&mut self) -> &mut TcpStream {
        self.ws.get_mut()
    }
}
