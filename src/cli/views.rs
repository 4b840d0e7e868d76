//! `tools` and `prompt`: what a client will see.

use clap::Args;
use serde_json::{Value, json};

use crate::{
    face::mcp::{Mount, listed_tools},
    model::permission::Mode,
    ops::{keys::prompt::SystemPrompt, operation::Operation as _},
};

use super::{
    Session,
    mcp::mode,
    output::{Failure, Output},
};

/// `tools`.
#[derive(Debug, Args)]
pub(super) struct ToolsArgs {
    /// What the client may do: read, use or edit
    #[arg(long, default_value = "use", env = "MINDCACHE_MODE", value_parser = mode)]
    mode: Mode,
}

/// Prints a tool a line, or the definitions.
pub(super) async fn tools(args: ToolsArgs, session: &Session, output: &Output) -> Result<(), Failure> {
    session.begin().await?;
    let mount = Mount { instance: session.instance.clone(), project: None, mode: args.mode };
    let tools = listed_tools(&session.kernel, &session.caller, &mount)?;
    if output.is_json() {
        let tools = serde_json::to_value(&tools).map_err(anyhow::Error::from)?;
        return output.structured(&json!({ "tools": tools }));
    }
    for tool in tools {
        output.line(&format!("{}  {}", tool.name, tool.description.unwrap_or_default()))?;
    }
    Ok(())
}

/// `prompt`.
#[derive(Debug, Args)]
pub(super) struct PromptArgs {
    /// default, or v1 for the lines of the first MindCache
    #[arg(long, default_value = "default", value_parser = ["default", "v1"])]
    style: String,
}

/// Prints the prompt as it is.
pub(super) async fn prompt(args: PromptArgs, session: &Session, output: &Output) -> Result<(), Failure> {
    let reply = session.execute(SystemPrompt::NAME, json!({"style": args.style})).await?;
    if output.is_json() {
        return output.structured(&reply.result);
    }
    output.raw(reply.result.get("prompt").and_then(Value::as_str).unwrap_or_default().as_bytes())?;
    output.end_of_value()
}
