//! A program that speaks HTTP and no MCP: one connection, kept open, a request at a time.
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

use std::io::Write as _;
use std::time::Instant;

use super::Trip;
use super::wire::Wire;

/// What such a program asks for.
pub(in super::super) struct Ask {
    pub(in super::super) method: &'static str,
    pub(in super::super) path: String,
    /// A body with its type; nothing for a request without one.
    pub(in super::super) body: Option<(&'static str, String)>,
}

/// Its connection.
pub(in super::super) struct Plain {
    wire: Wire,
    /// The headers of each request.
    headers: String,
}

impl Plain {
    pub(super) fn open(address: &str, proof: Option<&str>) -> anyhow::Result<Self> {
        let mut headers = format!("Host: {address}\r\nUser-Agent: bench/1\r\n");
        if let Some(proof) = proof {
            headers.extend(["Authorization: Bearer ", proof, "\r\n"]);
        }
        Ok(Self { wire: Wire::open(address)?, headers })
    }

    /// Asks, and reads the answer to its end.
    pub(in super::super) fn ask(&mut self, ask: &Ask) -> anyhow::Result<Trip> {
        let request = &mut self.wire.request;
        request.clear();
        write!(request, "{} {} HTTP/1.1\r\n{}", ask.method, ask.path, self.headers)?;
        match &ask.body {
            Some((kind, body)) => {
                write!(request, "Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
            }
            None => write!(request, "\r\n")?,
        }
        let sent = Instant::now();
        self.wire.send()?;
        self.wire.answer()?;
        Ok(Trip { sent, arrived: Instant::now() })
    }
}
