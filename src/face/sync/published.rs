//! The published schema of the protocol is that of its types.

use schemars::schema_for;
use serde_json::json;

use super::{from_client::FromClient, to_client::ToClient};

/// `schemas/sync.json` is generated from the types: `UPDATE_EXPECT=1 cargo test` writes it anew.
#[test]
fn the_published_schema_of_the_sync_protocol_is_that_of_the_types() {
    let schemas = json!({
        "from_client": schema_for!(FromClient),
        "to_client": schema_for!(ToClient<'_>),
    });
    expect_test::expect_file!["../../../schemas/sync.json"].assert_eq(&format!("{schemas:#}\n"));
}
