//! Faults that random runs against the model found, each as a short run of its own.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Mode, World};
use crate::{
    kernel::{Caller, order::Order},
    model::{error::OpError, instance::InstanceRef, limits},
    ops::{expiry::ExpireDue, operation::Operation as _},
};

/// So long that upkeep does not come by when it is over.
const HOUR_MS: i64 = 3_600_000;

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

fn batch(parts: &[(&str, Value)]) -> Value {
    let parts: Vec<_> = parts.iter().map(|(name, args)| json!({"name": name, "args": args})).collect();
    json!({"operations": parts, "mode": "all"})
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
async fn bug_the_history_in_a_batch_missed_what_it_had_done() {
    let world = World::new().await;
    world.write("k", "1").await;
    let parts = [
        ("delete_key", json!({"key": "k"})),
        ("key_history", json!({"key": "k"})),
        ("write_key", json!({"key": "l", "value": "2"})),
        ("key_history", json!({"key": "l"})),
    ];
    let results = world.done("batch", batch(&parts)).await["results"].clone();
    assert_eq!(results[1]["result"], world.done("key_history", json!({"key": "k"})).await);
    assert_eq!(results[3]["result"]["versions"][0]["operation"], "batch");
}

#[tokio::test]
async fn bug_a_batch_still_saw_values_that_it_had_purged() {
    let world = World::new().await;
    world.write("k", "secret").await;
    world.write("k", "now").await;
    let parts = [
        ("set_key_attributes", json!({"key": "k", "history": "none"})),
        ("key_history", json!({"key": "k"})),
        ("restore_key", json!({"key": "k", "version": 1})),
    ];
    let args = json!({"mode": "each", "operations": batch(&parts)["operations"]});
    let results = world.done("batch", args).await["results"].clone();
    assert_eq!(results[1]["result"]["versions"][2]["value"], Value::Null);
    assert_eq!(results[2]["error"]["reason"], "not_kept");
    assert!(!world.stored().contains("secret"), "{}", world.stored());
}

#[tokio::test]
async fn bug_a_dry_run_showed_that_a_kept_answer_had_expired() {
    let world = World::new().await;
    let mut args = batch(&[("write_key", json!({"key": "k", "value": "x"}))]);
    let once = |args: &Value| json!({"name": "batch", "args": args, "idempotency_key": "i"});
    world.done("op_call", once(&args)).await;
    world.at(limits::REPLY_MS);
    args["dry_run"] = json!(true);
    let changes = world.done("op_call", once(&args)).await["changes"].clone();
    assert_eq!(changes, json!([{"kind": "key", "id": "k", "change": "updated"}]));
}

#[tokio::test]
async fn bug_a_kept_answer_quoted_the_value_of_a_refused_part() {
    let world = World::new().await;
    world.done("write_key", json!({"key": "k", "value": {}})).await;
    let parts = [("write_key", json!({"key": "k", "value": "secret"})), ("delete_key", json!({"key": "k"}))];
    let args = json!({"mode": "each", "operations": batch(&parts)["operations"]});
    let once = json!({"name": "batch", "args": args, "idempotency_key": "i"});
    let first = world.done("op_call", once.clone()).await;
    assert_eq!(first["results"][0]["error"]["got"], "secret");
    let again = world.done("op_call", once).await;
    assert_eq!(again["results"][0]["error"]["code"], "invalid_argument");
    assert_eq!(again["results"][1], first["results"][1]);
    assert!(!world.stored().contains("secret"), "{}", world.stored());
}

#[tokio::test]
async fn bug_a_search_told_a_seq_that_the_log_had_not_reached() {
    let world = World::new().await;
    world.done("write_key", json!({"key": "k", "value": "word", "ttl_ms": HOUR_MS})).await;
    assert_eq!(world.done("search_keys", json!({"query": "word"})).await["head_seq"], 1);
    world.at(HOUR_MS);
    let found = world.done("search_keys", json!({"query": "word"})).await;
    assert_eq!((&found["matches"], &found["head_seq"]), (&json!([]), &json!(1)));
}

#[tokio::test]
async fn bug_the_prompt_told_a_seq_that_the_log_had_not_reached() {
    let world = World::new().await;
    world.done("write_key", json!({"key": "k", "value": "v", "ttl_ms": HOUR_MS})).await;
    world.done("set_key_attributes", json!({"key": "k", "system_tags": ["SystemPrompt"]})).await;
    world.at(HOUR_MS);
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
