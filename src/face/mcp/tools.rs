//! Tools: the registry's entries as definitions, their replies as results.

use std::sync::OnceLock;

use rmcp::{
    ErrorData, RoleServer,
    model::{
        CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ListToolsResult, Tool,
        ToolAnnotations,
    },
    service::RequestContext,
};
use serde_json::{Value, json};

use crate::{
    model::{error::OpError, permission::Mode},
    ops::{
        self,
        operation::{EffectClass, Entry, Listing, Reply},
        schema,
    },
};

use super::server::{Server, stamp};

/// The tools that a mode may call.
pub(super) fn list(mode: Mode, context: &RequestContext<RoleServer>) -> ListToolsResult {
    let mut result = ListToolsResult::with_all_items(definitions(mode).to_vec());
    result.ttl_ms = Some(0);
    result.cache_scope = Some(CacheScope::Private);
    result.meta = stamp(context);
    result
}

fn definitions(mode: Mode) -> &'static [Tool] {
    static READ: OnceLock<Vec<Tool>> = OnceLock::new();
    static USE: OnceLock<Vec<Tool>> = OnceLock::new();
    static EDIT: OnceLock<Vec<Tool>> = OnceLock::new();
    let of_mode = match mode {
        Mode::Read => &READ,
        Mode::Use => &USE,
        Mode::Edit => &EDIT,
    };
    of_mode.get_or_init(|| listed().filter(|entry| entry.allowed(mode)).map(definition).collect())
}

fn listed() -> impl Iterator<Item = &'static Entry> {
    ops::registry().iter().filter(|entry| entry.meta.listing == Listing::Tool)
}

fn definition(entry: &'static Entry) -> Tool {
    let meta = &entry.meta;
    let annotations = ToolAnnotations::new()
        .read_only(meta.effect == EffectClass::Read)
        .destructive(meta.effect == EffectClass::Delete)
        .idempotent(meta.idempotent)
        .open_world(false);
    Tool::new(entry.name, entry.description(), entry.input_schema())
        .with_title(meta.title)
        .with_annotations(annotations)
        .with_raw_output_schema(entry.output_schema())
}

/// Calls a tool. What the model can mend is a result; only an unknown name is an error of the protocol.
pub(super) async fn call(
    server: &Server,
    request: CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let Some(entry) = listed().find(|entry| entry.name == request.name) else {
        return Err(ErrorData::invalid_params(
            format!("unknown tool \"{}\": tools/list shows those that exist", shortened(&request.name)),
            None,
        ));
    };
    let args = schema::lenient(request.arguments.unwrap_or_default(), &entry.input_schema());
    let mut result = match server.execute(context, entry.name, Value::Object(args)).await {
        Ok((reply, _)) => success(reply),
        Err(error) => refusal(&error),
    };
    result.meta = stamp(context);
    Ok(result.into())
}

/// The outcome first, then the same JSON as the structured part: some clients show only one of the two.
fn success(reply: Reply) -> CallToolResult {
    let Reply { outcome, result, image } = reply;
    let mut content = Vec::with_capacity(2);
    if let Some((content_type, base64)) = image {
        let mut shown = result.clone();
        if let Some(value) = shown.get_mut("value") {
            *value = "(shown as the image below)".into();
        }
        content.push(ContentBlock::text(format!("{outcome}\n{shown}")));
        content.push(ContentBlock::image(base64, content_type));
    } else {
        content.push(ContentBlock::text(format!("{outcome}\n{result}")));
    }
    let mut success = CallToolResult::success(content);
    success.structured_content = Some(result);
    success
}

fn refusal(error: &OpError) -> CallToolResult {
    let structured = json!({ "error": error.to_json() });
    let mut refusal =
        CallToolResult::error(vec![ContentBlock::text(format!("REFUSED ({}): {error}\n{structured}", error.code()))]);
    refusal.structured_content = Some(structured);
    refusal
}

fn shortened(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}
