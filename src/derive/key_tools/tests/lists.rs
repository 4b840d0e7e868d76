//! Laws of the list: order, budget, what is and what is never in it.

use expect_test::expect;

use super::{schemas::problems, *};

/// A definition as a face sends it.
fn definition(tool: &KeyTool) -> Value {
    json!({
        "name": tool.tool, "title": tool.title, "description": tool.description, "inputSchema": tool.input_schema,
        "annotations": {
            "readOnlyHint": false, "destructiveHint": false, "idempotentHint": false, "openWorldHint": false,
        },
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn names_are_unique_and_every_client_can_read_the_definitions(keys in keys()) {
        let tools = listed(&keys, WIDE).tools;
        let names: BTreeSet<_> = tools.iter().map(|tool| tool.tool.as_str()).chain(STATIC).collect();
        prop_assert_eq!(names.len(), tools.len() + STATIC.len());
        for tool in &tools {
            prop_assert!((1..=NAME_CHARACTERS).contains(&tool.tool.len()));
            prop_assert!(tool.tool.bytes().all(|c| c.is_ascii_alphanumeric() || b"_-".contains(&c)), "{}", tool.tool);
            prop_assert!((1..=TITLE_CHARACTERS).contains(&tool.title.chars().count()));
            prop_assert!((10..=DESCRIPTION_CHARACTERS).contains(&tool.description.chars().count()), "{tool:?}");
            prop_assert_eq!(problems(&Value::Object(tool.input_schema.clone())), Vec::<String>::new());
        }
    }

    #[test]
    fn nothing_unseen_and_nothing_but_names_descriptions_and_rules_comes_out(keys in keys()) {
        for tool in listed(&keys, WIDE).tools {
            let text = definition(&tool).to_string();
            prop_assert!(!text::is_hostile(&text), "{text:?}");
            // Defaults and examples of a schema might be values.
            let named = keys.iter().any(|key| key.name.contains("CANARY"));
            prop_assert!(named || !text.contains("CANARY"), "{text}");
        }
    }

    #[test]
    fn the_order_of_making_does_not_matter(
        (keys, shuffled) in keys().prop_flat_map(|keys| (Just(keys.clone()), Just(keys).prop_shuffle())),
        budget in budget(),
    ) {
        prop_assert_eq!(listed(&keys, budget), listed(&shuffled, budget));
    }

    #[test]
    fn the_budget_is_kept_to_the_byte(keys in keys(), budget in budget()) {
        let list = listed(&keys, budget);
        prop_assert!(list.tools.len() + budget.static_tools.min(budget.tools.min(100)) <= budget.tools.min(100));
        let bytes: usize = list.tools.iter().map(|tool| definition(tool).to_string().len() + 1).sum();
        prop_assert_eq!(bytes, list.tools.iter().map(KeyTool::bytes).sum::<usize>());
        prop_assert!(bytes <= budget.bytes);
        let with_tool: BTreeSet<_> = list.tools.iter().map(|tool| tool.key.as_str()).collect();
        let sight = keys.iter().filter(|key| key.is_readable || key.is_writable);
        prop_assert_eq!(list.over_budget, sight.filter(|key| !with_tool.contains(key.name.as_str())).count());
    }

    #[test]
    fn fourteen_fit_whatever_they_are_called(keys in keys()) {
        let all = listed(&keys, WIDE).tools.len();
        let list = listed(&keys, Budget { tools: 40, static_tools: 16, bytes: 5800 });
        prop_assert!(list.tools.len() >= all.min(SHARED_BY), "{} of {all}", list.tools.len());
    }

    #[test]
    fn a_smaller_budget_lists_a_beginning(keys in keys(), budget in budget()) {
        let names = |budget| listed(&keys, budget).tools.into_iter().map(|tool| tool.tool).collect::<Vec<_>>();
        let (some, all) = (names(budget), names(WIDE));
        prop_assert!(all.starts_with(&some), "{some:?} of {all:?}");
    }

    #[test]
    fn a_listed_tool_leads_to_its_key(keys in keys(), budget in budget()) {
        let names = in_sight(&keys);
        for tool in listed(&keys, budget).tools {
            prop_assert_eq!(resolved(&tool.tool, &names), Resolved::Key(tool.verb, tool.key));
        }
    }

    #[test]
    fn the_first_candidates_by_rank_are_enough(keys in keys(), budget in budget()) {
        let mut ordered = keys.clone();
        ordered.sort_by_key(|key| (rank(key.in_prompt, key.z_index), key.name.clone()));
        let first = |may: fn(&Owned) -> bool| ordered.iter().filter(move |key| may(key)).take(budget.slots());
        let needed: BTreeSet<_> =
            first(|key| key.is_writable).chain(first(|key| key.is_readable)).map(|key| key.name.clone()).collect();
        let (some, others): (Vec<_>, Vec<_>) = keys.iter().partition(|key| needed.contains(&key.name));
        let beyond = others.iter().filter(|key| key.is_readable || key.is_writable).count();
        let some: Vec<_> = some.into_iter().map(Owned::candidate).collect();
        let names = in_sight(&keys);
        let frame = Frame { static_tools: &STATIC, budget, beyond };
        let Ok(list) = list(&some, &frame, |at, limit| Ok::<_, Infallible>(names.lookup(at, limit)));
        // Two keys made to share a mark have no tool, and what stands in for them is not among the first.
        prop_assume!(["仓丟", "壑丗"].iter().any(|name| names.lookup(name, 1).is_empty()));
        prop_assert_eq!(list, listed(&keys, budget));
    }
}

#[test]
fn writes_come_first_then_reads_each_by_prompt_z_index_and_name() {
    let key = |name: &str, z_index, in_prompt| Owned { z_index, in_prompt, ..Owned::new(name) };
    let mut keys = vec![key("b", 0, false), key("a", 0, false), key("low", -5, false), key("p", 9, true)];
    keys.push(Owned { is_writable: false, ..key("readonly", -9, true) });
    keys.push(Owned { is_readable: false, is_writable: false, ..Owned::new("hidden") });
    let tools: Vec<_> = listed(&keys, WIDE).tools.into_iter().map(|tool| tool.tool).collect();
    let writes = ["write_p", "write_low", "write_a", "write_b"];
    assert_eq!(tools, [&writes[..], &["read_readonly", "read_p", "read_low", "read_a", "read_b"]].concat());
    assert!(rank(true, 9) < rank(false, -9) && rank(false, -1) < rank(false, 0));
}

#[test]
fn five_hundred_keys_fit_beside_the_static_tools_and_cost_as_many_lookups_as_fifty() {
    let mut lookups = Vec::new();
    for (count, description) in [(50, None), (500, None), (500, Some("Where we stand. ".repeat(18)))] {
        let keys: Vec<_> = (0..count)
            .map(|at| Owned { description: description.clone(), ..Owned::new(&format!("project/notes {at:03}")) })
            .collect();
        let budget = Budget::beside(16, 10 * 1024);
        let candidates: Vec<_> = keys.iter().map(Owned::candidate).collect();
        let (names, mut asked) = (in_sight(&keys), 0);
        let frame = Frame { static_tools: &STATIC, budget, beyond: 0 };
        let Ok(list) = list(&candidates, &frame, |at, limit| {
            asked += 1;
            Ok::<_, Infallible>(names.lookup(at, limit))
        });
        assert!((14..=24).contains(&list.tools.len()), "{}", list.tools.len());
        assert!(list.tools.iter().map(KeyTool::bytes).sum::<usize>() <= 6 * 1024);
        assert_eq!(list.over_budget, count - list.tools.len());
        lookups.push(asked);
    }
    assert!(lookups.iter().all(|asked| *asked <= 3 * 24), "{lookups:?}");
    assert_eq!(lookups[0], lookups[1]);
}

#[test]
fn a_schema_gives_way_to_more_tools() {
    let members: serde_json::Map<_, _> = (0..20).map(|at| (format!("member{at}"), json!({"type": "string"}))).collect();
    let schema = json!({"type": "object", "properties": members});
    let key = |at| Owned { key_type: KeyType::Json, schema: Some(schema.clone()), ..Owned::new(&format!("k{at:02}")) };
    let shown = |count: usize| {
        let keys: Vec<_> = (0..count).map(key).collect();
        let tools = listed(&keys, Budget { tools: 40, static_tools: 16, bytes: 6000 }).tools;
        let with_schema = tools.iter().filter(|tool| tool.input_schema["properties"]["value"]["type"] == "object");
        (with_schema.count(), tools.len())
    };
    // Two keys are four tools; of thirty, fourteen are listed.
    assert_eq!([shown(2), shown(30)], [(2, 4), (0, 14)]);
}

#[test]
fn a_failed_lookup_is_the_answer() {
    let key = Owned::new("a");
    let frame = Frame { static_tools: &STATIC, budget: WIDE, beyond: 0 };
    assert_eq!(list(&[key.candidate()], &frame, |_, _| Err("disk")), Err("disk"));
    assert_eq!(resolve("write_a", &STATIC, |_, _| Err("disk")), Err("disk"));
}

#[test]
fn definitions_read_like_this() {
    let number = json!({"type": "integer", "title": "Count", "minimum": 0, "description": "How\nmany"});
    let keys = [
        Owned { description: Some("Notes of the\u{2028}release.".into()), ..Owned::new("notes") },
        Owned { key_type: KeyType::Json, schema: Some(number), ..Owned::new("clé \"名\"") },
        Owned { key_type: KeyType::Image, is_readable: false, ..Owned::new("\u{202e}\u{200b}") },
    ];
    let shown: Vec<_> = listed(&keys, WIDE)
        .tools
        .iter()
        .map(|tool| {
            let schema = Value::Object(tool.input_schema.clone());
            format!("{} | {} | {}\n  {schema}\n", tool.tool, tool.title, tool.description)
        })
        .collect();
    expect![[r#"
        write_cl_____ | Write clé "名" | Write key "clé '名'"
          {"type":"object","properties":{"value":{"type":"integer","description":"How many","minimum":0},"if_version":{"type":"integer","minimum":0}},"required":["value"],"additionalProperties":false}
        write_notes | Write notes | Write key "notes": Notes of the release.
          {"type":"object","properties":{"value":{"type":"string","description":"The whole text"},"if_version":{"type":"integer","minimum":0}},"required":["value"],"additionalProperties":false}
        write___ | Write __ | Write key "__"
          {"type":"object","properties":{"value":{"type":"string","description":"Base64"},"content_type":{"type":"string"},"if_version":{"type":"integer","minimum":0}},"required":["value"],"additionalProperties":false}
        read_cl_____ | Read clé "名" | Read key "clé '名'"
          {"type":"object","properties":{},"additionalProperties":false}
        read_notes | Read notes | Read key "notes": Notes of the release.
          {"type":"object","properties":{},"additionalProperties":false}
    "#]].assert_eq(&shown.concat());
}
