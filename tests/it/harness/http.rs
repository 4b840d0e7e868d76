//! `mindcache serve`, and as much of an HTTP client as its tests need.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
};

use serde_json::{Value, json};

use super::{
    DEADLINE,
    mcp::{self, Reply, ToolReply},
};

/// One process of `mindcache serve`, killed on drop.
pub(crate) struct Server {
    child: Child,
    lines: Receiver<String>,
    data: PathBuf,
    /// Its first line.
    pub(crate) first_line: String,
    /// `HOST:PORT`.
    pub(crate) address: String,
}

impl Server {
    /// Starts the process and waits for the line that says where it listens.
    pub(crate) fn start(mut command: Command, data: PathBuf) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().expect("standard output is a pipe"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut server = Self { child, lines, data, first_line: String::new(), address: String::new() };
        server.first_line = server.next_line();
        let (_, address) = server.first_line.split_once("http://").expect("the first line names the address");
        server.address = address.trim_end_matches('/').to_owned();
        server
    }

    /// The next line of standard output.
    pub(crate) fn next_line(&self) -> String {
        self.lines.recv_timeout(DEADLINE).expect("the server prints a line")
    }

    /// The token of the data folder.
    pub(crate) fn token(&self) -> String {
        let token = std::fs::read_to_string(self.data.join("token")).expect("the token's file");
        token.trim().to_owned()
    }

    /// A GET without a body.
    pub(crate) fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        self.send("GET", path, headers, "")
    }

    /// A POST of JSON, with the headers that every MCP client sends.
    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let mut all = vec![("Content-Type", "application/json"), ("Accept", "application/json, text/event-stream")];
        all.extend_from_slice(headers);
        self.send("POST", path, &all, body)
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let mut stream = TcpStream::connect(&self.address).expect("the server accepts connections");
        stream.set_read_timeout(Some(DEADLINE)).expect("a read deadline");
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        let has_host = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host"));
        let host = [("Host", self.address.as_str())];
        for (name, value) in headers.iter().chain(if has_host { &[] } else { &host[..] }) {
            head.extend([name, ": ", value, "\r\n"]);
        }
        // A server that refuses early may close before the body is read; its answer is what counts.
        drop(stream.write_all(format!("{head}\r\n{body}").as_bytes()));
        Response::read(&mut BufReader::new(stream))
    }

    /// An MCP client of `/mcp` with the token, after its handshake.
    pub(crate) fn mcp(&self) -> HttpClient<'_> {
        self.mcp_at("/mcp")
    }

    /// The same at another address.
    pub(crate) fn mcp_at(&self, path: &str) -> HttpClient<'_> {
        let bearer = format!("Bearer {}", self.token());
        let mut client = HttpClient { server: self, path: path.to_owned(), bearer, session: None, last_id: 0 };
        client.request("initialize", &mcp::initialize_params(mcp::LEGACY)).expect("initialize succeeds");
        let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(client.post(&initialized).status, 202);
        client
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A session over streamable HTTP.
pub(crate) struct HttpClient<'a> {
    server: &'a Server,
    path: String,
    bearer: String,
    /// The id of its session.
    pub(crate) session: Option<String>,
    last_id: u64,
}

impl HttpClient<'_> {
    fn post(&self, message: &Value) -> Response {
        let mut headers = vec![("Authorization", self.bearer.as_str())];
        if let Some(session) = &self.session {
            headers.push(("Mcp-Session-Id", session));
            headers.push(("MCP-Protocol-Version", mcp::LEGACY));
        }
        self.server.post(&self.path, &headers, &message.to_string())
    }

    /// A request and its reply.
    pub(crate) fn request(&mut self, method: &str, params: &Value) -> Reply {
        self.last_id += 1;
        let response = self.post(&json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}));
        assert_eq!(response.status, 200, "{}", response.text());
        if let Some(session) = response.header("mcp-session-id") {
            self.session = Some(session.to_owned());
        }
        mcp::reply_of(response.message(self.last_id))
    }

    /// A tool call.
    pub(crate) fn call(&mut self, tool: &str, args: &Value) -> ToolReply {
        let result = self.request("tools/call", &json!({"name": tool, "arguments": args}));
        ToolReply::of(result.unwrap_or_else(|error| panic!("{tool} is a protocol error: {error}")))
    }
}

/// An answer.
#[derive(Debug)]
#[must_use]
pub(crate) struct Response {
    /// The status code.
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Response {
    fn read(reader: &mut impl BufRead) -> Self {
        let status_line = read_line(reader);
        let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let mut headers = Vec::new();
        loop {
            let line = read_line(reader);
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut response = Self { status: status.expect("a status line"), headers, body: Vec::new() };
        response.body = response.read_body(reader);
        response
    }

    fn read_body(&self, reader: &mut impl BufRead) -> Vec<u8> {
        let mut body = Vec::new();
        if self.header("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
            while let Ok(length @ 1..) = u64::from_str_radix(read_line(reader).trim(), 16) {
                reader.take(length).read_to_end(&mut body).expect("the chunk arrives");
                read_line(reader);
            }
        } else {
            let length = self.header("content-length").map_or(u64::MAX, |text| text.parse().expect("a length"));
            reader.take(length).read_to_end(&mut body).expect("the body arrives");
        }
        body
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(each, _)| each == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    /// The reply of this id in the body, be it JSON or a stream of events.
    pub(crate) fn message(&self, id: u64) -> Value {
        if !self.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream")) {
            return self.json();
        }
        let text = self.text();
        let mut messages = events(&text).filter_map(|event| serde_json::from_str::<Value>(&event).ok());
        messages.find(|message| message["id"] == id).unwrap_or_else(|| panic!("no reply {id} in {text}"))
    }
}

/// The data of each event in a stream of events.
fn events(stream: &str) -> impl Iterator<Item = String> {
    let stream = stream.replace("\r\n", "\n");
    let events: Vec<_> = stream.split("\n\n").map(data_of).collect();
    events.into_iter().filter(|data| !data.is_empty())
}

fn data_of(event: &str) -> String {
    let data = event.lines().filter_map(|line| line.strip_prefix("data:"));
    data.map(str::trim_start).collect::<Vec<_>>().join("\n")
}

fn read_line(reader: &mut impl BufRead) -> String {
    let mut line = String::new();
    reader.read_line(&mut line).expect("the answer arrives");
    line.trim_end_matches(['\r', '\n']).to_owned()
}

#[test]
fn an_answer_in_chunks_is_put_together() {
    let bytes = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n\
                 9\r\ndata: \n\nd\r\n16\r\nata: {\"id\":7,\"r\":1}\n\n\n\r\n0\r\n\r\n";
    let response = Response::read(&mut BufReader::new(bytes.as_bytes()));
    assert_eq!(response.status, 200);
    assert_eq!(response.message(7)["r"], 1);
}
