//! Prompts: the whole system prompt, for clients that attach prompts but not resources.

use rmcp::{
    ErrorData, RoleServer,
    model::{
        GetPromptRequestParams, GetPromptResponse, GetPromptResult, ListPromptsResult, Prompt, PromptMessage, Role,
    },
    service::RequestContext,
};
use serde_json::{Map, Value};

use crate::ops::{keys::prompt::SystemPrompt, operation::Operation as _};

use super::{
    resources::told,
    server::{Server, stamp},
};

/// The name of the one prompt.
const NAME: &str = "system_prompt";
const ABOUT: &str = "The system prompt of this memory: every SystemPrompt key, in order";

/// The one prompt.
pub(super) fn list(context: &RequestContext<RoleServer>) -> ListPromptsResult {
    let prompt = Prompt::new(NAME, Some(ABOUT), None).with_title("System prompt");
    let mut result = ListPromptsResult::with_all_items(vec![prompt]);
    result.meta = stamp(context);
    result
}

/// Its text, as it is now.
pub(super) async fn get(
    server: &Server,
    request: GetPromptRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<GetPromptResponse, ErrorData> {
    if request.name != NAME {
        return Err(ErrorData::invalid_params("there is one prompt: system_prompt", None));
    }
    let asked = server.execute(context, SystemPrompt::NAME, Value::Object(Map::new())).await;
    let (reply, _) = asked.map_err(|error| told(&error))?;
    let text = reply.result.get("prompt").and_then(Value::as_str).unwrap_or_default();
    let mut result = GetPromptResult::new(vec![PromptMessage::new_text(Role::User, text)]).with_description(ABOUT);
    result.meta = stamp(context);
    Ok(GetPromptResponse::Complete(result))
}
