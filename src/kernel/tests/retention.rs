//! What holds of a trimmed log, after any sequence of operations.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use proptest::prelude::*;
use serde_json::json;

use super::{
    Mode, World,
    laws::{act, indexes_are_right, play, records, runtime},
};
use crate::{
    kernel::clock::{Clock as _, SystemClock},
    model::instance::InstanceRef,
    store::upkeep::Retention,
};

fn trim(world: &World, keep: Retention) {
    let InstanceRef::Id(id) = &world.instance else { panic!() };
    let mut upkeep = world.kernel.store.upkeep(id).unwrap();
    while upkeep.trim(&keep, world.kernel.now_ms()).unwrap() {}
}

/// The rows that are left still give the records, and no change has lost the state before it.
fn log_is_enough(database: &rusqlite::Connection, rows: u64) {
    let (head, start): (u64, u64) =
        database.query_row("SELECT head, log_start FROM state", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(start, head.saturating_sub(rows) + 1);
    let mut folded = super::laws::Rows::new();
    let (mut seqs, mut before) = (BTreeSet::new(), BTreeSet::new());
    let mut statement =
        database.prepare("SELECT seq, kind, id, expires_at, body, previous FROM log ORDER BY seq").unwrap();
    let mut found = statement.query([]).unwrap();
    while let Some(row) = found.next().unwrap() {
        let seq: u64 = row.get(0).unwrap();
        let place: (String, String) = (row.get(1).unwrap(), row.get(2).unwrap());
        if seq < start {
            assert!(before.insert(place.clone()), "one row of each record stays below the kept part");
        } else if let Some(previous) = row.get::<_, Option<u64>>(5).unwrap() {
            assert!(seqs.contains(&previous), "{seq} has lost {previous}");
        }
        seqs.insert(seq);
        match row.get::<_, Option<String>>(4).unwrap() {
            Some(body) => drop(folded.insert(place, (seq, row.get(3).unwrap(), body))),
            None => drop(folded.remove(&place)),
        }
    }
    assert!((start..=head).all(|seq| seqs.contains(&seq)), "from {start} on the log is whole");
    assert_eq!(folded, records(database));
}

#[test]
fn a_large_value_is_never_collected_on_its_way_into_a_record() {
    runtime().block_on(async {
        let world = World::new().await;
        let InstanceRef::Id(id) = world.instance.clone() else { panic!() };
        let is_over = Arc::new(AtomicBool::new(false));
        let (store, stop) = (Arc::clone(&world.kernel.store), Arc::clone(&is_over));
        let collector = std::thread::spawn(move || {
            let mut upkeep = store.upkeep(&id).unwrap();
            // Files have the machine's time.
            let clock = SystemClock { zone: jiff::tz::TimeZone::UTC };
            while !stop.load(Ordering::Relaxed) {
                upkeep.collect(clock.wall_ms() + 1000).unwrap();
            }
        });
        for number in 0..40_u32 {
            let value = format!("{number} ").repeat(40_000);
            world.call(Mode::Edit, "write_key", json!({"key": "k", "value": value})).await.unwrap();
            let read = world.call(Mode::Edit, "read_key", json!({"key": "k", "limit": 10})).await.unwrap();
            assert_eq!(read["value"].as_str().unwrap(), &value[..10]);
        }
        is_over.store(true, Ordering::Relaxed);
        collector.join().unwrap();
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_trimmed_log_still_gives_the_records(
        rounds in prop::collection::vec((prop::collection::vec(act(), 1..20), 1..12_u64), 1..4),
    ) {
        runtime().block_on(async {
            let world = World::new().await;
            let mut rows = u64::MAX;
            for (acts, keep) in &rounds {
                play(&world, acts).await;
                // What is due would be written to the log at any moment, also between the trimming and the look.
                world.upkeep().await;
                // What is trimmed stays trimmed, so only ever shorter ones can be told exactly.
                rows = rows.min(*keep);
                trim(&world, Retention { days: 0, rows, bytes: 0 });
                log_is_enough(&world.database(), rows);
                indexes_are_right(&world.database());
                for key in world.call(Mode::Edit, "list_keys", json!({})).await.unwrap()["keys"].as_array().unwrap() {
                    let history = world.call(Mode::Use, "key_history", json!({"key": key["key"]})).await;
                    assert!(history.is_ok() || history.is_err_and(|error| error.code() == "not_found"));
                }
                let changes = json!({"after_version": 0, "wait_ms": 0});
                world.call(Mode::Use, "wait_for_change", changes).await.unwrap();
            }
        });
    }
}
