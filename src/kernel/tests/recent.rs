//! What is told of a commit of this process is what its log says.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::World;
use crate::{
    kernel::{handle::Handle, seat::Stream},
    model::{instance::InstanceRef, permission::Mode},
    ops::keys::broadcast::Happened,
};

/// What is done to one of three keys.
#[derive(Debug, Clone)]
enum Act {
    Call(&'static str, Value),
    Clear,
    /// Time passes, and those that expire are gone when somebody looks.
    Wait(i64),
}

fn act() -> impl Strategy<Value = Act> {
    let key = || (0..3_u8).prop_map(|n| format!("k{n}"));
    let write = |key: String, value: u8, more: Value| {
        let mut args = json!({"key": key, "value": value.to_string()});
        if let (Some(args), Value::Object(more)) = (args.as_object_mut(), more) {
            args.extend(more);
        }
        Act::Call("write_key", args)
    };
    prop_oneof![
        4 => (key(), 0..3_u8).prop_map(move |(key, value)| write(key, value, json!({}))),
        1 => (key(), 0..3_u8).prop_map(move |(key, value)| write(key, value, json!({"ttl_ms": 50}))),
        1 => (key(), 0..3_u8).prop_map(move |(key, value)| write(key, value, json!({"tags": ["a", "b"]}))),
        1 => key().prop_map(|key| Act::Call("write_key", json!({"key": key, "value": "x".repeat(70_000)}))),
        2 => key().prop_map(|key| Act::Call("delete_key", json!({"key": key}))),
        1 => key().prop_map(|key| Act::Call("set_key_attributes", json!({"key": key, "system_tags": ["LLMRead"]}))),
        1 => key().prop_map(|key| Act::Call("set_key_attributes", json!({"key": key, "history": "none"}))),
        1 => (key(), key()).prop_map(|(key, new_key)| Act::Call("rename_key", json!({"key": key, "new_key": new_key}))),
        1 => key().prop_map(|key| Act::Call("purge_key", json!({"key": key}))),
        1 => (key(), key()).prop_map(|(one, other)| {
            let write = |key, value| json!({"name": "write_key", "args": {"key": key, "value": value}});
            let all = [write(&one, "b"), write(&other, "c"), json!({"name": "delete_key", "args": {"key": one}})];
            Act::Call("batch", json!({"mode": "all", "operations": all}))
        }),
        1 => Just(Act::Clear),
        1 => (0..80_i64).prop_map(Act::Wait),
    ]
}

/// Everything up to a seq.
async fn heard(stream: &mut Stream, head: u64) -> Vec<Happened> {
    let mut happened = Vec::new();
    while stream.seen() < head {
        happened.extend(stream.next().await.unwrap().happened);
    }
    happened
}

fn head(handle: &Handle) -> u64 {
    handle.view(|_, position| position.head).unwrap()
}

async fn play(acts: Vec<Act>) {
    let world = World::new().await;
    let InstanceRef::Id(id) = &world.instance else { panic!() };
    let handle = world.kernel.handle(id).unwrap();
    let mut first = world.kernel.stream(id).unwrap();
    let mut second = world.kernel.stream(id).unwrap();
    for act in acts {
        match &act {
            // What is refused changes nothing.
            Act::Call(operation, args) => drop(world.call(Mode::Edit, operation, args.clone()).await),
            Act::Clear => drop(world.call(Mode::Edit, "clear_keys", json!({})).await.unwrap()),
            Act::Wait(ms) => world.at(world.now_ms() + ms),
        }
        let head = head(&handle);
        // Who comes first is told what was committed; what is left for who comes second is in the log.
        assert_eq!(heard(&mut first, head).await, heard(&mut second, head).await, "{act:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn what_is_told_of_a_commit_is_what_the_log_says(acts in prop::collection::vec(act(), 1..24)) {
        tokio::runtime::Runtime::new().unwrap().block_on(play(acts));
    }
}

#[tokio::test]
async fn what_was_committed_here_is_kept_for_one_who_listens_and_from_where_it_is_whole() {
    let world = World::new().await;
    let InstanceRef::Id(id) = &world.instance else { panic!() };
    let handle = world.kernel.handle(id).unwrap();
    let write = async |value: &str| {
        world.call(Mode::Edit, "write_key", json!({"key": "k", "value": value})).await.unwrap();
        head(&handle)
    };
    let before = write("nobody listens").await;
    assert!(handle.recent.take(before - 1).is_none());

    let stream = world.kernel.stream(id).unwrap();
    let one = write("one").await;
    let two = write("two").await;
    // Not all that came after is kept.
    assert!(handle.recent.take(before - 1).is_none());
    let (turns, to) = handle.recent.take(before).unwrap();
    assert_eq!((turns.iter().map(|(first, _)| *first).collect::<Vec<_>>(), to), (vec![one, two], two));
    assert!(handle.recent.take(before).is_none());

    // Of what was purged nothing is kept.
    let kept = write("secret").await;
    world.call(Mode::Edit, "purge_key", json!({"key": "k"})).await.unwrap();
    assert!(handle.recent.take(kept - 1).is_none());

    drop(stream);
    let after = write("nobody any more").await;
    assert!(handle.recent.take(after - 1).is_none());
}
