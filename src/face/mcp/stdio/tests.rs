//! What goes in as bytes and what comes out, and that nothing a client sends ends the server.

use std::pin::Pin;
use std::task::{Context, Poll};

use rmcp::model::{ClientNotification, EmptyResult, RequestId, ServerResult};
use rmcp::{ServerHandler, ServiceExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, DuplexStream, duplex};

use super::*;

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}"#;
const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
const PING: &str = r#"{"jsonrpc":"2.0","id":9,"method":"ping"}"#;
const MODERN: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}},"progressToken":5}"#;

fn refused(line: &[u8]) -> Value {
    match decode(line) {
        Ok(message) => panic!("{} was taken for {message:?}", String::from_utf8_lossy(line)),
        Err(refusal) => serde_json::to_value(refusal).unwrap(),
    }
}

fn sent(id: i64) -> Outbound {
    JsonRpcMessage::response(ServerResult::EmptyResult(EmptyResult {}), RequestId::Number(id))
}

fn over<R>(reader: R) -> StdioTransport<R, tokio::io::Sink> {
    StdioTransport::new(reader, tokio::io::sink(), CancellationToken::new())
}

/// A client's two ends and the transport between them.
fn connected(room: usize) -> (DuplexStream, BufReader<DuplexStream>, StdioTransport<DuplexStream, DuplexStream>) {
    let (to_server, reader) = duplex(room);
    let (writer, from_server) = duplex(room);
    (to_server, BufReader::new(from_server), StdioTransport::new(reader, writer, CancellationToken::new()))
}

async fn line(from_server: &mut BufReader<DuplexStream>) -> Value {
    let mut line = String::new();
    from_server.read_line(&mut line).await.unwrap();
    serde_json::from_str(&line).unwrap()
}

#[test]
fn a_line_that_is_no_message_is_answered_with_what_is_wrong() {
    let deep = |open: &str, close: &str| {
        let (open, close) = (open.repeat(50_000), close.repeat(50_000));
        format!(
            r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"a","arguments":{{"a":{open}1{close}}}}}}}"#
        )
    };
    let call = |params: &str| format!(r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{params}}}"#);
    let cases: [(&str, i32, Value, &str); 32] = [
        ("nonsense", -32700, Value::Null, "not valid JSON"),
        ("{\"jsonrpc\":\"2.0\",\"id\":7,", -32700, Value::Null, "EOF"),
        ("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\"} {}", -32700, Value::Null, "trailing"),
        ("[1,", -32700, Value::Null, "not valid JSON"),
        ("[]", -32600, Value::Null, "batches"),
        (&format!("[{PING},{PING}]"), -32600, Value::Null, "batches"),
        (&"[".repeat(50_000), -32700, Value::Null, "EOF"),
        ("7", -32600, Value::Null, "object"),
        ("\"text\"", -32600, Value::Null, "object"),
        ("{}", -32600, Value::Null, "jsonrpc"),
        (r#"{"id":7,"method":"ping"}"#, -32600, json!(7), "jsonrpc"),
        (r#"{"jsonrpc":"1.0","id":"a","method":"ping"}"#, -32600, json!("a"), "jsonrpc"),
        (r#"{"jsonrpc":2.0,"id":7,"method":"ping"}"#, -32600, json!(7), "jsonrpc"),
        (r#"{"jsonrpc":"2.0","id":7}"#, -32600, json!(7), "method"),
        (r#"{"jsonrpc":"2.0","id":7,"method":1}"#, -32600, json!(7), "method"),
        (r#"{"jsonrpc":"2.0","method":1,"params":"bar"}"#, -32600, Value::Null, "method"),
        (r#"{"jsonrpc":"2.0","id":7,"method":"ping","result":null}"#, -32600, json!(7), "method"),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, -32600, Value::Null, "id"),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32600, Value::Null, "id"),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, -32600, Value::Null, "id"),
        (r#"{"jsonrpc":"2.0","id":7,"id":8,"method":"ping"}"#, -32600, Value::Null, "duplicate"),
        (&deep("[", "]"), -32600, json!(7), "nested too deeply"),
        (&deep("{\"a\":", "}"), -32600, json!(7), "nested too deeply"),
        (&call("{}"), -32602, json!(7), "missing field `name`"),
        (&call("null"), -32602, json!(7), "missing field `name`"),
        (&call(r#"[null,"name"]"#), -32602, json!(7), "object"),
        (&call(r#"{"name":"a","arguments":[]}"#), -32602, json!(7), "map"),
        (&call(r#"{"name":"a","_meta":7}"#), -32602, json!(7), "map"),
        (&call(r#"{"name":"a","arguments":{"a":"\ud800"}}"#), -32700, json!(7), "not valid JSON"),
        (r#"{"jsonrpc":"2.0","id":7,"method":"initialize","params":{}}"#, -32602, json!(7), "protocolVersion"),
        (r#"{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"cursor":5}}"#, -32602, json!(7), "string"),
        (r#"{"jsonrpc":"2.0","id":7,"method":"ping","params":[]}"#, -32602, json!(7), ""),
    ];
    for (line, code, id, hint) in cases {
        let answer = refused(line.as_bytes());
        assert_eq!(answer["jsonrpc"], "2.0");
        assert_eq!(answer["error"]["code"], code, "{line:.80}: {answer}");
        assert_eq!(answer.get("id"), Some(&id), "{line:.80}: {answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains(hint), "{line:.80}: {answer}");
    }
    let latin1 = b"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\",\"params\":{\"a\":\"\xe4\"}}";
    assert_eq!(refused(latin1)["error"]["code"], -32700);
    let long = refused(call(&format!(r#"{{"name":"a","arguments":"{}"}}"#, "x".repeat(10_000))).as_bytes());
    assert!(long["error"]["message"].as_str().unwrap().len() < 400, "an answer does not echo the value");
}

#[test]
fn what_must_not_be_answered_is_dropped() {
    for line in [
        "",
        "  \r",
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":{}}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/initialized","params":[1]}"#,
        r#"{"jsonrpc":"2.0","method":"$/setTrace","params":[1]}"#,
        r#"{"jsonrpc":"2.0","id":null,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#,
        r#"{"id":1,"error":7}"#,
    ] {
        assert!(matches!(decode(line.as_bytes()), Ok(None)), "{line}");
    }
}

#[test]
fn good_messages_are_read_as_rmcp_reads_them() {
    let request = |method: &str, params: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":"r-1","method":"{method}"{}{params}}}"#,
            if params.is_empty() { "" } else { ",\"params\":" }
        )
    };
    let lines = [
        request("completion/complete", r#"{"ref":{"type":"ref/resource","uri":"a://{b}"},"argument":{"name":"b","value":"v"},"context":{"arguments":{"c":"d"}}}"#),
        INITIALIZE.to_owned(),
        PING.to_owned(),
        request("ping", &format!("{{{MODERN}}}")),
        request("prompts/get", r#"{"name":"p","arguments":{"a":"b"},"_meta":{"progressToken":"t"}}"#),
        request("prompts/list", ""),
        request("prompts/list", "null"),
        request("prompts/list", "{}"),
        request("resources/list", &format!(r#"{{"cursor":"c",{MODERN}}}"#)),
        request("resources/read", &format!(r#"{{"uri":"a://b",{MODERN}}}"#)),
        request("resources/subscribe", r#"{"uri":"a://b"}"#),
        request("resources/templates/list", r#"{"cursor":null}"#),
        request("resources/unsubscribe", r#"{"uri":"a://b","_meta":null}"#),
        request("server/discover", &format!("{{{MODERN}}}")),
        request("subscriptions/listen", &format!(r#"{{{MODERN},"notifications":{{"toolsListChanged":true,"resourceSubscriptions":["a://b"]}}}}"#)),
        request("tools/call", r#"{"name":"a"}"#),
        request("tools/call", &format!(r#"{{{MODERN},"name":"a","unknown":[1],"arguments":{{"big":18446744073709551615,"n":-1.5e3,"s":"\u00e4\n","o":{{"_meta":1}}}}}}"#)),
        request("tools/call", r#"{"name":"a","arguments":null,"inputResponses":{"a":{"action":"accept"}},"requestState":"s","_meta":{}}"#),
        r#" { "params" : { "name" : "a" } , "method" : "tools\/call" , "id" : 1.0 , "jsonrpc" : "2.0" , "extra" : [ ] } "#.to_owned(),
        request("tools/list", r#"{"cursor":""}"#),
        request("tasks/get", r#"{"taskId":"t"}"#),
        request("logging/setLevel", r#"{"level":"debug"}"#),
        request("nobody/knows", r#"{"a":[1],"_meta":{"progressToken":1}}"#),
        INITIALIZED.to_owned(),
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7,"reason":"r"}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","method":"notifications/unheard/of","params":{"a":1}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":3,"result":{"action":"accept","content":{"a":1}}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":3,"error":{"code":-1,"message":"m","data":[1]}}"#.to_owned(),
    ];
    for line in lines {
        let ours = decode(line.as_bytes()).unwrap_or_else(|refusal| panic!("{line}: {refusal:?}")).unwrap();
        let theirs: Inbound = serde_json::from_str(&line).unwrap();
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"), "{line}");
        assert_eq!(serde_json::to_value(&ours).unwrap(), serde_json::to_value(&theirs).unwrap(), "{line}");
        if let (JsonRpcMessage::Request(ours), JsonRpcMessage::Request(theirs)) = (ours, theirs) {
            assert_eq!(ours.request.get_meta(), theirs.request.get_meta(), "{line}");
            assert_eq!(ours.request.get_meta().protocol_version(), theirs.request.get_meta().protocol_version());
        }
    }
}

#[test]
fn an_unknown_method_is_left_to_the_session_whatever_its_parameters() {
    for params in ["{}", "[1]", "7", r#"{"_meta":7}"#] {
        let line = format!(r#"{{"jsonrpc":"2.0","id":7,"method":"no/such","params":{params}}}"#);
        let Ok(Some(JsonRpcMessage::Request(request))) = decode(line.as_bytes()) else { panic!("{line}") };
        assert!(matches!(&request.request, ClientRequest::CustomRequest(_)));
        assert_eq!((request.request.method(), request.id), ("no/such", RequestId::Number(7)));
    }
}

#[tokio::test]
async fn only_requests_pass_until_the_session_is_open() {
    let cancelled = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#;
    let discover = format!(r#"{{"jsonrpc":"2.0","id":8,"method":"server/discover","params":{{{MODERN}}}}}"#);
    let refused = r#"{"jsonrpc":"2.0","id":7,"method":"tools/list"}"#;
    let modern = refused.replace('}', &format!(r#","params":{{{MODERN}}}}}"#));
    let response = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    for opening in [INITIALIZE, &modern] {
        let lines =
            [cancelled, response, PING, cancelled, &discover, cancelled, refused, cancelled, opening, INITIALIZED];
        let text = lines.join("\n");
        let mut transport = over(text.as_bytes());
        let mut passed = Vec::new();
        while let Some(message) = transport.receive().await {
            passed.push(match message {
                JsonRpcMessage::Request(request) => request.request.method().to_owned(),
                JsonRpcMessage::Notification(note) => match note.notification {
                    ClientNotification::InitializedNotification(_) => "initialized".to_owned(),
                    other => panic!("{other:?}"),
                },
                other => panic!("{other:?}"),
            });
        }
        let last = if opening == INITIALIZE { "initialize" } else { "tools/list" };
        assert_eq!(passed, ["ping", "server/discover", "tools/list", last, "initialized"]);
    }
}

#[tokio::test]
async fn a_server_lives_through_whatever_a_client_sends() {
    struct Plain;
    impl ServerHandler for Plain {}

    let (mut to_server, mut from_server, transport) = connected(64 * 1024);
    let end = transport.output.end_of_input.clone();
    let server = tokio::spawn(async move { Plain.serve(transport).await.unwrap().waiting().await });
    let lines =
        [INITIALIZED, "nonsense", "[]", r#"{"jsonrpc":"2.0","id":7,"method":"initialize"}"#, INITIALIZE, INITIALIZED];
    to_server.write_all((lines.join("\r\n") + "\r\n").as_bytes()).await.unwrap();
    for (id, code) in [(Value::Null, -32700), (Value::Null, -32600), (json!(7), -32602)] {
        let answer = line(&mut from_server).await;
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&id, &json!(code)));
    }
    assert_eq!(line(&mut from_server).await["result"]["protocolVersion"], "2025-11-25");
    to_server.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"no/such\",\"params\":[]}\n").await.unwrap();
    assert_eq!(line(&mut from_server).await["error"]["code"], -32601);
    to_server.write_all(format!("{PING}\n").as_bytes()).await.unwrap();
    assert_eq!(line(&mut from_server).await, json!({"jsonrpc": "2.0", "id": 9, "result": {}}));
    assert!(!end.is_cancelled());
    drop(to_server);
    end.cancelled().await;
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn line_ends_and_blank_lines_are_tolerated_and_the_end_is_told() {
    let text = format!("\u{feff}{PING}\r\n\n \r\n{PING}\n{PING}");
    let mut transport = over(text.as_bytes());
    for _ in 0..3 {
        assert!(matches!(transport.receive().await, Some(JsonRpcMessage::Request(_))));
    }
    assert!(!transport.output.end_of_input.is_cancelled());
    assert!(transport.receive().await.is_none());
    assert!(transport.output.end_of_input.is_cancelled());
    assert!(transport.receive().await.is_none());
}

#[tokio::test]
async fn a_line_survives_being_read_in_pieces_by_futures_that_are_dropped() {
    let (mut to_server, mut from_server, mut transport) = connected(64);
    let mut received = 0;
    for byte in format!("{PING}\nnonsense\n{PING}\n").bytes() {
        to_server.write_all(&[byte]).await.unwrap();
        tokio::select! {
            biased;
            message = transport.receive() => received += usize::from(message.is_some()),
            () = std::future::ready(()) => {}
        }
    }
    // The answer to the middle line did not fit, so the last line still waits behind it.
    assert_eq!(received, 1);
    assert!(transport.answer_queued);
    let (answer, message) = tokio::join!(line(&mut from_server), transport.receive());
    assert_eq!(answer["error"]["code"], -32700);
    assert!(message.is_some());
}

#[tokio::test]
async fn a_large_line_is_read_and_its_memory_given_back() {
    let value = "x".repeat(4 * 1024 * 1024);
    let call = format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"a","arguments":{{"v":"{value}"}}}}}}"#
    );
    let text = format!("{PING}\n{call}\n{PING}\n");
    let mut transport = over(text.as_bytes());
    transport.receive().await.unwrap();
    let Some(JsonRpcMessage::Request(request)) = transport.receive().await else { panic!() };
    let ClientRequest::CallToolRequest(call) = request.request else { panic!() };
    assert_eq!(call.params.arguments.unwrap()["v"], value);
    transport.receive().await.unwrap();
    assert!(transport.receive().await.is_none());
    assert!(transport.input.buffer_capacity() <= KEPT_BUFFER_BYTES);
}

#[tokio::test]
async fn a_line_at_the_limit_is_read_and_a_longer_one_is_skipped() {
    let padding = |bytes: usize| tokio::io::repeat(b' ').take(bytes as u64);
    let fits = padding(MAX_LINE_BYTES - PING.len()).chain(PING.as_bytes());
    let reader = fits.chain(&b"\n"[..]).chain(padding(MAX_LINE_BYTES - PING.len() + 1)).chain(PING.as_bytes());
    let (writer, from_server) = duplex(4096);
    let mut transport = StdioTransport::new(reader, writer, CancellationToken::new());
    assert!(transport.receive().await.is_some());
    assert!(transport.receive().await.is_none());
    let answer = line(&mut BufReader::new(from_server)).await;
    assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(-32600), &Value::Null));
}

#[tokio::test]
async fn a_very_long_line_is_skipped_in_little_memory_and_answered_with_its_id() {
    let long = || tokio::io::repeat(b'x').take(100 * 1024 * 1024);
    let reader = (&br#"{"method":"tools/call","params":{"name":""#[..]).chain(long());
    let reader = reader.chain(&b"\"},\"jsonrpc\":\"2.0\",\"id\":\"r-1\"}\r\n"[..]);
    let reader = reader.chain(&br#"{"jsonrpc":"2.0","id":7,"result":{"a":""#[..]).chain(long());
    let reader = reader.chain(&b"\"}}\n"[..]).chain(PING.as_bytes());
    let (writer, from_server) = duplex(4096);
    let mut transport = StdioTransport::new(reader, writer, CancellationToken::new());
    assert!(transport.receive().await.is_some());
    assert!(transport.input.buffer_capacity() <= KEPT_BUFFER_BYTES);
    let mut from_server = BufReader::new(from_server);
    for id in [json!("r-1"), Value::Null] {
        let answer = line(&mut from_server).await;
        assert_eq!((&answer["error"]["code"], answer.get("id")), (&json!(-32600), Some(&id)));
        assert!(answer["error"]["message"].as_str().unwrap().contains(&MAX_LINE_BYTES.to_string()));
    }
}

#[tokio::test]
async fn messages_leave_whole_and_in_order_though_sending_futures_are_dropped() {
    let (_to_server, mut from_server, mut transport) = connected(7);
    let mut sending = tokio::task::JoinSet::new();
    for id in 0..100 {
        let mut send = Box::pin(transport.send(sent(id)));
        if id % 3 == 0 {
            // Started, stuck halfway through a message, and dropped.
            tokio::select! { biased; _ = &mut send => panic!("there is no room"), () = std::future::ready(()) => {} }
        } else {
            sending.spawn(send);
        }
    }
    for id in 0..100 {
        assert_eq!(line(&mut from_server).await["id"], id);
    }
    while let Some(sent) = sending.join_next().await {
        sent.unwrap().unwrap();
    }
}

#[tokio::test]
async fn nothing_more_is_read_while_too_much_waits_to_be_written() {
    let (mut to_server, mut from_server, mut transport) = connected(4096);
    let waiting = MAX_UNWRITTEN_BYTES + 8192;
    transport.output.enqueue(&"x".repeat(waiting)).unwrap();
    to_server.write_all(format!("{PING}\n").as_bytes()).await.unwrap();
    tokio::select! {
        biased;
        _ = transport.receive() => panic!("the client has not caught up"),
        () = std::future::ready(()) => {}
    }
    let read = async {
        let mut catching_up = (&mut from_server).take(waiting as u64);
        tokio::io::copy_buf(&mut catching_up, &mut tokio::io::sink()).await.unwrap();
    };
    let (message, ()) = tokio::join!(transport.receive(), read);
    assert!(message.is_some());
}

/// Counts how often it is written to.
struct Counting(Arc<Mutex<Vec<usize>>>);

impl AsyncWrite for Counting {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.lock().unwrap().push(bytes.len());
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_message_is_one_write_and_so_are_several_that_wait() {
    let writes = Arc::new(Mutex::new(Vec::new()));
    let counting = Counting(Arc::clone(&writes));
    let mut transport = StdioTransport::new(tokio::io::empty(), counting, CancellationToken::new());
    transport.send(sent(1)).await.unwrap();
    let waiting = [transport.send(sent(2)), transport.send(sent(3)), transport.send(sent(4))];
    for send in waiting {
        send.await.unwrap();
    }
    // Queued but never driven: closing writes it.
    drop(transport.send(sent(5)));
    transport.close().await.unwrap();
    let one = serde_json::to_vec(&sent(1)).unwrap().len() + 1;
    assert_eq!(*writes.lock().unwrap(), [one, 3 * one, one]);
    transport.send(sent(6)).await.unwrap_err();
}

#[tokio::test]
async fn a_client_that_closed_its_end_ends_the_transport() {
    let (_to_server, from_server, mut transport) = connected(4096);
    drop(from_server);
    let end = transport.output.end_of_input.clone();
    let send = transport.send(sent(1));
    let (received, failed) = tokio::join!(transport.receive(), send);
    assert!(received.is_none());
    failed.unwrap_err();
    assert!(end.is_cancelled());
    transport.send(sent(2)).await.unwrap_err();
    transport.close().await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn pipes_and_sockets_are_driven_by_the_reactor_and_files_are_not() {
    let (pipe_reader, pipe_writer) = io::pipe().unwrap();
    let (socket_reader, socket_writer) = std::os::unix::net::UnixStream::pair().unwrap();
    let streams = [
        (standard::reader(&pipe_reader).unwrap(), standard::writer(&pipe_writer).unwrap()),
        (standard::reader(&socket_reader).unwrap(), standard::writer(&socket_writer).unwrap()),
    ];
    drop((pipe_writer, socket_writer));
    for (reader, mut writer) in streams {
        let mut reader = over(reader);
        let written = async {
            writer.write_all(format!("{PING}\n").as_bytes()).await.unwrap();
            drop(writer);
        };
        let (message, ()) = tokio::join!(reader.receive(), written);
        assert!(message.is_some());
        assert!(reader.receive().await.is_none());
    }
    let file = std::fs::File::open("/dev/null").unwrap();
    assert!(standard::reader(&file).is_none());
    assert!(standard::writer(&file).is_none());
}
