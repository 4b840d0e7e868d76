//! Laws of names: which part a key gets, and that a name never comes to mean another key.

use super::*;

fn names_of(names: &[&str]) -> Names {
    names.iter().copied().collect()
}

/// The name of a key's write tool among others.
fn write_tool(name: &str, others: &[&str]) -> Option<String> {
    let keys: Vec<_> = others.iter().chain([&name]).map(|name| Owned::new(name)).collect();
    let tools = listed(&keys, WIDE).tools;
    tools.into_iter().find(|tool| tool.key == name && tool.verb == Verb::Write).map(|tool| tool.tool)
}

#[test]
fn alone_a_key_has_the_short_name_unless_its_own_name_forbids_it() {
    let (longest, longer) = ("x".repeat(42), "x".repeat(43));
    for (name, tool) in [
        ("notes", "write_notes"),
        ("A-b_9", "write_A-b_9"),
        ("a b", "write_a_b"),
        ("clé 名", "write_cl___"),
        ("😀", "write___"),
        ("$&/\\", "write_____"),
        ("log_20261121", "write_log_20261121"),
        ("x_DEADBEEF", "write_x_DEADBEEF"),
        (&longest, &format!("write_{longest}")),
        // Too long, like a marked name, or a static tool.
        (&longer, "write_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx_cc0b1c2c"),
        ("a_b_1234abcd", "write_a_b_1234abcd_ef079259"),
        ("key", "write_key_2c70e12b"),
        ("KEY", "write_KEY_5ca24005"),
        ("keys", "write_keys"),
    ] {
        assert_eq!(write_tool(name, &[]).as_deref(), Some(tool), "{name:?}");
    }
}

#[test]
fn all_keys_with_the_same_short_name_take_the_marked_one() {
    let all = ["a b", "a_b", "a.b"];
    let tools = all.map(|name| write_tool(name, &all.into_iter().filter(|other| *other != name).collect::<Vec<_>>()));
    assert_eq!(tools, ["write_a_b_c8687a08", "write_a_b_648fa9b3", "write_a_b_2e7336dc"].map(|tool| Some(tool.into())));
    // A key that is called like the tool of another does not take it.
    assert_eq!(write_tool("a_b_c8687a08", &all).as_deref(), Some("write_a_b_c8687a08_1028e6c7"));
    // One verb's rights do not change the other's names.
    let readonly = Owned { is_writable: false, ..Owned::new("a.b") };
    let tools = listed(&[Owned::new("a b"), readonly], WIDE).tools.into_iter().map(|tool| tool.tool);
    assert_eq!(tools.collect::<Vec<_>>(), ["write_a_b_c8687a08", "read_a_b_c8687a08", "read_a_b_2e7336dc"]);
    // A key that the caller may neither read nor write is not seen to exist.
    let hidden = Owned { is_readable: false, is_writable: false, ..Owned::new("a.b") };
    assert_eq!(listed(&[Owned::new("a b"), hidden], WIDE).tools[0].tool, "write_a_b");
}

#[test]
fn a_mark_has_a_letter_so_that_a_date_is_none() {
    // The SHA-256 of this name begins with 25362619194273ca.
    assert_eq!(write_tool("k 12", &["k_12"]).as_deref(), Some("write_k_12_9194273c"));
}

#[test]
fn keys_made_to_share_a_mark_have_no_tool_and_take_none_from_others() {
    // 仓丟 and 壑丗 have the same short name and the same mark.
    let pair = ["仓丟", "壑丗"];
    assert_eq!(write_tool(pair[0], &[pair[1]]), None);
    assert_eq!(write_tool(pair[0], &["a"]).as_deref(), Some("write___"));
    assert_eq!(write_tool("__", &pair).map(|tool| tool.len()), Some("write____12345678".len()));
    let names = names_of(&pair);
    for tool in ["write___", "write____96d61f5a"] {
        assert_eq!(resolved(tool, &names), Resolved::Ambiguous(vec![]), "{tool}");
    }
}

#[test]
fn a_called_name_is_answered() {
    let key = |name: &str| Resolved::Key(Verb::Write, name.to_owned());
    let meant = |tools: &[&str]| Resolved::Ambiguous(tools.iter().map(|tool| (*tool).to_owned()).collect());
    let names = names_of(&["notes", "a b", "a.b", "key", "clé", "a_b_1234abcd"]);
    for (tool, expected) in [
        ("write_notes", key("notes")),
        ("read_notes", Resolved::Key(Verb::Read, "notes".into())),
        // Listed as write_cl_, yet always right.
        ("write_cl_", key("clé")),
        ("write_a_b_c8687a08", key("a b")),
        ("write_a_b", meant(&["write_a_b_c8687a08", "write_a_b_2e7336dc"])),
        ("read_a_b", meant(&["read_a_b_c8687a08", "read_a_b_2e7336dc"])),
        ("write_a_b_1234abcd", meant(&["write_a_b_1234abcd_ef079259"])),
        ("write_KEY", Resolved::Gone),
        ("write_gone", Resolved::Gone),
        ("write_a_b_648fa9b3", Resolved::Gone),
        ("write_a b", Resolved::Gone),
        ("write_", Resolved::Gone),
        ("write_key", Resolved::NotAKeyTool),
        ("list_keys", Resolved::NotAKeyTool),
        ("", Resolved::NotAKeyTool),
        ("Write_notes", Resolved::NotAKeyTool),
        ("op_call", Resolved::NotAKeyTool),
    ] {
        assert_eq!(resolved(tool, &names), expected, "{tool}");
    }
    assert_eq!(resolved(&format!("write_{}", "x".repeat(5000)), &names), Resolved::Gone);
}

#[test]
fn most_keys_need_no_index_entry() {
    for (name, expected) in [
        ("notes", &[][..]),
        ("a_b_1234abcd", &[]),
        (&"x".repeat(33), &[]),
        ("a b", &["a_b", "#c8687a08"]),
        ("名名", &["__", "#73f11623"]),
    ] {
        assert_eq!(index_keys(name), expected, "{name}");
    }
    assert_eq!(index_keys(&"x".repeat(34)).len(), 1);
    assert_eq!(index_keys(&"é".repeat(43)).len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_short_form_is_that_of_the_original(name in any::<String>()) {
        let short = sanitised(&name);
        prop_assert_eq!(short.len(), name.encode_utf16().count());
        prop_assert!(short.bytes().all(|c| c.is_ascii_alphanumeric() || b"_-".contains(&c)));
        prop_assert_eq!(sanitised(&short), short);
    }

    #[test]
    fn a_name_is_one_of_two_that_its_key_alone_decides(keys in keys(), name in name()) {
        let others: Vec<_> = keys.iter().map(|key| key.name.as_str()).filter(|other| *other != name).collect();
        let short = format!("write_{}", sanitised(&name));
        let tool = write_tool(&name, &others);
        let taken = others.iter().any(|other| sanitised(other) == sanitised(&name));
        if let (Some(tool), Some(alone)) = (&tool, write_tool(&name, &[])) {
            prop_assert!(*tool == alone || (taken && alone == short));
        } else {
            prop_assert!(taken, "only two that share a mark have no tool");
        }
        if taken {
            prop_assert_ne!(tool, Some(short));
        }
    }

    /// A client that still has the list of before gets the same key, or is told; never another key.
    #[test]
    fn while_its_key_exists_a_listed_name_never_means_another(before in keys(), gone in any::<u32>(), added in keys()) {
        let is_kept = |at: usize| gone & (1 << (at % 32)) == 0;
        let kept: Vec<_> = before.iter().enumerate().filter(|(at, _)| is_kept(*at)).map(|(_, key)| key).collect();
        let after: Names =
            kept.iter().copied().chain(&added).map(|key| key.name.as_str()).collect();
        for tool in listed(&before, WIDE).tools {
            if !kept.iter().any(|key| key.name == tool.key) {
                continue;
            }
            match resolved(&tool.tool, &after) {
                Resolved::Key(verb, name) => prop_assert_eq!((verb, name), (tool.verb, tool.key)),
                Resolved::Ambiguous(right) => {
                    for name in right {
                        prop_assert!(matches!(resolved(&name, &after), Resolved::Key(..)), "{name}");
                    }
                }
                other => prop_assert!(false, "{} is {other:?}", tool.tool),
            }
        }
    }

    /// A marked name of a key that has gone means nothing, rather than another key.
    #[test]
    fn a_marked_name_outlives_nothing(before in keys(), after in keys()) {
        let names: Names = after.iter().map(|key| key.name.as_str()).collect();
        let is_marked = |tool: &&KeyTool| !tool.tool.ends_with(&format!("_{}", sanitised(&tool.key)));
        for tool in listed(&before, WIDE).tools.iter().filter(is_marked) {
            if let Resolved::Key(_, name) = resolved(&tool.tool, &names) {
                // But for the pair that was made to share its mark.
                prop_assert!(name == tool.key || (name.chars().count() == 2 && tool.key.chars().count() == 2));
            }
        }
    }

    #[test]
    fn any_called_name_has_an_answer(tool in "(write_|read_)?\\PC{0,60}", keys in keys()) {
        let names: Names = keys.iter().map(|key| key.name.as_str()).collect();
        let answer = resolved(&tool, &names);
        let is_of_a_key = tool.starts_with("write_") || tool.starts_with("read_");
        prop_assert_eq!(answer == Resolved::NotAKeyTool, !is_of_a_key || STATIC.contains(&tool.as_str()));
    }
}
