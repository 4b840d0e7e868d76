//! Behaviour as traces: time in ms, mode, operation, arguments; then what was answered.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use serde_json::Value;

use super::{Mode, World};
use crate::ops::operation::Reply;

/// Runs a trace and compares what was answered.
fn check(script: &str, expected: Expect) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let world = World::new().await;
        let mut answers = String::new();
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let mut parts = line.splitn(4, char::is_whitespace);
            let at: i64 = parts.next().unwrap().parse().unwrap();
            let mode = match parts.next().unwrap() {
                "read" => Mode::Read,
                "use" => Mode::Use,
                _ => Mode::Edit,
            };
            let operation = parts.next().unwrap();
            world.at(at);
            let args = parts.next().map_or_else(|| serde_json::json!({}), |args| serde_json::from_str(args).unwrap());
            let answer = world.reply(mode, operation, args).await;
            let shown = answer.map_or_else(|error| format!("error: {error}"), |reply| shown(&reply));
            writeln!(answers, "{at} {operation} {shown}").unwrap();
        }
        // Names that differ only in their code points must be told apart by who reads this file.
        let ascii = |c: char| if c.is_ascii() { c.to_string() } else { c.escape_unicode().to_string() };
        expected.assert_eq(&answers.chars().map(ascii).collect::<String>());
    });
}

/// A result without what every key carries alike.
fn shown(reply: &Reply) -> String {
    let mut result = reply.result.clone();
    strip(&mut result);
    let warning = reply.outcome.find("Warning").map_or("", |at| &reply.outcome[at..]);
    format!("{result}{warning}")
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for noise in ["id", "created_at", "updated_at", "updated_by", "at", "actor", "z_index", "system_tags"] {
                object.shift_remove(noise);
            }
            object.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

#[test]
fn versions_rise_across_delete_and_if_version_guards() {
    check(
        r#"
        0 use write_key {"key":"a","value":"1","if_version":0}
        0 use write_key {"key":"a","value":"2","if_version":0}
        0 use write_key {"key":"a","value":"2","if_version":1}
        0 use delete_key {"key":"a","if_version":1}
        0 use delete_key {"key":"a"}
        0 use delete_key {"key":"a"}
        0 use delete_key {"key":"a","if_version":3}
        0 use write_key {"key":"a","value":"3"}
        0 use key_history {"key":"a"}
        "#,
        expect![[r#"
            0 write_key {"key":"a","version":1,"created":true}
            0 write_key error: key "a" exists already, at version 1, and if_version 0 asks that it does not. Read it before you decide
            0 write_key {"key":"a","version":2,"created":false}
            0 delete_key error: key "a" is at version 2, not 1: someone changed it. Read it again, apply your change to what you read, and write with if_version 2
            0 delete_key {"key":"a","deleted":true,"version":3}
            0 delete_key {"key":"a","deleted":false,"version":0}
            0 delete_key error: key "a" does not exist, and if_version asks for version 3: it was deleted. Write with if_version 0 to make it anew
            0 write_key {"key":"a","version":4,"created":true}
            0 key_history {"key":"a","versions":[{"version":4,"operation":"write_key","change":"created","value":"3"},{"version":3,"operation":"delete_key","change":"deleted"},{"version":2,"operation":"write_key","change":"updated","value":"2"},{"version":1,"operation":"write_key","change":"created","value":"1"}],"next_cursor":null}
        "#]],
    );
}

#[test]
fn a_dead_key_is_never_read_and_expires_exactly_once() {
    check(
        r#"
        0 use write_key {"key":"a","value":"1","ttl_ms":100}
        99 use read_key {"key":"a"}
        100 use read_key {"key":"a"}
        100 use list_keys
        100 use append_key {"key":"a","text":"new"}
        100 use key_history {"key":"a"}
        200 use write_key {"key":"b","value":"1","ttl_ms":100}
        200 use append_key {"key":"b","text":"2"}
        250 use edit_key {"key":"b","old_text":"12","new_text":"3"}
        299 use read_key {"key":"b"}
        300 use read_key {"key":"b"}
        50 use write_key {"key":"c","value":"the clock was set back","ttl_ms":10}
        50 use read_key {"key":"c"}
        "#,
        expect![[r#"
            0 write_key {"key":"a","version":1,"created":true}
            99 read_key {"key":"a","type":"text","value":"1","version":1,"tags":[],"expires_at":"2023-11-14T22:13:20.100Z"}
            100 read_key error: key "a" was not found. list_keys shows the keys that exist
            100 list_keys {"keys":[],"next_cursor":null,"as_of_seq":1}
            100 append_key {"key":"a","version":3,"created":true}
            100 key_history {"key":"a","versions":[{"version":3,"operation":"append_key","change":"created","value":"new"},{"version":2,"operation":"append_key","change":"expired"},{"version":1,"operation":"write_key","change":"created","value":"1"}],"next_cursor":null}
            200 write_key {"key":"b","version":4,"created":true}
            200 append_key {"key":"b","version":5,"created":false}
            250 edit_key {"key":"b","version":6,"created":false}
            299 read_key {"key":"b","type":"text","value":"3","version":6,"tags":[],"expires_at":"2023-11-14T22:13:20.300Z"}
            300 read_key error: key "b" was not found. list_keys shows the keys that exist
            50 write_key {"key":"c","version":7,"created":true}
            50 read_key {"key":"c","type":"text","value":"the clock was set back","version":7,"tags":[],"expires_at":"2023-11-14T22:13:20.260Z"}
        "#]],
    );
}

#[test]
fn types_stay_and_are_checked() {
    check(
        r#"
        0 use write_key {"key":"j","value":{"n":1}}
        0 use write_key {"key":"j","value":"not json"}
        0 use write_key {"key":"j","value":"[1.00000000000000000001]"}
        0 use read_key {"key":"j"}
        0 use append_key {"key":"j","text":"]"}
        0 use edit_key {"key":"j","old_text":"1","new_text":"2"}
        0 use edit_key {"key":"j","old_text":"1.0","new_text":"2.0"}
        0 use write_key {"key":"i","value":"QUJD","type":"image"}
        0 use write_key {"key":"i","value":"QUJD","type":"image","content_type":"image/png"}
        0 use append_key {"key":"i","text":"x"}
        0 use read_key {"key":"i","offset":1,"limit":1}
        0 use read_key {"key":"i","offset":4}
        0 use write_key {"key":"i","value":"now text","type":"text"}
        0 use read_key {"key":"i"}
        "#,
        expect![[r#"
            0 write_key {"key":"j","version":1,"created":true}
            0 write_key error: value: the value of a json key is JSON text: expected ident at line 1 column 2 (got not json)
            0 write_key {"key":"j","version":2,"created":false}
            0 read_key {"key":"j","type":"json","value":"[1.00000000000000000001]","version":2,"tags":[]}
            0 append_key error: value: the value of a json key is JSON text
            0 edit_key error: old_text: it must occur exactly 1 times in key "j": read the key and send a piece that does (got 2 occurrences)
            0 edit_key {"key":"j","version":3,"created":false}
            0 write_key error: content_type: a key of type image needs a content_type, such as image/png (got nothing)
            0 write_key {"key":"i","version":4,"created":true}
            0 append_key error: key: key "i" holds image, which has no text to change: write_key replaces it (got image)
            0 read_key {"key":"i","type":"image","value":"Qg==","content_type":"image/png","version":4,"tags":[],"truncated":true,"next_offset":2}
            0 read_key error: offset: the value of key "i" has 3; the offset must not be beyond that (got 4)
            0 write_key {"key":"i","version":5,"created":false}
            0 read_key {"key":"i","type":"text","value":"now text","version":5,"tags":[]}
        "#]],
    );
}

#[test]
fn attributes_rename_clear_and_restore() {
    check(
        r#"
        0 edit write_key {"key":"a","value":"1","tags":["t","t"]}
        0 edit set_key_attributes {"key":"a","description":"what for","schema":{"type":"string","maxLength":2}}
        0 use write_key {"key":"a","value":"123"}
        0 use write_key {"key":"a","value":"12","tags":["other"]}
        0 use write_key {"key":"a","value":"12","tags":["t"]}
        0 edit rename_key {"key":"a","new_key":"b"}
        0 edit rename_key {"key":"b","new_key":"b"}
        0 edit write_key {"key":"keep","value":"k"}
        0 edit set_key_attributes {"key":"keep","system_tags":["protected"]}
        0 edit delete_key {"key":"keep"}
        0 edit clear_keys
        0 edit list_keys
        0 edit restore_key {"key":"b","version":4}
        0 edit restore_key {"key":"b","version":5}
        0 edit restore_key {"key":"b","version":1}
        "#,
        expect![[r#"
            0 write_key {"key":"a","version":1,"created":true}
            0 set_key_attributes {"key":"a","type":"text","value":"1","version":2,"tags":["t"],"description":"what for","schema":{"type":"string","maxLength":2}}
            0 write_key error: value: it does not satisfy the schema of the key: value is longer than 2 characters (got 123)
            0 write_key error: not permitted: changing attributes of key "a". It needs write or edit mode, which the person who connects this client chooses
            0 write_key {"key":"a","version":3,"created":false}
            0 rename_key {"key":"a","new_key":"b","version":5}
            0 rename_key error: key "b" already exists. Delete it first, or choose another name
            0 write_key {"key":"keep","version":6,"created":true}
            0 set_key_attributes {"key":"keep","type":"text","value":"k","version":7,"tags":[]}
            0 delete_key error: not permitted: deleting key "keep". It is protected; a person must take the tag off first
            0 clear_keys {"deleted":1,"kept":1,"version":8}
            0 list_keys {"keys":[{"key":"keep","type":"text","value":"k","version":7,"tags":[]}],"next_cursor":null,"as_of_seq":8}
            0 restore_key error: version 4 of key "b" was not found. key_history shows the versions that exist
            0 restore_key {"key":"b","version":9,"created":true}
            0 restore_key error: version 1 of key "b" was not found. key_history shows the versions that exist
        "#]],
    );
}

#[test]
fn names_that_look_alike_are_two_keys_and_a_warning() {
    check(
        r#"
        0 use write_key {"key":"\u00e9","value":"composed"}
        0 use write_key {"key":"e\u0301","value":"decomposed"}
        0 use list_keys
        "#,
        expect![[r#"
            0 write_key {"key":"\u{e9}","version":1,"created":true}
            0 write_key {"key":"e\u{301}","version":2,"created":true}Warning: key "\u{e9}" looks the same but is spelt with other code points.
            0 list_keys {"keys":[{"key":"e\u{301}","type":"text","value":"decomposed","version":2,"tags":[]},{"key":"\u{e9}","type":"text","value":"composed","version":1,"tags":[]}],"next_cursor":null,"as_of_seq":2}
        "#]],
    );
}

#[test]
fn operations_are_found_and_called_as_the_mode_allows() {
    check(
        r#"
        0 use op_search {"query":"rename"}
        0 edit op_call {"name":"instance_create","args":{"name":"team"}}
        0 edit op_call {"name":"instance_create","args":{"name":"team"}}
        0 use op_call {"name":"instance_create","args":{"name":"mine"}}
        0 use op_call {"name":"write_key","args":{"key":"a","value":"1"}}
        0 use op_call {"name":"op_call","args":{}}
        0 use op_call {"name":"expire_due"}
        0 use expire_due
        0 read write_key {"key":"a","value":"2"}
        0 read op_call {"name":"write_key","args":{"key":"a","value":"2"}}
        "#,
        expect![[r#"
            0 op_search {"operations":[]}
            0 op_call {"name":"team","read_only":false}
            0 op_call error: instance "team" already exists. Use it, or choose another name
            0 op_call error: not permitted: instance_create in use mode. It needs edit mode, which the person who connects this client chooses
            0 op_call {"key":"a","version":1,"created":true}
            0 op_call error: operation "op_call" was not found. op_search shows those that exist
            0 op_call error: operation "expire_due" was not found. op_search shows those that exist
            0 expire_due error: operation "expire_due" was not found. op_search shows those that exist
            0 write_key error: not permitted: write_key in read mode. It needs use or edit mode, which the person who connects this client chooses
            0 op_call error: not permitted: write_key in read mode. It needs use or edit mode, which the person who connects this client chooses
        "#]],
    );
}

#[test]
fn what_was_undone_is_remembered_as_long_as_undo_looks_back() {
    // 30 days are 2,592,000,000 ms.
    check(
        r#"
        0 use write_key {"key":"a","value":"1"}
        1000 use write_key {"key":"a","value":"2"}
        2000 use undo {}
        2592000500 use undo {}
        2592001500 use undo {}
        2592002500 use undo {}
        2592002500 use read_key {"key":"a"}
        2592002500 use write_key {"key":"a","value":"3"}
        2592002600 use undo {}
        "#,
        expect![[r#"
            0 write_key {"key":"a","version":1,"created":true}
            1000 write_key {"key":"a","version":2,"created":false}
            2000 undo {"operation":"write_key","transaction":2,"keys":[{"key":"a","change":"updated","version":3}],"count":1}
            2592000500 undo error: a change of yours among the last 2000, in the last 30 days, was not found. key_history shows what a key was, and restore_key makes it so again
            2592001500 undo error: a change of yours among the last 2000, in the last 30 days, was not found. key_history shows what a key was, and restore_key makes it so again
            2592002500 undo error: a change of yours among the last 2000, in the last 30 days, was not found. key_history shows what a key was, and restore_key makes it so again
            2592002500 read_key {"key":"a","type":"text","value":"1","version":3,"tags":[]}
            2592002500 write_key {"key":"a","version":5,"created":false}
            2592002600 undo {"operation":"write_key","transaction":5,"keys":[{"key":"a","change":"updated","version":7}],"count":1}
        "#]],
    );
}
