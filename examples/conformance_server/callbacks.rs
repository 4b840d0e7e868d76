//! Tools of the older protocol that ask their client something in the middle of a call.

use rmcp::{
    ErrorData, RoleServer,
    model::{
        CallToolResult, ClientCapabilities, ClientResult, ContentBlock, CreateMessageRequest,
        CreateMessageRequestParams, SamplingMessage, ServerRequest,
    },
    service::RequestContext,
};
use serde_json::{Value, json};

use crate::forms::form;

/// Has the client's model answer a prompt.
pub(crate) async fn sample(prompt: &str, context: &RequestContext<RoleServer>) -> Result<CallToolResult, ErrorData> {
    if !declares(context, |client| client.sampling.is_some()) {
        return Ok(failed("this tool needs a client with sampling"));
    }
    let params = CreateMessageRequestParams::new(vec![SamplingMessage::user_text(prompt)], 100);
    let request = ServerRequest::CreateMessageRequest(CreateMessageRequest::new(params));
    Ok(match context.peer.send_request(request).await {
        Ok(ClientResult::CreateMessageResult(result)) => {
            let block = result.message.content.first();
            let text = block.and_then(|block| block.as_text()).map(|text| text.text.as_str()).unwrap_or_default();
            succeeded(format!("LLM response: {text}"))
        }
        other => failed(&format!("the client did not answer the prompt: {other:?}")),
    })
}

/// Has the person at the client fill in a form.
pub(crate) async fn elicit(
    message: &str,
    schema: Value,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResult, ErrorData> {
    if !declares(context, |client| client.elicitation.is_some()) {
        return Ok(failed("this tool needs a client with elicitation"));
    }
    let request = ServerRequest::ElicitRequest(form(message, schema)?);
    Ok(match context.peer.send_request(request).await {
        Ok(ClientResult::ElicitResult(result)) => {
            let (action, filled) = (json!(result.action), result.content.unwrap_or_default());
            succeeded(format!("User response: action={action}, content={filled}"))
        }
        other => failed(&format!("the client did not show the form: {other:?}")),
    })
}

fn declares(context: &RequestContext<RoleServer>, which: impl Fn(&ClientCapabilities) -> bool) -> bool {
    context.client_capabilities().is_some_and(|client| which(&client))
}

fn succeeded(text: String) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text)])
}

fn failed(text: &str) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(text)])
}
