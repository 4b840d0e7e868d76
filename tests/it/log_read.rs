//! `log_read`: what happened, in order, for those who may know.

use serde_json::{Value, json};

use crate::harness::{
    Env,
    mcp::{Client, members, text},
};

fn read(client: &mut Client, args: Value) -> (Vec<String>, u64) {
    let log = client.call("op_call", json!({"name": "log_read", "args": args})).ok();
    let rows = log["changes"].as_array().unwrap().iter();
    let rows = rows
        .map(|row| format!("{} {} {} {}", row["seq"], text(&row["id"]), text(&row["change"]), text(&row["operation"])));
    (rows.collect(), log["as_of_seq"].as_u64().unwrap())
}

#[test]
fn the_log_is_read_in_pieces_from_any_seq() {
    let env = Env::new();
    let mut client = env.mcp();
    client.write("a", "a-value");
    client.write("b", "a-value");
    client.call("append_key", json!({"key": "a", "text": "-more"})).ok();
    client.call("delete_key", json!({"key": "b"})).ok();
    let all = ["1 a created write_key", "2 b created write_key", "3 a updated append_key", "4 b deleted delete_key"];
    assert_eq!(read(&mut client, json!({"since": 0})), (all.map(String::from).to_vec(), 4));
    assert_eq!(
        read(&mut client, json!({"since": 1, "limit": 2})),
        (all[1..3].iter().map(|row| (*row).to_owned()).collect(), 3)
    );
    assert_eq!(read(&mut client, json!({"since": 4})), (vec![], 4));
    assert_eq!(read(&mut client, json!({"since": 400})), (vec![], 400));
    let log = client.call("op_call", json!({"name": "log_read", "args": {"since": 3}})).ok();
    assert_eq!(members(&log["changes"][0]), ["actor", "at", "change", "id", "kind", "operation", "seq", "txn"]);
    assert_eq!(members(&log["changes"][0]["actor"]), ["client", "kind", "principal"]);
    assert!(!log.to_string().contains("-value"), "no value is in the log: {log}");
}

#[test]
fn a_key_that_its_reader_may_not_read_is_not_in_its_log() {
    let env = Env::new();
    env.cli(&["set", "hidden", "x"]).ok();
    env.cli(&["attr", "hidden", "--system-tags", ""]).ok();
    env.cli(&["set", "hidden", "y"]).ok();
    env.cli(&["rm", "hidden"]).ok();
    env.cli(&["set", "shown", "x"]).ok();
    // It was readable when it was made, and when that ended.
    let expected = ["1 hidden created write_key", "2 hidden updated set_key_attributes", "5 shown created write_key"];
    assert_eq!(read(&mut env.mcp(), json!({"since": 0})), (expected.map(String::from).to_vec(), 5));
    assert_eq!(read(&mut env.mcp_with(&["--mode", "edit"]), json!({"since": 0})).0.len(), 5);
}
