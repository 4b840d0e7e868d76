//! How much waits: changes for one instance, and calls for a change.

use std::{fs::File, sync::Arc};

use futures_util::{FutureExt as _, future::join_all};
use serde_json::{Value, json};

use super::{World, caller};
use crate::{
    kernel::Caller,
    model::{error::OpError, instance::InstanceRef, limits, permission::Mode},
    ops::operation::Reply,
};

/// The calls that have not been answered, and the answers of the others.
fn split<F: Future<Output = Result<Reply, OpError>>>(calls: Vec<F>) -> (Vec<std::pin::Pin<Box<F>>>, Vec<OpError>) {
    let (mut waiting, mut refused) = (Vec::new(), Vec::new());
    for call in calls {
        let mut call = Box::pin(call);
        match (&mut call).now_or_never() {
            None => waiting.push(call),
            Some(answer) => refused.extend(answer.err()),
        }
    }
    (waiting, refused)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_instance_has_4096_changes_waiting() {
    let world = World::new().await;
    world.call(Mode::Edit, "write_key", json!({"key": "k", "value": ""})).await.unwrap();
    let InstanceRef::Id(id) = &world.instance else { panic!() };
    let folder = world.folder.path().join("instances").join(&id.as_str()[..2]).join(id.as_str());
    let gate = File::options().write(true).open(folder.join("lock")).unwrap();
    gate.lock().unwrap();
    let append = || world.reply(Mode::Edit, "append_key", json!({"key": "k", "text": "x"}));
    let (waiting, refused) = split((0..limits::QUEUE + 3).map(|_| append()).collect());
    assert_eq!((waiting.len(), refused.len()), (limits::QUEUE, 3));
    for error in refused {
        assert_eq!(error.code(), "overloaded");
        assert!(error.to_string().contains("4096 calls waiting") && error.to_string().contains("Try again"), "{error}");
    }
    gate.unlock().unwrap();
    assert!(join_all(waiting).await.iter().all(Result::is_ok));
    let read = world.call(Mode::Edit, "read_key", json!({"key": "k"})).await.unwrap();
    assert_eq!(read["value"].as_str().unwrap().len(), limits::QUEUE, "what was refused changed nothing");
}

#[tokio::test]
async fn a_process_has_512_calls_that_wait_and_a_session_128_of_them() {
    let world = World::new().await;
    let wait = |caller: Arc<Caller>| {
        let (kernel, instance) = (&world.kernel, &world.instance);
        async move { kernel.execute(&caller, instance, "wait_for_change", json!({"key": "k"})).await }
    };
    let sessions = limits::WAITS / limits::WAITS_OF_SESSION;
    let mut all = Vec::new();
    for _ in 0..sessions {
        let session = Arc::new(caller("test", Mode::Use));
        let calls = (0..=limits::WAITS_OF_SESSION).map(|_| wait(Arc::clone(&session))).collect();
        let (waiting, refused) = split(calls);
        assert_eq!((waiting.len(), refused.len()), (limits::WAITS_OF_SESSION, 1));
        assert!(refused[0].to_string().starts_with("this session has 128 calls"), "{}", refused[0]);
        all.extend(waiting);
    }
    let (waiting, refused) = split(vec![wait(Arc::new(caller("another", Mode::Use)))]);
    assert!(waiting.is_empty() && refused[0].to_string().starts_with("this process has 512 calls"), "{refused:?}");
    // What need not wait is answered, and when the waits have ended there is room again.
    world.call(Mode::Edit, "wait_for_change", json!({"after_version": 0, "wait_ms": 0})).await.unwrap();
    world.call(Mode::Edit, "write_key", json!({"key": "k", "value": "v"})).await.unwrap();
    for answer in join_all(all).await {
        assert_eq!(answer.unwrap().result["timed_out"], Value::Bool(false));
    }
    let again = world.call(Mode::Edit, "wait_for_change", json!({"key": "k", "wait_ms": 1})).await.unwrap();
    assert_eq!(again["timed_out"], true);
}
