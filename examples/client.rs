//! A client in Rust, with the `rmcp` package: it lists the tools, writes a key, and is told when someone else does.
//!
//! It speaks the newer protocol, 2026-07-28: no session, and one long request, `subscriptions/listen`, whose answers
//! are what happens. `client.py` and `client.ts` do the same in the older protocol.
//!
//! ```text
//! cargo run --example client -- [PATH/TO/mindcache]
//! ```

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use std::{env::args, ffi::OsString, process::Stdio, time::Duration};

use anyhow::{Context as _, ensure};
use rmcp::{
    ClientServiceExt as _, Peer, RoleClient,
    model::{
        CallToolRequestParams, ProtocolVersion, ReadResourceRequestParams, ResourceContents, ServerNotification,
        SubscriptionFilter,
    },
    service::ClientLifecycleMode,
};
use serde_json::{Value, json};
use tokio::{process::Command, time::timeout};

/// Each key is a resource; this is the URI of the key `notes` in the default instance.
const NOTES: &str = "mindcache://default/notes";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let program = args().nth(1).unwrap_or_else(|| "mindcache".into());
    // A folder of its own, so that the example leaves your memory alone. Without --data-dir it is your own.
    let folder = tempfile::tempdir()?;
    let data_dir = [OsString::from("--data-dir"), folder.path().into()];

    // The client runs the server, and speaks to it on its standard input and output.
    let mut server = Command::new(&program)
        .args(&data_dir)
        .arg("mcp")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {program}: give its path as argument"))?;
    let pipes = (server.stdout.take().context("no stdout")?, server.stdin.take().context("no stdin")?);
    let newer = ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] };
    // `()` is a client that answers no requests of the server's; mindcache has none.
    let client = ().serve_with_lifecycle(pipes, newer).await?;

    // 1. What can this server do?
    let tools = tool_names(&client).await?;
    println!("{} tools: {}", tools.len(), tools.join(", "));
    ensure!(tools.iter().any(|name| name == "write_key"), "write_key is missing");

    // 2. Make a key. From then on it has tools of its own, here write_notes and read_notes.
    let made = call(&client, "write_key", json!({"key": "notes", "value": "Ask Mira."})).await?;
    println!("write_key made notes: {made}");
    let new: Vec<_> = tool_names(&client).await?.into_iter().filter(|name| !tools.contains(name)).collect();
    println!("new tools: {}", new.join(", "));
    ensure!(new.iter().any(|name| name == "write_notes"), "write_notes is missing");

    // 3. Write through the key's own tool. if_version: only if nobody changed it since we wrote it.
    let arguments = json!({"value": "Mira says yes.", "if_version": made.get("version")});
    println!("write_notes: {}", call(&client, "write_notes", arguments).await?);

    // 4. Follow the key. The answer to `listen` comes at once; what it listens for, whenever it happens.
    let mut heard = client.listen(SubscriptionFilter::builder().resource_subscription(NOTES).build()).await?;
    //    Someone else, in another process, writes.
    let person = Command::new(&program).args(&data_dir).args(["set", "notes", "Mira says no."]).status().await?;
    ensure!(person.success(), "`mindcache set` failed");
    let told = timeout(Duration::from_secs(10), heard.next()).await.context("nothing heard in 10 s")??;
    let Some(ServerNotification::ResourceUpdatedNotification(updated)) = told else {
        anyhow::bail!("expected to hear that {NOTES} was updated, heard {told:?}");
    };
    println!("told: {} was updated", updated.params.uri);

    // 5. The notification says that, not what: read it.
    let now = client.read_resource(ReadResourceRequestParams::new(NOTES)).await?;
    let Some(ResourceContents::TextResourceContents { text, .. }) = now.contents.first() else {
        anyhow::bail!("expected a text, read {now:?}");
    };
    println!("it is now: {text}");
    ensure!(text == "Mira says no.", "this is not what was written");

    // 6. The server ends when its client goes.
    heard.cancel().await?;
    client.cancel().await?;
    ensure!(server.wait().await?.success(), "the server failed");
    Ok(())
}

async fn tool_names(client: &Peer<RoleClient>) -> anyhow::Result<Vec<String>> {
    Ok(client.list_all_tools().await?.into_iter().map(|tool| tool.name.into_owned()).collect())
}

/// Calls a tool and gives its structured result. A refusal is a result too, it says what to do about it.
async fn call(client: &Peer<RoleClient>, tool: &'static str, arguments: Value) -> anyhow::Result<Value> {
    let mut params = CallToolRequestParams::new(tool);
    params.arguments = arguments.as_object().cloned();
    let result = client.call_tool(params).await?;
    let content = result.structured_content.unwrap_or_default();
    ensure!(result.is_error != Some(true), "{tool} refused: {content}");
    Ok(content)
}
