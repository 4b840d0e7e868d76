//! The published schema of the export formats is that of the types, and what is written satisfies it.

use proptest::prelude::*;
use schemars::{JsonSchema, schema_for};
use serde_json::{Value, json};

use super::{archive, json, samples, sealed};

/// A JSON document of keys.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the document is written and read as a stream; this says what it looks like")]
struct Document<'a> {
    /// What it is: `mindcache`.
    format: String,
    /// A newer one is refused.
    format_version: u64,
    /// The change after which the keys were so.
    as_of_seq: u64,
    /// The keys, in byte order of their names.
    keys: Vec<json::Entry<'a>>,
    /// How many there are: a document without its end is refused.
    count: u64,
}

/// `schemas/export.json` is generated from the types: `UPDATE_EXPECT=1 cargo test` writes it anew.
#[test]
fn the_published_schemas_of_exports_are_those_of_the_types() {
    let schemas = json!({
        "document": schema_for!(Document<'_>),
        "archive": {
            "manifest.json": schema_for!(sealed::Manifest),
            "instances/<n>/<part>.ndjson, a line": schema_for!(json::Entry<'_>),
            "contents.json": schema_for!(archive::Contents),
        },
    });
    expect_test::expect_file!["../../schemas/export.json"].assert_eq(&format!("{schemas:#}\n"));
}

proptest! {
    #[test]
    fn what_is_written_satisfies_its_published_schema(key in samples::key()) {
        let mut document = Vec::new();
        json::begin(&mut document, 7).unwrap();
        json::key(&mut document, &key, true).unwrap();
        json::end(&mut document, 1).unwrap();
        let document: Value = serde_json::from_slice(&document).unwrap();
        let schema = serde_json::to_value(schema_for!(Document<'_>)).unwrap();
        let valid = jsonschema::validator_for(&schema).unwrap();
        prop_assert!(valid.is_valid(&document), "{document}");
        let mut wrong = document;
        wrong["keys"][0]["more"] = json!(1);
        prop_assert!(!valid.is_valid(&wrong));
    }
}
