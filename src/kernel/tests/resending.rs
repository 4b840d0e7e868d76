//! What an older client of the sync protocol sends again, against a plain way to say when that is a write.

use proptest::prelude::*;
use serde_json::{json, value::RawValue};

use super::{World, caller};
use crate::{
    model::{
        key::KeyName,
        permission::{Mode, Permission},
    },
    ops::keys::{
        map::Wanted,
        put::{Delivered, Put},
    },
};

/// What may happen to one key.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// The client sends it with this value and this place in the prompt.
    Send(u8, u8),
    /// Others write, delete, or clear all.
    Write(u8),
    Delete,
    /// The client hears of the last deletion: as it happened, or by itself.
    Hear,
    HearItself,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0..2_u8, 0..2_u8).prop_map(|(value, place)| Act::Send(value, place)),
        2 => (0..2_u8).prop_map(Act::Write),
        4 => Just(Act::Delete),
        2 => Just(Act::Hear),
        1 => Just(Act::HearItself),
    ]
}

/// The key as the model has it: value and place, or the state in which it was deleted and the seq of that.
#[derive(Debug, Clone, Copy)]
enum Key {
    Never,
    Is(u8, u8),
    Gone(u8, u8, u64),
}

async fn play(acts: Vec<Act>) {
    let world = World::new().await;
    let seat = world.kernel.seat(&caller("old", Mode::Edit), &world.instance, Permission::Admin).unwrap();
    let (mut key, mut delivered, mut head) = (Key::Never, Delivered::default(), 0);
    for act in acts {
        match act {
            Act::Send(value, place) => {
                let wanted = Wanted { z_index: Some(place.into()), ..Wanted::default() };
                let put = Put {
                    key: KeyName::parse("k").unwrap(),
                    value: RawValue::from_string(format!("\"{value}\"")).unwrap(),
                    wanted,
                    if_version: None,
                    ttl_ms: None,
                    delivered: Some(delivered),
                };
                let reply = seat.write(Put::NAME, Box::new(put), 0, None).await.unwrap().result;
                match key {
                    Key::Is(was, at) if (was, at) == (value, place) => assert_eq!(reply["changed"], false, "{reply}"),
                    Key::Gone(was, at, seq) if (was, at) == (value, place) && !delivered.has(seq) => {
                        assert_eq!(reply["gone"]["seq"], seq, "{reply}");
                    }
                    _ => {
                        head += 1;
                        assert_eq!((&reply["changed"], &reply["version"]), (&json!(true), &json!(head)), "{reply}");
                        key = Key::Is(value, place);
                    }
                }
            }
            Act::Write(value) => {
                let place = if let Key::Is(_, place) = key { place } else { 0 };
                world.call(Mode::Edit, "write_key", json!({"key": "k", "value": format!("{value}")})).await.unwrap();
                (head, key) = (head + 1, Key::Is(value, place));
            }
            Act::Delete => {
                if let Key::Is(value, place) = key {
                    head += 1;
                    key = Key::Gone(value, place, head);
                }
                world.call(Mode::Edit, "delete_key", json!({"key": "k"})).await.unwrap();
            }
            Act::Hear => delivered.to = head,
            Act::HearItself => {
                if let Key::Gone(.., seq) = key {
                    delivered.of_key = Some(seq);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_is_sent_again_is_no_write_and_all_else_is(acts in prop::collection::vec(act(), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(acts));
    }
}
