//! What hangs on a right goes when its time is up.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use super::World;
use crate::{
    kernel::{Caller, order::Order},
    model::{instance::InstanceId, permission::Mode},
    ops::{access::keys::Used, expiry::ExpireDue, operation::Operation as _},
};

impl World {
    async fn does(&self, operation: &str, args: Value) -> Value {
        self.call(Mode::Edit, operation, args).await.unwrap()
    }

    /// How many records of each kind the catalog has.
    fn counted(&self) -> BTreeMap<String, u64> {
        let database = self.catalog();
        let mut counted = database.prepare("SELECT kind, count(*) FROM record GROUP BY kind").unwrap();
        counted.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().collect::<Result<_, _>>().unwrap()
    }

    /// What upkeep does to the catalog.
    async fn expire(&self) {
        let catalog = self.kernel.handle(&InstanceId::catalog()).unwrap();
        let due = Order::new(ExpireDue::NAME, Arc::new(ExpireDue::default()), Caller::system());
        catalog.write(due).await.unwrap();
    }
}

#[tokio::test]
async fn bug_what_had_expired_left_its_use_its_shares_and_its_memberships_behind() {
    let world = World::new().await;
    let group = world.does("group_create", json!({"name": "team"})).await["id"].clone();
    let before = world.counted();
    let soon = 60_000;
    let key = world.does("api_key_create", json!({"name": "k", "expires_in_ms": soon})).await["id"].clone();
    let delegate = world.does("delegate_create", json!({"name": "d", "expires_in_ms": soon})).await["id"].clone();
    let secret = world.does("delegate_secret_create", json!({"delegate": delegate})).await["id"].clone();
    let lasting = world.does("delegate_create", json!({"name": "e"})).await["id"].clone();
    let short = json!({"delegate": lasting, "expires_in_ms": soon});
    let short = world.does("delegate_secret_create", short).await["id"].clone();
    for id in [&key, &secret, &short] {
        let used = Used { id: id.as_str().unwrap().to_owned() };
        let catalog = world.kernel.handle(&InstanceId::catalog()).unwrap();
        catalog.write(Order::new(Used::NAME, Arc::new(used), Caller::system())).await.unwrap();
    }
    for party in [format!("key:{}", key.as_str().unwrap()), format!("delegate:{}", delegate.as_str().unwrap())] {
        world.does("group_add", json!({"group": group, "member": party})).await;
        let share = json!({"instance": "default", "with": party, "permission": "read"});
        world.does("share_create", share).await;
    }
    let all = world.counted();
    assert_eq!((all["key_use"], all["share"], all["delegate_secret"]), (3, 2, 2), "{all:?}");
    world.at(soon + 1);
    // Whoever comes by in the meantime finds nothing, and takes nothing along that hangs on it.
    assert_eq!(world.does("api_key_list", json!({})).await["keys"], json!([]));
    world.call(Mode::Edit, "api_key_revoke", json!({"id": key})).await.unwrap_err();
    world.expire().await;
    let mut after = world.counted();
    assert_eq!(after.remove("delegate"), Some(1), "the other one stays");
    assert_eq!(after, before);
    let members = world.does("group_list", json!({})).await["groups"][0]["members"].clone();
    assert_eq!(members, json!([]));
}
