//! `mindcache serve`, and as much of an HTTP client as its tests need.

use std::{
    io::{self, BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Mutex,
        mpsc::{self, Receiver},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    DEADLINE,
    connection::{Connection, Response},
    http_client::HttpClient,
    mcp::Era,
};

/// What every MCP client sends with a POST.
pub(crate) const JSON: [(&str, &str); 2] =
    [("Content-Type", "application/json"), ("Accept", "application/json, text/event-stream")];

/// One process of `mindcache serve`, killed on drop.
pub(crate) struct Server {
    child: Child,
    lines: Mutex<Receiver<String>>,
    data: PathBuf,
    /// Its first line.
    pub(crate) first_line: String,
    /// `HOST:PORT`.
    pub(crate) address: String,
}

impl Server {
    /// Starts the process and waits for the line that says where it listens.
    pub(crate) fn start(command: Command, data: PathBuf) -> Self {
        Self::start_logging(command, data, Stdio::null())
    }

    /// The same with its log going somewhere.
    pub(crate) fn start_logging(mut command: Command, data: PathBuf, log: Stdio) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
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
        let lines = Mutex::new(lines);
        let mut server = Self { child, lines, data, first_line: String::new(), address: String::new() };
        server.first_line = server.next_line();
        let (_, address) = server.first_line.split_once("http://").expect("the first line names the address");
        server.address = address.trim_end_matches('/').to_owned();
        server
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line of standard output.
    pub(crate) fn next_line(&self) -> String {
        self.lines.lock().expect("no reader panics").recv_timeout(DEADLINE).expect("the server prints a line")
    }

    /// The token of the data folder.
    pub(crate) fn token(&self) -> String {
        let token = std::fs::read_to_string(self.data.join("token")).expect("the token's file");
        token.trim().to_owned()
    }

    /// The token as the header that carries it.
    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.token())
    }

    /// A connection that stays open.
    pub(crate) fn connect(&self) -> Connection {
        Connection::open(&self.address)
    }

    /// A GET without a body.
    pub(crate) fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        self.send("GET", path, headers, "")
    }

    /// A POST of JSON, with the headers that every MCP client sends.
    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
        self.send("POST", path, &[&JSON, headers].concat(), body)
    }

    /// A request on a connection of its own.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
        self.try_send(method, path, headers, body).expect("the answer arrives")
    }

    /// A request of a server that may be killed meanwhile.
    pub(crate) fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> io::Result<Response> {
        let mut connection = Connection::try_open(&self.address)?;
        connection.send(method, path, &[&[("Connection", "close")], headers].concat(), body.as_bytes());
        connection.try_response()
    }

    /// An MCP client of `/mcp` with the token, after its handshake.
    pub(crate) fn mcp(&self) -> HttpClient<'_> {
        self.mcp_at("/mcp")
    }

    /// The same at another address.
    pub(crate) fn mcp_at(&self, path: &str) -> HttpClient<'_> {
        self.try_mcp_at(path).expect("the answer arrives")
    }

    /// The same of a server that may be killed meanwhile.
    pub(crate) fn try_mcp_at(&self, path: &str) -> io::Result<HttpClient<'_>> {
        let mut client = HttpClient::new(self, path, Era::Legacy);
        client.handshake()?;
        Ok(client)
    }

    /// A client of 2026-07-28 at `/mcp`.
    pub(crate) fn mcp_modern(&self) -> HttpClient<'_> {
        HttpClient::new(self, "/mcp", Era::Modern)
    }

    /// Sends SIGTERM; answers how the process ended and how long that took.
    #[expect(clippy::disallowed_methods, reason = "how long the end takes is what is measured")]
    pub(crate) fn terminate(&mut self) -> (ExitStatus, Duration) {
        let start = Instant::now();
        let killed = Command::new("kill").arg(self.child.id().to_string()).status().expect("`kill` runs");
        assert!(killed.success());
        let status = self.child.wait().expect("the process ends");
        (status, start.elapsed())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
