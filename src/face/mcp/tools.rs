//! Tools: the registry's entries as definitions, their replies as results.

use std::sync::OnceLock;

use rmcp::{
    ErrorData, RoleServer,
    model::{
        CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, JsonObject, ListToolsResult,
        Tool, ToolAnnotations,
    },
    service::RequestContext,
};
use serde_json::{Map, Value, json};

use crate::{
    model::{error::OpError, permission::Mode},
    ops::{
        self,
        operation::{EffectClass, Entry, Listing, Reply},
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
    let args = understood(request.arguments.unwrap_or_default(), &entry.input_schema());
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

/// Models send `"5"` and `5.0` where a whole number is asked for, and `null` for what they leave out.
fn understood(mut args: JsonObject, schema: &Map<String, Value>) -> JsonObject {
    let Some(Value::Object(properties)) = schema.get("properties") else { return args };
    args.retain(|name, value| !value.is_null() || name == "value");
    for (name, value) in &mut args {
        let is_integer =
            properties.get(name).and_then(|property| property.get("type")).is_some_and(|kind| kind == "integer");
        if let (true, Some(number)) = (is_integer, whole(value)) {
            *value = number.into();
        }
    }
    args
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::String(digits) => digits.parse().ok(),
        #[expect(clippy::cast_possible_truncation, reason = "a whole number within 2^53 is exact")]
        Value::Number(number) => number.as_f64().filter(|n| n.fract() == 0.0 && n.abs() < 9e15).map(|n| n as i64),
        _ => None,
    }
}

fn shortened(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_understood_as_models_send_them() {
        let schema = json!({"properties": {"limit": {"type": "integer"}, "key": {"type": "string"}}});
        let args = json!({"limit": "5", "key": "7", "cursor": null});
        let (Value::Object(schema), Value::Object(args)) = (schema, args) else { panic!() };
        assert_eq!(Value::Object(understood(args, &schema)), json!({"limit": 5, "key": "7"}));
        assert_eq!(whole(&json!(5.0)), Some(5));
        assert_eq!(whole(&json!(5.5)), None);
        assert_eq!(whole(&json!("x")), None);
    }
}
