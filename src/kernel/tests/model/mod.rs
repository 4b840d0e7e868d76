//! The engine against a plain model of the documents: random runs of several callers on several instances, with time
//! passing, are answered alike and leave the same behind.
//!
//! The model is maps and vectors and shares no code with the engine. `MINDCACHE_TEST_CASES=5000` plays so many runs; a
//! run that fails is shrunk, and `MINDCACHE_TEST_SEED` plays it again.

mod acts;
mod compare;
mod engine;
mod keys;
mod play;
mod reads;
mod state;
mod turns;
mod world;

use std::{cell::RefCell, io::Write as _, sync::Arc};

use proptest::test_runner::{Config, RngSeed, TestRunner};

use super::World as Engine;
use crate::{
    kernel::{Kernel, clock::Clock},
    store::sqlite::{DurabilitySetting, SqliteStore},
};

/// Runs unless told otherwise.
const CASES: u64 = 50;

/// Another kernel over the same store.
fn open_kernel(engine: &Engine) -> Arc<Kernel> {
    let store = SqliteStore::new(engine.folder.path().into(), DurabilitySetting::Normal, 0).unwrap();
    Kernel::new(Arc::new(store), Arc::clone(&engine.clock) as Arc<dyn Clock>)
}

/// A number from the environment.
fn from_env(name: &str) -> Option<u64> {
    Some(std::env::var_os(name)?.to_str().and_then(|text| text.parse().ok()).expect("a number"))
}

#[test]
fn random_runs_are_answered_as_the_model_says() {
    let first = from_env("MINDCACHE_TEST_SEED").unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0 >> 1);
    let told = from_env("MINDCACHE_TEST_CASES");
    let calls = RefCell::new(play::Calls::new());
    for seed in (first..).take(usize::try_from(told.unwrap_or(CASES)).unwrap()) {
        let config = Config {
            cases: 1,
            rng_seed: RngSeed::Fixed(seed),
            failure_persistence: None,
            max_shrink_iters: 3000,
            ..Config::default()
        };
        let outcome = TestRunner::new(config).run(&acts::acts(), |acts| {
            // Time is virtual: nothing is waited for that does not happen.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
            for (call, times) in runtime.unwrap().block_on(play::play(&acts)) {
                *calls.borrow_mut().entry(call).or_default() += times;
            }
            Ok(())
        });
        if let Err(error) = outcome {
            panic!("MINDCACHE_TEST_SEED={seed} MINDCACHE_TEST_CASES=1 plays this again: {error}");
        }
    }
    if let Some(cases) = told {
        let calls = calls.into_inner();
        let all: u64 = calls.values().sum();
        writeln!(std::io::stderr(), "{cases} runs of {all} calls from seed {first}: {calls:#?}").unwrap();
    }
}
