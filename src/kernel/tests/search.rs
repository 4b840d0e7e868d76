//! The index is the same whenever and in whatever pieces it was fed.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::World;
use crate::{
    kernel::search::{Indexed, clean_index, index_slice},
    model::{instance::InstanceRef, permission::Mode},
};

const WORDS: [&str; 5] = ["alpha", "beta", "gamma", "delta", "東京都"];

/// What happens to the store, and when the index is fed.
#[derive(Debug, Clone)]
enum Step {
    Write(usize, Vec<usize>),
    Delete(usize),
    Rename(usize, usize),
    Search,
    Upkeep,
    Scrub,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..6_usize, prop::collection::vec(0..WORDS.len(), 0..4)).prop_map(|(key, words)| Step::Write(key, words)),
        2 => (0..6_usize).prop_map(Step::Delete),
        1 => (0..6_usize, 0..6_usize).prop_map(|(from, to)| Step::Rename(from, to)),
        2 => Just(Step::Search),
        1 => Just(Step::Upkeep),
        1 => Just(Step::Scrub),
    ]
}

async fn find(world: &World, query: &str) -> Value {
    let found = world.call(Mode::Edit, "search_keys", json!({"query": query})).await.unwrap();
    assert_eq!(found["as_of_seq"], found["head_seq"]);
    found["matches"].clone()
}

async fn run(steps: Vec<Step>) {
    let world = World::new().await;
    let InstanceRef::Id(id) = world.instance.clone() else { panic!() };
    let store = world.kernel.store.as_ref();
    for (number, step) in steps.into_iter().enumerate() {
        world.at(i64::try_from(number).unwrap());
        let key = |number: usize| format!("k{number}");
        let (name, args) = match step {
            Step::Write(number, words) => {
                let value = words.into_iter().map(|word| WORDS[word]).collect::<Vec<_>>().join(" ");
                ("write_key", json!({"key": key(number), "value": value}))
            }
            Step::Delete(number) => ("delete_key", json!({"key": key(number)})),
            Step::Rename(from, to) => ("rename_key", json!({"key": key(from), "new_key": key(to)})),
            Step::Search => ("search_keys", json!({"query": "alpha"})),
            Step::Upkeep => {
                while index_slice(store, &id, std::time::Duration::ZERO).unwrap() == Indexed::More {}
                continue;
            }
            Step::Scrub => {
                assert!(clean_index(store, &id, true).unwrap());
                continue;
            }
        };
        // A rename may be refused.
        drop(world.call(Mode::Edit, name, args).await);
    }
    let mut fed = Vec::new();
    for word in WORDS {
        fed.push(find(&world, word).await);
    }
    store.forget_search(&id).unwrap();
    for (word, fed) in WORDS.into_iter().zip(fed) {
        let rebuilt = find(&world, word).await;
        let order = |found: &Value| {
            let all = found.as_array().unwrap().iter();
            // Equal scores differ in the last digit by the order of adding up.
            let mut all: Vec<_> =
                all.map(|one| (format!("{:.4}", -one["score"].as_f64().unwrap()), one["key"].to_string())).collect();
            all.sort();
            all
        };
        assert_eq!(order(&fed), order(&rebuilt), "{word}");
        // The keys are those that hold the word.
        let listed = world.call(Mode::Edit, "list_keys", json!({})).await.unwrap();
        let holding = listed["keys"].as_array().unwrap().iter();
        let holding = holding.filter(|key| key["value"].as_str().unwrap().contains(word)).count();
        assert_eq!(rebuilt.as_array().unwrap().len(), holding, "{word}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn an_index_fed_in_pieces_is_one_that_was_made_at_once(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}
