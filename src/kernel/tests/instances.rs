//! Whole instances: large ones, half-done steps of others, and the end of deleted ones.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Mode, World, laws::indexes_are_right};
use crate::model::{error::OpError, instance::InstanceRef, limits};

impl World {
    async fn edit(&self, operation: &str, args: Value) -> Value {
        self.call(Mode::Edit, operation, args).await.unwrap()
    }

    fn id(&self) -> String {
        let InstanceRef::Id(id) = &self.instance else { panic!() };
        id.to_string()
    }

    pub(super) fn catalog(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.folder.path().join("catalog/instance.db")).unwrap()
    }

    fn folder_of(&self, id: &str) -> std::path::PathBuf {
        self.folder.path().join("instances").join(&id[..2]).join(id)
    }

    async fn write_all(&self, keys: std::ops::Range<u32>, value: &str) {
        for first in keys.clone().step_by(1000) {
            let writes = (first..(first + 1000).min(keys.end)).map(|number| {
                self.call(Mode::Edit, "write_key", json!({"key": format!("k{number:05}"), "value": value}))
            });
            assert!(join_all(writes).await.iter().all(Result::is_ok));
        }
    }
}

fn count(database: &rusqlite::Connection, sql: &str) -> u64 {
    database.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn ten_thousand_keys_are_kept_compared_and_restored_as_one_change() {
    let world = World::new().await;
    world.write_all(0..10_000, "v").await;
    let snapshot = world.edit("instance_snapshot", json!({"instance": world.id()})).await["id"].clone();
    world.edit("clear_keys", json!({})).await;
    world.write_all(9_000..11_500, "w").await;
    let diff = world.edit("instance_diff", json!({"from": snapshot, "to": world.id()})).await;
    let lengths = ["added", "removed", "changed"].map(|list| diff[list].as_array().unwrap().len());
    assert_eq!((lengths, &diff["truncated"]), ([1000, 1000, 1000], &json!(true)));
    assert_eq!((&diff["removed"][0], &diff["changed"][0]), (&json!("k00000"), &json!("k09000")));
    world.edit("instance_restore", json!({"instance": world.id(), "snapshot": snapshot})).await;
    let database = world.database();
    let rows = "FROM log WHERE operation = 'instance_restore'";
    assert_eq!(count(&database, &format!("SELECT count(*) {rows}")), 1_500 + 1_000 + 9_000);
    assert_eq!(count(&database, &format!("SELECT count(DISTINCT txn) {rows}")), 1);
    assert_eq!(count(&database, "SELECT records FROM tally WHERE kind = 'key'"), 10_000);
    indexes_are_right(&database);
    let diff = world.edit("instance_diff", json!({"from": snapshot, "to": world.id()})).await;
    assert_eq!(diff, json!({"added": [], "removed": [], "changed": []}));
    let some = world.edit("instance_clone", json!({"instance": snapshot, "name": "some", "prefix": "k09"})).await;
    let diff = world.edit("instance_diff", json!({"from": snapshot, "to": some["id"]})).await;
    assert_eq!(
        (diff["removed"].as_array().unwrap().len(), &diff["added"], &diff["changed"]),
        (1000, &json!([]), &json!([]))
    );
}

#[tokio::test]
async fn keys_that_expire_meanwhile_are_not_brought_back() {
    let world = World::new().await;
    world.edit("write_key", json!({"key": "short", "value": "v", "ttl_ms": 50})).await;
    world.edit("write_key", json!({"key": "long", "value": "v", "ttl_ms": 5_000})).await;
    let snapshot = world.edit("instance_snapshot", json!({"instance": world.id()})).await["id"].clone();
    world.edit("delete_key", json!({"key": "long"})).await;
    world.at(100);
    world.edit("instance_restore", json!({"instance": world.id(), "snapshot": snapshot})).await;
    let keys = world.edit("list_keys", json!({})).await["keys"].clone();
    assert_eq!((keys.as_array().unwrap().len(), &keys[0]["key"]), (1, &json!("long")));
    // The expiry is the one that it had.
    world.at(6_000);
    assert_eq!(world.edit("list_keys", json!({})).await["keys"], json!([]));
    indexes_are_right(&world.database());
}

#[tokio::test]
async fn what_a_crash_left_half_done_is_ended_by_doing_it_again_or_taking_it_back() {
    let world = World::new().await;
    world.edit("write_key", json!({"key": "k", "value": "v"})).await;
    let set_access = |access: u8| {
        world.database().execute("UPDATE state SET access = ?1", [access]).unwrap();
    };
    // Of a deletion only the first step was done: not usable, but listed.
    set_access(2);
    assert!(matches!(world.call(Mode::Edit, "read_key", json!({"key": "k"})).await, Err(OpError::NotFound { .. })));
    world.edit("instance_undelete", json!({"instance": world.id()})).await;
    assert_eq!(world.edit("read_key", json!({"key": "k"})).await["value"], "v");
    set_access(2);
    world.edit("instance_delete", json!({"instance": world.id()})).await;
    assert_eq!(world.edit("instance_list", json!({})).await["instances"], json!([]));
    // Of bringing it back only the first step was done: listed, but not usable.
    world.edit("instance_undelete", json!({"instance": world.id()})).await;
    set_access(2);
    world.edit("instance_undelete", json!({"instance": world.id()})).await;
    world.edit("write_key", json!({"key": "k", "value": "w"})).await;
    // Of closing it for writing.
    set_access(1);
    world.edit("instance_set_read_only", json!({"instance": world.id(), "read_only": false})).await;
    world.edit("write_key", json!({"key": "k", "value": "x"})).await;
}

#[tokio::test]
async fn a_deleted_instance_is_gone_after_seven_days_and_not_before() {
    let world = World::new().await;
    world.edit("write_key", json!({"key": "k", "value": "v"})).await;
    let other = world.edit("instance_create", json!({"name": "other"})).await["id"].as_str().unwrap().to_owned();
    world.edit("instance_delete", json!({"instance": world.id()})).await;
    world.at(1_000);
    world.edit("instance_delete", json!({"instance": other})).await;
    indexes_are_right(&world.catalog());
    world.at(limits::GRACE_MS - 1);
    assert_eq!(world.kernel.forget_instances().await.unwrap(), 0);
    world.at(limits::GRACE_MS);
    let gone = world.call(Mode::Edit, "instance_undelete", json!({"instance": world.id()})).await;
    assert!(matches!(gone, Err(OpError::NotFound { .. })), "{gone:?}");
    let listed = world.edit("instance_list", json!({"deleted": true})).await["instances"].clone();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["id"]), (1, &json!(other)));
    assert_eq!(world.kernel.forget_instances().await.unwrap(), 1);
    assert!(!world.folder_of(&world.id()).exists() && world.folder_of(&other).exists());
    assert_eq!(world.kernel.forget_instances().await.unwrap(), 0);
    let read = world.call(Mode::Edit, "read_key", json!({"key": "k"})).await;
    assert!(matches!(read, Err(OpError::NotFound { .. })), "{read:?}");
    world.edit("instance_undelete", json!({"instance": "other"})).await;
    world.at(limits::GRACE_MS * 3);
    assert_eq!(world.kernel.forget_instances().await.unwrap(), 0);
    assert!(world.folder_of(&other).exists());
    indexes_are_right(&world.catalog());
}

#[tokio::test]
async fn deleting_and_undeleting_at_once_leave_the_instance_as_the_catalog_has_it() {
    let world = World::new().await;
    for _ in 0..20 {
        let delete = world.call(Mode::Edit, "instance_delete", json!({"instance": world.id()}));
        let undelete = world.call(Mode::Edit, "instance_undelete", json!({"instance": world.id()}));
        let close =
            world.call(Mode::Edit, "instance_set_read_only", json!({"instance": world.id(), "read_only": true}));
        drop(tokio::join!(delete, undelete, close));
        let listed = world.edit("instance_list", json!({"deleted": true})).await["instances"][0].clone();
        let expected = if listed["deleted_at"].is_string() { 2 } else { u64::from(listed["read_only"] == true) };
        assert_eq!(count(&world.database(), "SELECT access FROM state"), expected, "{listed}");
        drop(world.call(Mode::Edit, "instance_undelete", json!({"instance": world.id()})).await);
        world.edit("instance_set_read_only", json!({"instance": world.id(), "read_only": false})).await;
    }
}

#[tokio::test]
async fn what_is_refused_leaves_no_folder() {
    let world = World::new().await;
    let folders = || {
        let shelves = std::fs::read_dir(world.folder.path().join("instances")).unwrap();
        shelves.flat_map(|shelf| std::fs::read_dir(shelf.unwrap().path()).unwrap()).count()
    };
    // Six that all find the name free before they begin.
    let made = (0..6).map(|_| world.call(Mode::Edit, "instance_clone", json!({"instance": world.id(), "name": "a"})));
    let made = join_all(made).await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1, "{made:?}");
    assert_eq!(folders(), 2);
}

#[tokio::test]
async fn bug_a_purge_lost_sight_of_the_copies_of_a_copy_that_is_gone() {
    let world = World::new().await;
    world.edit("write_key", json!({"key": "k", "value": "old"})).await;
    world.edit("instance_clone", json!({"instance": world.id(), "name": "between"})).await;
    world.edit("instance_clone", json!({"instance": "between", "name": "last"})).await;
    world.edit("instance_delete", json!({"instance": "between"})).await;
    world.at(limits::GRACE_MS);
    assert_eq!(world.kernel.forget_instances().await.unwrap(), 1);
    let purged = world.edit("purge_key", json!({"key": "k"})).await;
    assert_eq!(purged["held_by"], json!(["last"]));
    indexes_are_right(&world.catalog());
}
