//! Faults that random runs against the model found, each as a short run of its own.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Mode, World};
use crate::{
    kernel::{Caller, order::Order},
    model::{error::OpError, instance::InstanceRef, limits},
    ops::{expiry::ExpireDue, operation::Operation as _},
};

impl World {
    async fn done(&self, operation: &str, args: Value) -> Value {
        self.call(Mode::Edit, operation, args).await.unwrap()
    }

    async fn write(&self, key: &str, value: &str) -> Value {
        self.done("write_key", json!({"key": key, "value": value})).await
    }

    /// Upkeep comes by.
    pub(super) async fn upkeep(&self) {
        let InstanceRef::Id(id) = &self.instance else { panic!() };
        let order = Order::new(ExpireDue::NAME, Arc::new(ExpireDue::default()), Caller::system());
        self.kernel.handle(id).unwrap().write(order).await.unwrap();
    }

    /// All that the database holds, in one text.
    fn stored(&self) -> String {
        let database = self.database();
        let sql = "SELECT group_concat(body) FROM (SELECT body FROM record UNION ALL SELECT body FROM log)";
        database.query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

#[tokio::test]
async fn bug_undo_depended_on_whether_upkeep_had_come_by() {
    for upkeep in [false, true] {
        let world = World::new().await;
        world.write("k", "before").await;
        world.done("write_key", json!({"key": "k", "value": "short", "ttl_ms": 10})).await;
        world.at(20);
        if upkeep {
            world.upkeep().await;
        }
        let undone = world.call(Mode::Edit, "undo", json!({})).await.unwrap();
        assert_eq!(undone["keys"][0]["change"], "created", "{undone}");
        assert_eq!(world.done("read_key", json!({"key": "k"})).await["value"], "before");
    }
}

#[tokio::test]
async fn bug_the_prompt_told_a_seq_that_the_log_had_not_reached() {
    let world = World::new().await;
    world.done("write_key", json!({"key": "k", "value": "v", "ttl_ms": 10})).await;
    world.done("set_key_attributes", json!({"key": "k", "system_tags": ["SystemPrompt"]})).await;
    world.at(20);
    let prompt = world.done("get_system_prompt", json!({})).await;
    assert_eq!((&prompt["keys"], &prompt["as_of_seq"]), (&json!([]), &json!(2)));
}

#[tokio::test]
async fn bug_restoring_a_key_without_history_left_its_older_values() {
    let world = World::new().await;
    let InstanceRef::Id(id) = &world.instance else { panic!() };
    world.write("k", "x").await;
    world.done("set_key_attributes", json!({"key": "k", "history": "none"})).await;
    let snapshot = world.done("instance_snapshot", json!({"instance": id.as_str()})).await["id"].clone();
    world.done("set_key_attributes", json!({"key": "k", "history": "full"})).await;
    world.write("k", "secret").await;
    world.done("instance_restore", json!({"instance": id.as_str(), "snapshot": snapshot})).await;
    assert!(!world.stored().contains("secret"), "{}", world.stored());
}

#[tokio::test]
async fn bug_an_instance_was_not_found_because_of_one_that_was_deleted_long_ago() {
    let world = World::new().await;
    let create = || world.done("instance_create", json!({"name": "a"}));
    create().await;
    world.done("instance_delete", json!({"instance": "a"})).await;
    world.at(limits::GRACE_MS);
    let gone = world.call(Mode::Edit, "instance_undelete", json!({"instance": "a"})).await;
    assert!(matches!(gone, Err(OpError::NotFound { .. })), "{gone:?}");
    let id = create().await["id"].clone();
    // It is there already, whether upkeep has come by or not.
    assert_eq!(world.done("instance_undelete", json!({"instance": "a"})).await["id"], id);
}
