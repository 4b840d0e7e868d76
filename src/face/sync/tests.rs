//! Who is let in, and how sockets end that give no sign of life or take nothing, in a time that the test owns.

use std::{io, sync::Arc, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    time::{Instant, sleep_until},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, protocol::CloseFrame},
};

use super::*;
use crate::{
    kernel::clock::SystemClock,
    store::sqlite::{DurabilitySetting, SqliteStore},
};

/// Connections that are there already.
struct Waiting(Vec<DuplexStream>);

impl axum::serve::Listener for Waiting {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.0.pop() {
            Some(connection) => (connection, ()),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(())
    }
}

type Client = WebSocketStream<DuplexStream>;

/// A server of sockets in a folder, and clients whose connections hold so many bytes on the way.
async fn clients<const N: usize>(folder: &tempfile::TempDir, room: [usize; N]) -> [Client; N] {
    let store = SqliteStore::new(folder.path().into(), DurabilitySetting::Normal, 0).unwrap();
    let kernel = Kernel::new(Arc::new(store), Arc::new(SystemClock { zone: jiff::tz::TimeZone::UTC }));
    let access = Access { token: None, proofs: None, hosts: Vec::new(), pages: None, environment: "" };
    let sockets = Sockets::new(Arc::clone(&kernel), access, Arc::new(WsTokens::new(kernel)), &Stop::default());
    let (ours, theirs): (Vec<_>, Vec<_>) = room.map(duplex).into_iter().unzip();
    drop(tokio::spawn(axum::serve(Waiting(theirs), sockets.routes()).into_future()));
    let mut clients = Vec::new();
    for connection in ours {
        clients.push(client_async("ws://localhost/sync/default?v=2", connection).await.unwrap().0);
    }
    clients.try_into().map_err(|_| ()).unwrap()
}

/// Reads up to an acknowledgement.
async fn acknowledged(client: &mut Client) {
    while !client.next().await.unwrap().unwrap().to_string().starts_with(r#"{"type":"ack""#) {}
}

/// Sets a key to as much as goes through as it is.
async fn set_what_takes_room(client: &mut Client) {
    let value = "x".repeat(60_000);
    client.send(Message::text(format!(r#"{{"type":"set","key":"k","value":"{value}","opId":"1"}}"#))).await.unwrap();
    acknowledged(client).await;
}

/// What a client is told last.
async fn closed(client: &mut Client) -> Option<CloseFrame> {
    while let Some(Ok(message)) = client.next().await {
        if let Message::Close(frame) = message {
            return frame;
        }
    }
    None
}

#[tokio::test(start_paused = true)]
async fn a_client_that_gives_no_sign_of_life_is_told_so_after_a_minute() {
    let folder = tempfile::tempdir().unwrap();
    let [mut silent, mut alive] = clients(&folder, [1 << 20, 1 << 20]).await;
    let begun = Instant::now();
    // It answers the server's pings by reading.
    let living = tokio::spawn(async move { closed(&mut alive).await });
    sleep_until(begun + Duration::from_secs(59)).await;
    silent.send(Message::text(r#"{"type":"ping"}"#)).await.unwrap();
    sleep_until(begun + Duration::from_millis(125_100)).await;
    let code = closed(&mut silent).await.map(|frame| u16::from(frame.code));
    assert_eq!((code, living.is_finished()), (Some(4000), false));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_told_so_after_half_a_minute() {
    let folder = tempfile::tempdir().unwrap();
    let [mut stalled, mut writer] = clients(&folder, [4096, 1 << 20]).await;
    set_what_takes_room(&mut writer).await;
    let begun = Instant::now();
    // A little after it is let go; what then comes through tells it why.
    sleep_until(begun + Duration::from_millis(28_100)).await;
    let code = closed(&mut stalled).await.map(|frame| u16::from(frame.code));
    assert_eq!(code, Some(4002));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_slowly_is_not_let_go() {
    let folder = tempfile::tempdir().unwrap();
    let [mut slow, mut writer] = clients(&folder, [4096, 1 << 20]).await;
    set_what_takes_room(&mut writer).await;
    let mut taken = 0;
    let begun = Instant::now();
    while taken < 60_000 {
        sleep_until(Instant::now() + Duration::from_secs(3)).await;
        taken += slow.get_mut().read(&mut [0; 4096]).await.unwrap();
    }
    // It is there, and says so.
    assert!(begun.elapsed() > Duration::from_secs(40));
    slow.send(Message::text(r#"{"type":"ping"}"#)).await.unwrap();
    let mut rest = Vec::new();
    while !String::from_utf8_lossy(&rest).contains(r#"{"type":"pong""#) {
        assert_ne!(slow.get_mut().read_buf(&mut rest).await.unwrap(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_message_waits_for_a_place_and_gives_it_back_when_it_does_not_arrive() {
    let folder = tempfile::tempdir().unwrap();
    let [mut one, mut two, mut third] = clients(&folder, [1 << 20, 1 << 20, 4 << 20]).await;
    let begun = Instant::now();
    // The head of a frame of 2 MiB, masked with zeros, and a piece of it.
    let head = [&[0x81, 0xff][..], &(2_u64 << 20).to_be_bytes(), &[0; 4], &[b' '; 10_000]].concat();
    for client in [&mut one, &mut two] {
        client.get_mut().write_all(&head).await.unwrap();
    }
    // The third has its place when the first two have lost theirs, and says nothing else until then.
    let set = format!(r#"{{"type":"set","key":"k","value":"x","opId":"1"}}{}"#, " ".repeat(2 << 20));
    let masked = [&head[..2], &(set.len() as u64).to_be_bytes(), &[0; 4], set.as_bytes()].concat();
    let (first, rest) = masked.split_at(1 << 20);
    third.get_mut().write_all(first).await.unwrap();
    for client in [&mut one, &mut two] {
        let code = closed(client).await.map(|frame| u16::from(frame.code));
        assert_eq!((code, begun.elapsed().as_secs()), (Some(4003), 60));
    }
    sleep_until(begun + Duration::from_secs(110)).await;
    third.get_mut().write_all(rest).await.unwrap();
    acknowledged(&mut third).await;
    assert_eq!(begun.elapsed().as_secs(), 110);
}

#[test]
fn a_server_has_as_many_sockets_as_it_has_places() {
    let open = Arc::new(Semaphore::new(limits::SOCKETS));
    let places: Vec<_> = (0..limits::SOCKETS).map(|_| place(&open).unwrap()).collect();
    assert_eq!(place(&open).unwrap_err().0, StatusCode::SERVICE_UNAVAILABLE);
    drop(places);
    assert!(place(&open).is_ok());
}
