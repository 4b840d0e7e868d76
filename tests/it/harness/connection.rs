//! One connection over HTTP: requests one after the other, or an answer that does not end.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpStream},
    sync::mpsc::Sender,
    thread,
};

use serde_json::Value;

use super::DEADLINE;

/// A connection that stays open.
pub(crate) struct Connection {
    reader: BufReader<TcpStream>,
    host: String,
}

impl Connection {
    /// Connects to `HOST:PORT`.
    pub(crate) fn open(address: &str) -> Self {
        Self::try_open(address).expect("the server accepts connections")
    }

    /// The same to a server that may be killed meanwhile.
    pub(crate) fn try_open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        Ok(Self { reader: BufReader::new(stream), host: address.to_owned() })
    }

    /// Sends bytes as they are. A server that refuses early may close before all of it is read; its answer is what
    /// counts.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        drop(self.reader.get_mut().write_all(bytes));
    }

    /// Sends a request.
    pub(crate) fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) {
        let length = body.len().to_string();
        let head = self.message_head(method, path, &[headers, &[("Content-Length", &length)]].concat());
        self.send_raw(&[head.as_bytes(), body].concat());
    }

    fn message_head(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> String {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        let has_host = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host"));
        let host = [("Host", self.host.as_str())];
        for (name, value) in headers.iter().chain(if has_host { &[] } else { &host[..] }) {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head + "\r\n"
    }

    /// Sends a POST; its body follows when the server asks for it, and so has taken the request.
    pub(crate) fn post_when_asked(&mut self, path: &str, headers: &[(&str, &str)], body: &[u8]) {
        let length = body.len().to_string();
        let headers = [headers, &[("Expect", "100-continue"), ("Content-Length", &length)]].concat();
        let head = self.message_head("POST", path, &headers);
        self.send_raw(head.as_bytes());
        assert_eq!(self.head().status, 100, "the server asks for the body");
        self.send_raw(body);
    }

    /// The answer to the next request.
    pub(crate) fn response(&mut self) -> Response {
        self.try_response().expect("the answer arrives")
    }

    /// The same of a server that may be killed meanwhile. Errors: the connection ended before the answer did.
    pub(crate) fn try_response(&mut self) -> io::Result<Response> {
        Response::read(&mut self.reader)
    }

    /// The head of the next answer; its body is still to be read.
    pub(crate) fn head(&mut self) -> Response {
        Response::read_head(&mut self.reader).expect("the head arrives")
    }

    /// Reads what comes until the server ends or cuts the connection; answers how many bytes that was.
    pub(crate) fn rest_of_it(&mut self) -> usize {
        let mut rest = Vec::new();
        match self.reader.read_to_end(&mut rest) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                panic!("the connection stays open: {error}")
            }
            _ => rest.len(),
        }
    }

    /// Reads so many bytes of an answer whose head has been read; answers how many came.
    pub(crate) fn skip(&mut self, bytes: u64) -> u64 {
        io::copy(&mut (&mut self.reader).take(bytes), &mut io::sink()).expect("they arrive")
    }

    /// Whether the server has closed the connection. Waits until something comes.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.reader.fill_buf().is_ok_and(<[u8]>::is_empty)
    }

    /// The messages of an answer whose head has been read, as they come.
    pub(crate) fn events_to(self, inbox: Sender<Value>) -> Events {
        let stream = self.reader.get_ref().try_clone().expect("a socket can be shared");
        let lines = BufReader::new(Chunks { reader: self.reader, left: 0 });
        thread::spawn(move || {
            let mut event = String::new();
            for line in lines.lines().map_while(Result::ok) {
                event.push_str(&line);
                event.push('\n');
                if line.is_empty() {
                    let message = serde_json::from_str(&data_of(&std::mem::take(&mut event)));
                    if message.is_ok_and(|message| inbox.send(message).is_err()) {
                        break;
                    }
                }
            }
        });
        Events(stream)
    }
}

/// An answer that is being read; dropping it closes the connection.
pub(crate) struct Events(TcpStream);

impl Drop for Events {
    fn drop(&mut self) {
        drop(self.0.shutdown(Shutdown::Both));
    }
}

/// A body in chunks, put together.
struct Chunks<R> {
    reader: R,
    left: u64,
}

impl<R: BufRead> Read for Chunks<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.left == 0 {
            let line = read_line(&mut self.reader)?;
            self.left = u64::from_str_radix(line.trim(), 16).unwrap_or(0);
        }
        let read = Read::take(&mut self.reader, self.left).read(buffer)?;
        self.left -= u64::try_from(read).expect("a chunk fits in memory");
        if self.left > 0 && read == 0 && !buffer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if self.left == 0 {
            read_line(&mut self.reader)?;
        }
        Ok(read)
    }
}

/// An answer.
#[derive(Debug)]
#[must_use]
pub(crate) struct Response {
    /// The status code.
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Response {
    fn read_head(reader: &mut impl BufRead) -> io::Result<Self> {
        let status_line = read_line(reader)?;
        let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let mut headers = Vec::new();
        loop {
            let line = read_line(reader)?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(Self { status: status.expect("a status line"), headers, body: Vec::new() })
    }

    fn read(reader: &mut impl BufRead) -> io::Result<Self> {
        let mut response = Self::read_head(reader)?;
        if [204, 304].contains(&response.status) {
            return Ok(response);
        }
        let body = &mut response.body;
        let read = if response.headers.iter().any(|(name, coding)| name == "transfer-encoding" && coding == "chunked") {
            Chunks { reader, left: 0 }.read_to_end(body)
        } else {
            let length = response.headers.iter().find(|(name, _)| name == "content-length");
            let length = length.map(|(_, text)| text.parse::<usize>().expect("a length"));
            let read = reader.take(length.map_or(u64::MAX, |length| length as u64)).read_to_end(body);
            if length.is_some_and(|length| length > body.len()) {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            read
        };
        read?;
        Ok(response)
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
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{} with no JSON: {}", self.status, self.text()))
    }

    /// The reply of this id in the body, be it JSON or a stream of events.
    pub(crate) fn message(&self, id: u64) -> Value {
        self.try_message(id).unwrap_or_else(|| panic!("{}: no reply {id} in {}", self.status, self.text()))
    }

    /// The same, or nothing when the server ended before it had replied.
    pub(crate) fn try_message(&self, id: u64) -> Option<Value> {
        if !self.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream")) {
            return serde_json::from_slice(&self.body).ok();
        }
        let text = self.text();
        let mut messages = text.split("\n\n").filter_map(|event| serde_json::from_str::<Value>(&data_of(event)).ok());
        messages.find(|message| message["id"] == id)
    }
}

fn data_of(event: &str) -> String {
    let data = event.lines().filter_map(|line| line.strip_prefix("data:"));
    data.map(str::trim_start).collect::<Vec<_>>().join("\n")
}

/// A line. Errors: the connection ended in front of it or within it.
fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let whole = line.strip_suffix('\n').ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(whole.trim_end_matches('\r').to_owned())
}

#[test]
fn an_answer_in_chunks_is_put_together() {
    let bytes = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n\
                 9\r\ndata: \n\nd\r\n16\r\nata: {\"id\":7,\"r\":1}\n\n\n\r\n0\r\n\r\n";
    let mut two =
        BufReader::new([bytes, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"].concat().leak().as_bytes());
    let response = Response::read(&mut two).unwrap();
    assert_eq!(response.status, 200);
    assert_eq!(response.message(7)["r"], 1);
    assert_eq!(Response::read(&mut two).unwrap().status, 202, "the next answer begins where this one ends");
    // However early the connection ends, what came is no answer.
    for length in 0..bytes.len() {
        let cut = Response::read(&mut BufReader::new(&bytes.as_bytes()[..length]));
        assert!(cut.is_err(), "{length}");
    }
}
