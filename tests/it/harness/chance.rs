//! Chance that can be replayed: a test that draws says its seed, and takes it from the environment.
//!
//! `MINDCACHE_TEST_SEED` replays a run, `MINDCACHE_TEST_ROUNDS` and `MINDCACHE_TEST_SECONDS` make one longer.

use super::say;

/// A source of numbers that are the same for the same seed (SplitMix64).
#[derive(Debug, Clone)]
pub(crate) struct Chance(u64);

impl Chance {
    /// The seed of the environment, or a fresh one, which is said.
    pub(crate) fn of(test: &str) -> Self {
        let seed = from_env("MINDCACHE_TEST_SEED").unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0);
        say(&format!("{test}: MINDCACHE_TEST_SEED={seed}"));
        Self(seed)
    }

    /// The same numbers each time.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// A source of its own, for a thread: what it draws does not hang on what the others draw.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to but without `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).expect("it is below a usize")
    }

    /// True once in so many times.
    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of several.
    pub(crate) fn pick<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        &of[self.below(of.len())]
    }
}

/// How many rounds a test plays: so many unless the environment says.
pub(crate) fn rounds(unless_told: usize) -> usize {
    from_env("MINDCACHE_TEST_ROUNDS").map_or(unless_told, |rounds| usize::try_from(rounds).expect("a count"))
}

/// How many seconds a test of speed takes: so many unless the environment says.
pub(crate) fn seconds(unless_told: u64) -> u64 {
    from_env("MINDCACHE_TEST_SECONDS").unwrap_or(unless_told)
}

fn from_env(name: &str) -> Option<u64> {
    let value = std::env::var_os(name)?;
    Some(value.to_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{name} is a number")))
}

#[test]
fn the_same_seed_draws_the_same_numbers() {
    let draw = |mut chance: Chance| (0..5).map(|_| chance.below(1000)).collect::<Vec<_>>();
    assert_eq!(draw(Chance::seeded(7)), draw(Chance::seeded(7)));
    assert_ne!(draw(Chance::seeded(7)), draw(Chance::seeded(8)));
}
