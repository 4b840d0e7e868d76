//! Prompts: the whole system prompt, for clients that attach prompts but not resources, and the keys that are prompts.

use std::collections::BTreeMap;

use rmcp::{
    ErrorData, RoleServer,
    model::{
        GetPromptRequestParams, GetPromptResponse, GetPromptResult, ListPromptsResult, Prompt, PromptArgument,
        PromptMessage, Role,
    },
    service::RequestContext,
};
use serde_json::{Map, Value};

use crate::{
    derive::key_tools::{DESCRIPTION_CHARACTERS, TITLE_CHARACTERS, clean},
    ops::{
        keys::{
            prompt::SystemPrompt,
            prompts::{self, Offered},
        },
        operation::Operation as _,
    },
};

use super::{
    resources::told,
    {connection::Server, server::stamp},
};

/// The prompt that is always there; no key's prompt can be called so.
const NAME: &str = "system_prompt";
const ABOUT: &str = "The system prompt of this memory: every SystemPrompt key, in order";

/// The whole system prompt, then those of keys. Without a store the first is listed all the same.
pub(super) async fn list(server: &Server, context: &RequestContext<RoleServer>) -> ListPromptsResult {
    let mut listed = vec![Prompt::new(NAME, Some(ABOUT), None).with_title("System prompt")];
    match server.derive(context, |tx, cx| prompts::list(tx, cx, &[NAME])).await {
        Ok(offered) => listed.extend(offered.into_iter().map(definition)),
        Err(error) => tracing::warn!(%error, "listed no prompts of keys"),
    }
    let mut result = ListPromptsResult::with_all_items(listed);
    result.meta = stamp(context);
    result
}

fn definition(offered: Offered) -> Prompt {
    let about = about(&offered);
    let arguments: Vec<PromptArgument> =
        offered.arguments.into_iter().map(|name| PromptArgument::new(name).with_required(true)).collect();
    Prompt::new(offered.name, Some(about), (!arguments.is_empty()).then_some(arguments))
        .with_title(clean(&offered.key, TITLE_CHARACTERS))
}

fn about(offered: &Offered) -> String {
    match &offered.description {
        Some(description) => clean(description, DESCRIPTION_CHARACTERS),
        None => format!("The key \"{}\"", clean(&offered.key, TITLE_CHARACTERS)),
    }
}

/// The text of a prompt, as it is now.
pub(super) async fn get(
    server: &Server,
    request: GetPromptRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<GetPromptResponse, ErrorData> {
    let (about, text) = if request.name == NAME {
        let asked = server.execute(context, SystemPrompt::NAME, Value::Object(Map::new())).await;
        let (reply, _) = asked.map_err(|error| told(&error))?;
        let text = reply.result.get("prompt").and_then(Value::as_str).unwrap_or_default().to_owned();
        (ABOUT.to_owned(), text)
    } else {
        let given = texts(request.arguments.unwrap_or_default())?;
        let filled = server.derive(context, |tx, cx| prompts::fill(tx, cx, &request.name, &given, &[NAME])).await;
        let filled = filled.map_err(|error| told(&error))?;
        let (offered, text) = filled.ok_or_else(|| {
            ErrorData::invalid_params("there is no prompt of this name: prompts/list shows those that exist", None)
        })?;
        (about(&offered), text)
    };
    let mut result = GetPromptResult::new(vec![PromptMessage::new_text(Role::User, text)]).with_description(about);
    result.meta = stamp(context);
    Ok(GetPromptResponse::Complete(result))
}

/// Arguments are texts.
fn texts(arguments: Map<String, Value>) -> Result<BTreeMap<String, String>, ErrorData> {
    let text = |(name, value)| match value {
        Value::String(text) => Ok((name, text)),
        _ => Err(ErrorData::invalid_params("arguments of a prompt are texts", None)),
    };
    arguments.into_iter().map(text).collect()
}
