//! HTTP/1.1 on one connection that is kept open: a request out, the answer's body back.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, bail};

/// A server that owes an answer for so long fails the bench.
const SILENCE: Duration = Duration::from_mins(1);

/// One connection, for one request at a time.
pub(super) struct Wire {
    stream: BufReader<TcpStream>,
    /// Bytes of the next request, head and body.
    pub(super) request: Vec<u8>,
    /// Bytes of the last answer's body.
    pub(super) body: Vec<u8>,
}

/// How an answer's body ends.
pub(super) enum Length {
    Known(u64),
    Chunks,
}

impl Wire {
    pub(super) fn open(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).context("the server takes no connection")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE))?;
        Ok(Self { stream: BufReader::new(stream), request: Vec::new(), body: Vec::new() })
    }

    /// Sends the request.
    pub(super) fn send(&mut self) -> anyhow::Result<()> {
        self.body.clear();
        Ok(self.stream.get_mut().write_all(&self.request)?)
    }

    /// Reads an answer to its end. Errors: it is not the good one.
    pub(super) fn answer(&mut self) -> anyhow::Result<()> {
        match self.answer_begins()? {
            Length::Known(length) => {
                let read = (&mut self.stream).take(length).read_to_end(&mut self.body)?;
                if u64::try_from(read)? < length {
                    bail!("the server closed the connection within an answer");
                }
            }
            Length::Chunks => while self.chunk()? {},
        }
        Ok(())
    }

    /// Reads an answer's head.
    pub(super) fn answer_begins(&mut self) -> anyhow::Result<Length> {
        let status = self.line()?;
        let mut length = None;
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(Length::Known(value.trim().parse()?));
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                length = Some(Length::Chunks);
            }
        }
        match status.split(' ').nth(1) {
            Some("200" | "201") => length.context("an answer without a length"),
            Some("204") => Ok(Length::Known(0)),
            _ => bail!("the server answered \"{status}\""),
        }
    }

    /// Reads the next chunk of a body; `false` when it was the last.
    pub(super) fn chunk(&mut self) -> anyhow::Result<bool> {
        let length = u64::from_str_radix(self.line()?.trim(), 16).context("a chunk without a length")?;
        (&mut self.stream).take(length).read_to_end(&mut self.body)?;
        self.line()?;
        Ok(length > 0)
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).context("the server fell silent")? == 0 {
            bail!("the server closed the connection");
        }
        line.truncate(line.trim_end().len());
        Ok(line)
    }
}
