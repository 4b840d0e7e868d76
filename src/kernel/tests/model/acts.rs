//! What a random run is made of: few names, few tags and small times, so that things meet.
//!
//! A step that depends on what came before says so in words, which [`super::play`] replaces: `"current"` is the version
//! of the key, `"nth:2"` its third newest, `"slot:1"` an instance, `"canary"` a value that nobody else writes,
//! `"large"` one that is kept in a file, `"mark:50"` a word of the one in the middle of all canaries.

use std::fmt;

use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};

use super::{compare::MARK, state::Mode, turns::least_mode};

/// A call before its words are replaced.
#[derive(Clone)]
pub(super) struct Ask {
    /// Which caller.
    pub(super) who: usize,
    pub(super) mode: Mode,
    /// Which instance.
    pub(super) on: usize,
    pub(super) by_name: bool,
    pub(super) operation: &'static str,
    pub(super) args: Value,
    pub(super) once: Option<&'static str>,
}

/// A line, so that a shrunk run can be read.
impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { who, mode, on, by_name, operation, args, once } = self;
        let by = if *by_name { " by name" } else { "" };
        let once = once.map_or_else(String::new, |once| format!(" once {once}"));
        write!(f, "caller {who} in {mode:?}, instance {on}{by}: {operation} {args}{once}")
    }
}

/// A step of a random run.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Call(Ask),
    /// The last call that was to be done once, by whoever made it.
    Again,
    /// Something happens while somebody waits.
    Meanwhile(Ask, Ask),
    /// The clock goes on, and upkeep has not looked yet.
    Pass(i64),
    /// The clock goes on, and upkeep has looked.
    Tick(i64),
    /// The clock is set back.
    Back(i64),
    /// Everything that is stored is compared.
    Check,
    /// The store is closed and opened.
    Reopen,
    /// Upkeep does a round, after which the files are searched for what should be gone.
    Upkeep,
}

const DAY_MS: i64 = 24 * 3600 * 1000;

pub(super) fn acts() -> impl Strategy<Value = Vec<Act>> {
    let first = prop_oneof![6 => write(), 1 => instances()].boxed();
    let first = ask(first).prop_map(|ask| Act::Call(Ask { mode: Mode::Edit, on: 0, ..ask }));
    // Something is there to begin with: otherwise half of a run is about what does not exist.
    let begin = prop::collection::vec(first, 0..8);
    (begin, prop::collection::vec(act(), 1..80)).prop_map(|(begin, acts)| [begin, acts].concat())
}

fn act() -> BoxedStrategy<Act> {
    prop_oneof![
        60 => ask(change()).prop_map(Act::Call),
        14 => once().prop_map(Act::Call),
        22 => ask(look()).prop_map(Act::Call),
        14 => ask(instances()).prop_map(|ask| Act::Call(Ask { mode: Mode::Edit, ..ask })),
        6 => Just(Act::Again),
        3 => (ask(wait()), ask(change())).prop_map(|(wait, other)| Act::Meanwhile(wait, other)),
        6 => (1..60_i64).prop_map(Act::Pass),
        4 => (1..60_i64).prop_map(Act::Tick),
        2 => select(vec![DAY_MS, 8 * DAY_MS]).prop_map(Act::Pass),
        1 => Just(Act::Tick(DAY_MS)),
        1 => (1..100_i64).prop_map(Act::Back),
        3 => Just(Act::Check),
        1 => Just(Act::Reopen),
        2 => Just(Act::Upkeep),
    ]
    .boxed()
}

/// A call that is to be done once.
fn once() -> impl Strategy<Value = Ask> {
    (ask(change()), select(vec!["i1", "i2"])).prop_map(|(ask, key)| Ask { once: Some(key), ..ask })
}

/// Somebody asks for it: mostly about the same instance, and mostly as one who may.
fn ask(call: BoxedStrategy<(&'static str, Value)>) -> BoxedStrategy<Ask> {
    let mode = prop_oneof![2 => Just(Mode::Read), 8 => Just(Mode::Use), 5 => Just(Mode::Write), 12 => Just(Mode::Edit)];
    let on = prop_oneof![6 => Just(0_usize), 2 => Just(1_usize), 2 => 0..8_usize];
    let may = prop::bool::weighted(0.8);
    (0..3_usize, mode, may, on, prop::bool::weighted(0.1), call)
        .prop_map(|(who, mode, may, on, by_name, (operation, args))| {
            let needs_edit = least_mode(operation) == Mode::Edit;
            Ask {
                who,
                // A person acts in edit mode.
                mode: if who == 2 || (may && needs_edit) { Mode::Edit } else { mode },
                on,
                by_name,
                operation,
                args,
                once: None,
            }
        })
        .boxed()
}

fn key() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        24 => Just("a"),
        12 => Just("b"),
        12 => select(vec!["ab", "a/c", "é"]),
        2 => select(vec!["e\u{301}", "b\"\\", "x y"]),
        1 => Just("$date"),
    ]
}

fn tags() -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop_oneof![12 => select(vec!["x", "y"]), 1 => Just("")], 0..3)
}

/// An argument that is often left out.
fn maybe(
    weight: f64,
    name: &'static str,
    value: impl Strategy<Value = Value>,
) -> impl Strategy<Value = Option<(&'static str, Value)>> {
    prop::option::weighted(weight, value).prop_map(move |value| value.map(|value| (name, value)))
}

fn if_version() -> impl Strategy<Value = Option<(&'static str, Value)>> {
    maybe(
        0.25,
        "if_version",
        prop_oneof![2 => Just(json!(0)), 4 => Just(json!("current")), 2 => (1..20_u64).prop_map(Value::from)],
    )
}

/// Arguments and those that were not left out.
fn with(mut args: Value, more: impl IntoIterator<Item = Option<(&'static str, Value)>>) -> Value {
    for (name, value) in more.into_iter().flatten() {
        args[name] = value;
    }
    args
}

fn value() -> BoxedStrategy<Value> {
    prop_oneof![
        10 => Just(json!("canary")),
        5 => "[ab]{0,3}".prop_map(Value::from),
        2 => (0..3).prop_map(|n| json!({ "n": n })),
        1 => Just(json!("[1.00]")),
        2 => Just(json!("QUJDRA==")),
        1 => Just(json!("large")),
        1 => Just(json!("x".repeat(2000))),
    ]
    .boxed()
}

fn write() -> BoxedStrategy<(&'static str, Value)> {
    let key_type = maybe(0.3, "type", select(vec!["text", "text", "json", "image", "file"]).prop_map(Value::from));
    let content_type =
        maybe(0.2, "content_type", select(vec!["image/png", "text/markdown", "nonsense"]).prop_map(Value::from));
    let ttl = maybe(0.3, "ttl_ms", prop_oneof![20 => 1..50_u64, 1 => Just(0)].prop_map(Value::from));
    let tags = maybe(0.3, "tags", tags().prop_map(Value::from));
    (key(), value(), key_type, content_type, ttl, tags, if_version())
        .prop_map(|(key, value, key_type, content_type, ttl, tags, version)| {
            ("write_key", with(json!({"key": key, "value": value}), [key_type, content_type, ttl, tags, version]))
        })
        .boxed()
}

fn attributes() -> BoxedStrategy<(&'static str, Value)> {
    let system = prop::sample::subsequence(super::state::SYSTEM_TAGS.to_vec(), 0..=5).prop_map(Value::from);
    let usual = select(vec![json!(["LLMRead", "LLMWrite"]), json!(["SystemPrompt", "LLMWrite"])]);
    let system = maybe(0.5, "system_tags", prop_oneof![2 => usual, 1 => system]);
    let history = maybe(0.4, "history", select(vec!["none", "full"]).prop_map(Value::from));
    let z_index = maybe(0.2, "z_index", (-2..3_i64).prop_map(Value::from));
    let description = maybe(0.2, "description", select(vec!["why", ""]).prop_map(Value::from));
    let schema = select(vec![json!({}), json!({"type": "string"}), json!({"type": "object"})]);
    (
        key(),
        system,
        maybe(0.3, "tags", tags().prop_map(Value::from)),
        z_index,
        history,
        description,
        maybe(0.2, "schema", schema),
    )
        .prop_map(|(key, system, tags, z_index, history, description, schema)| {
            ("set_key_attributes", with(json!({ "key": key }), [system, tags, z_index, history, description, schema]))
        })
        .boxed()
}

/// An operation that changes keys, and that a batch can hold.
fn small() -> BoxedStrategy<(&'static str, Value)> {
    let text = prop_oneof![6 => "[ab]{1,2}", 1 => Just("large".to_owned())];
    let old = select(vec!["a", "a", MARK, ""]);
    let nth = prop_oneof![4 => (0..4).prop_map(|n| json!(format!("nth:{n}"))), 1 => (1..40_u64).prop_map(Value::from)];
    prop_oneof![
        12 => write(),
        4 => (key(), text, if_version()).prop_map(|(key, text, version)| {
            ("append_key", with(json!({"key": key, "text": text}), [version]))
        }),
        4 => (key(), old, "[ab]{0,2}", 0..3_u64, if_version()).prop_map(|(key, old, new, count, version)| {
            let count = (count > 0).then(|| ("expect_count", json!(count)));
            ("edit_key", with(json!({"key": key, "old_text": old, "new_text": new}), [count, version]))
        }),
        4 => (key(), if_version()).prop_map(|(key, version)| ("delete_key", with(json!({ "key": key }), [version]))),
        5 => attributes(),
        2 => (key(), key()).prop_map(|(key, new)| ("rename_key", json!({"key": key, "new_key": new}))),
        3 => (key(), nth).prop_map(|(key, version)| ("restore_key", json!({"key": key, "version": version}))),
        1 => Just(("clear_keys", json!({}))),
    ]
    .boxed()
}

fn batch() -> BoxedStrategy<(&'static str, Value)> {
    let odd =
        select(vec!["undo", "wait_for_change", "instance_create", "purge_key"]).prop_map(|name| (name, json!({})));
    let part = prop_oneof![12 => small(), 5 => part_look(), 1 => odd];
    let parts = prop::collection::vec(part.prop_map(|(name, args)| json!({"name": name, "args": args})), 1..6);
    (parts, select(vec!["all", "each", "each"]), prop::bool::weighted(0.15))
        .prop_map(|(parts, mode, dry_run)| {
            let dry_run = dry_run.then(|| ("dry_run", json!(true)));
            ("batch", with(json!({"operations": parts, "mode": mode}), [dry_run]))
        })
        .boxed()
}

fn change() -> BoxedStrategy<(&'static str, Value)> {
    let purge = (key(), prop::bool::weighted(0.4)).prop_map(|(key, all)| json!({"key": key, "everywhere": all}));
    prop_oneof![
        26 => small(),
        6 => batch(),
        5 => Just(("undo", json!({}))),
        2 => purge.prop_map(|args| ("purge_key", args)),
    ]
    .boxed()
}

/// A look that a batch can hold: what it shows comes in one page.
fn part_look() -> BoxedStrategy<(&'static str, Value)> {
    let offset = maybe(0.2, "offset", (0..5_u64).prop_map(Value::from));
    let limit = maybe(0.2, "limit", (1..5_u64).prop_map(Value::from));
    prop_oneof![
        4 => (key(), offset, limit).prop_map(|(key, offset, limit)| {
            ("read_key", with(json!({ "key": key }), [offset, limit]))
        }),
        2 => filters().prop_map(|args| ("list_keys", args)),
        2 => key().prop_map(|key| ("key_history", json!({"key": key, "limit": 1000}))),
        1 => (0..40_u64).prop_map(|since| ("log_read", json!({ "since": since }))),
    ]
    .boxed()
}

fn filters() -> BoxedStrategy<Value> {
    let prefix = maybe(0.3, "prefix", select(vec!["a", "ab", "é", ""]).prop_map(Value::from));
    let tag = maybe(0.3, "tag", select(vec!["x", "y"]).prop_map(Value::from));
    let key_type = maybe(0.2, "type", select(vec!["text", "json"]).prop_map(Value::from));
    (prefix, tag, key_type).prop_map(|more| with(json!({}), [more.0, more.1, more.2])).boxed()
}

fn look() -> BoxedStrategy<(&'static str, Value)> {
    let limit = || prop_oneof![1..5_u64, Just(100)];
    prop_oneof![
        6 => part_look(),
        4 => (filters(), limit()).prop_map(|(args, limit)| ("list_keys", with(args, [Some(("limit", json!(limit)))]))),
        3 => (key(), limit()).prop_map(|(key, limit)| ("key_history", json!({"key": key, "limit": limit}))),
        3 => (0..80_u64, limit()).prop_map(|(since, limit)| ("log_read", json!({"since": since, "limit": limit}))),
        3 => Just(("get_system_prompt", json!({}))),
        3 => wait(),
        4 => (0..100_u64).prop_map(|part| ("search_keys", json!({"query": format!("mark:{part}")}))),
    ]
    .boxed()
}

fn wait() -> BoxedStrategy<(&'static str, Value)> {
    let key = maybe(0.4, "key", key().prop_map(Value::from));
    let prefix = maybe(0.2, "prefix", select(vec!["a", "é"]).prop_map(Value::from));
    let after = maybe(0.5, "after_version", (0..60_u64).prop_map(Value::from));
    (key, prefix, after, 0..30_u64)
        .prop_map(|(key, prefix, after, ms)| ("wait_for_change", with(json!({ "wait_ms": ms }), [key, prefix, after])))
        .boxed()
}

fn instances() -> BoxedStrategy<(&'static str, Value)> {
    let name = || select(vec!["one", "one", "two", "three"]);
    let slot = || {
        let slot =
            prop_oneof![3 => (0..6).prop_map(|slot| format!("slot:{slot}")), 1 => name().prop_map(str::to_owned)];
        slot.prop_map(Value::from)
    };
    // The first instance is where most happens, so it is better there.
    let later = || (1..6).prop_map(|slot| Value::from(format!("slot:{slot}")));
    let filter = prop_oneof![
        3 => Just(None),
        1 => Just(Some(("tag", json!("x")))),
        1 => Just(Some(("prefix", json!("a")))),
    ];
    prop_oneof![
        3 => name().prop_map(|name| ("instance_create", json!({ "name": name }))),
        2 => prop::bool::ANY.prop_map(|deleted| ("instance_list", json!({ "deleted": deleted }))),
        1 => (slot(), name()).prop_map(|(slot, name)| ("instance_rename", json!({"instance": slot, "name": name}))),
        2 => later().prop_map(|slot| ("instance_delete", json!({ "instance": slot }))),
        1 => slot().prop_map(|slot| ("instance_delete", json!({ "instance": slot }))),
        3 => slot().prop_map(|slot| ("instance_undelete", json!({ "instance": slot }))),
        2 => name().prop_map(|name| ("instance_undelete", json!({ "instance": name }))),
        4 => (slot(), name(), filter).prop_map(|(slot, name, filter)| {
            ("instance_clone", with(json!({"instance": slot, "name": name}), [filter]))
        }),
        3 => slot().prop_map(|slot| ("instance_snapshot", json!({"instance": slot, "note": "why"}))),
        2 => (slot(), slot()).prop_map(|(to, from)| ("instance_restore", json!({"instance": to, "snapshot": from}))),
        4 => later().prop_map(|from| ("instance_restore", json!({"instance": "slot:0", "snapshot": from}))),
        3 => (slot(), slot()).prop_map(|(from, to)| ("instance_diff", json!({"from": from, "to": to}))),
        3 => (slot(), prop::bool::weighted(0.3)).prop_map(|(slot, read_only)| {
            ("instance_set_read_only", json!({"instance": slot, "read_only": read_only}))
        }),
    ]
    .boxed()
}

impl Ask {
    pub(super) fn list() -> Self {
        let args = json!({});
        Self { who: 0, mode: Mode::Edit, on: 0, by_name: false, operation: "list_keys", args, once: None }
    }
}
