//! How much of what a client sends is under way at a time.

use tokio::io::{AsyncWriteExt as _, Sink};

use super::*;

fn over(lines: String) -> StdioTransport<std::io::Cursor<String>, Sink> {
    StdioTransport::new(std::io::Cursor::new(lines), tokio::io::sink(), CancellationToken::new())
}

/// A request of this size.
fn request(bytes: usize) -> String {
    let (begin, end) = (r#"{"jsonrpc":"2.0","id":9,"method":"ping","params":{"x":""#, "\"}}");
    format!("{begin}{}{end}\n", "x".repeat(bytes.saturating_sub(begin.len() + end.len())))
}

/// As many messages as are handed on while none is answered.
async fn taken(transport: &mut StdioTransport<std::io::Cursor<String>, Sink>) -> Vec<Inbound> {
    let mut messages = Vec::new();
    loop {
        tokio::select! {
            biased;
            message = transport.receive() => match message {
                Some(message) => messages.push(message),
                None => return messages,
            },
            () = std::future::ready(()) => return messages,
        }
    }
}

#[tokio::test]
async fn requests_under_way_have_room_by_number_and_by_bytes() {
    let mib = 1024 * 1024;
    for (bytes, most) in [(0, limits::IN_FLIGHT), (mib, limits::IN_FLIGHT_BYTES / mib)] {
        let cancel = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":9}}\n";
        let lines = [cancel, &request(bytes).repeat(most + 1), cancel].concat();
        let mut transport = over(lines);
        transport.session_open = true;
        let mut messages = taken(&mut transport).await;
        assert_eq!(messages.len(), 1 + most, "of {bytes} bytes");
        assert!(taken(&mut transport).await.is_empty(), "it waits");
        messages.truncate(most);
        assert_eq!(taken(&mut transport).await.len(), 2, "there is room for one more, and for what needs none");
    }
}

#[tokio::test]
async fn two_large_lines_are_under_way_and_those_behind_wait() {
    let mut transport = over([request(limits::LARGE_BYTES * 4).repeat(3), request(0)].concat());
    let messages = taken(&mut transport).await;
    assert_eq!(messages.len(), limits::LARGE_MESSAGES);
    assert!(taken(&mut transport).await.is_empty());
    drop(messages);
    assert_eq!(taken(&mut transport).await.len(), 2);
}

#[tokio::test]
async fn a_client_that_has_gone_is_not_waited_for() {
    let (reader, mut to_server) = tokio::io::simplex(64 * 1024);
    let mut transport = StdioTransport::new(reader, tokio::io::sink(), CancellationToken::new());
    let places = transport.large_places.acquire_many(2).await.unwrap();
    places.forget();
    let line = request(limits::LARGE_BYTES * 2);
    let sending = tokio::spawn(async move { to_server.write_all(line.as_bytes()).await });
    let closed = transport.output.closed.clone();
    let (message, ()) = tokio::join!(transport.receive(), async move {
        tokio::task::yield_now().await;
        closed.cancel();
    });
    assert!(message.is_none());
    sending.abort();
}
