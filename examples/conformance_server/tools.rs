//! The tools: what the suite calls, and the list of it.

use rmcp::{
    ErrorData, RoleServer,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, JsonObject, LoggingLevel,
        LoggingMessageNotificationParam, ProgressNotificationParam, ResourceContents, Tool, object,
    },
    service::{RequestContext, ServiceError},
};
use serde_json::{Value, json};

use crate::{
    callbacks::{elicit, sample},
    fixtures::Fixtures,
    forms, media,
    rounds::{self, Step},
};

/// The tools without arguments that do not ask anything back.
const PLAIN: [(&str, &str); 13] = [
    ("test_simple_text", "One text"),
    ("test_image_content", "A picture"),
    ("test_audio_content", "A sound"),
    ("test_embedded_resource", "A resource"),
    ("test_multiple_content_types", "A text, a picture and a resource"),
    ("test_error_handling", "Fails"),
    ("test_tool_with_progress", "Tells how far it is"),
    ("test_tool_with_logging", "Tells what it does"),
    ("test_logging_tool", "Tells what it does, if the request asks for it"),
    ("test_elicitation_sep1034_defaults", "Shows a form with defaults"),
    ("test_elicitation_sep1330_enums", "Shows a form with choices"),
    ("test_trigger_tool_change", "Says that the tools have changed"),
    ("test_trigger_prompt_change", "Says that the prompts have changed"),
];

pub(crate) fn all() -> Vec<Tool> {
    let empty = || object(json!({"type": "object"}));
    let text =
        |name: &str| object(json!({"type": "object", "properties": {name: {"type": "string"}}, "required": [name]}));
    let region = json!({"type": "string", "x-mcp-header": "Region"});
    let header = object(json!({"type": "object", "properties": {"region": region}, "required": ["region"]}));
    let plain = PLAIN.into_iter().map(|(name, description)| Tool::new(name, description, empty()));
    let asking = rounds::TOOLS.iter().map(|flow| Tool::new(flow.name, flow.description, empty()));
    let others = [
        Tool::new("test_sampling", "Asks the client's model", text("prompt")),
        Tool::new("test_elicitation", "Shows a form", text("message")),
        Tool::new("test_header_argument", "Has an argument that a header repeats", header),
        Tool::new("json_schema_2020_12_tool", "Has a schema with the keywords of JSON Schema 2020-12", schema()),
    ];
    plain.chain(asking).chain(others).collect()
}

/// Keywords that a server which rebuilds schemas would lose (SEP-1613, SEP-2106).
fn schema() -> JsonObject {
    let address = json!({
        "$anchor": "addressDef",
        "type": "object",
        "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
    });
    object(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {"address": address},
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": false,
    }))
}

pub(crate) async fn call(
    fixtures: &Fixtures,
    request: CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let arguments = request.arguments.unwrap_or_default();
    let blocks = match request.name.as_ref() {
        "test_simple_text" => vec![ContentBlock::text("This is a text.")],
        "test_image_content" => vec![picture()],
        "test_audio_content" => vec![ContentBlock::audio(media::WAV, "audio/wav")],
        "test_embedded_resource" => vec![resource()],
        "test_multiple_content_types" => vec![ContentBlock::text("One of each:"), picture(), resource()],
        "test_error_handling" => {
            return Ok(CallToolResult::error(vec![ContentBlock::text("This tool always fails.")]).into());
        }
        "test_tool_with_progress" => report(context).await.map_err(|error| lost(&error))?,
        "test_tool_with_logging" | "test_logging_tool" => log(fixtures, context).await.map_err(|error| lost(&error))?,
        "test_sampling" => return Ok(sample(&text_argument(&arguments, "prompt")?, context).await?.into()),
        "test_elicitation" => {
            let message = text_argument(&arguments, "message")?;
            return Ok(elicit(&message, forms::contact(), context).await?.into());
        }
        "test_elicitation_sep1034_defaults" => {
            return Ok(elicit("Is this right?", forms::defaults(), context).await?.into());
        }
        "test_elicitation_sep1330_enums" => {
            return Ok(elicit("What do you choose?", forms::choices(), context).await?.into());
        }
        "test_trigger_tool_change" => {
            fixtures.shared.tools.send_replace(());
            vec![ContentBlock::text("Those who listen are told of the tools.")]
        }
        "test_trigger_prompt_change" => {
            fixtures.shared.prompts.send_replace(());
            vec![ContentBlock::text("Those who listen are told of the prompts.")]
        }
        "test_header_argument" => vec![ContentBlock::text(text_argument(&arguments, "region")?)],
        "json_schema_2020_12_tool" => vec![ContentBlock::text(Value::Object(arguments).to_string())],
        name => {
            let flow = rounds::TOOLS.iter().find(|flow| flow.name == name);
            let flow = flow.ok_or_else(|| ErrorData::invalid_params(format!("there is no tool {name}"), None))?;
            let answers = request.input_responses.unwrap_or_default();
            match fixtures.shared.states.step(flow, &answers, request.request_state, context)? {
                Step::Ask(asked) => return Ok(asked.into()),
                Step::Done(text) => vec![ContentBlock::text(text)],
            }
        }
    };
    Ok(CallToolResult::success(blocks).into())
}

/// A required argument that is a text.
pub(crate) fn text_argument(arguments: &JsonObject, name: &str) -> Result<String, ErrorData> {
    let given = arguments.get(name).and_then(Value::as_str).map(str::to_owned);
    given.ok_or_else(|| ErrorData::invalid_params(format!("the argument {name} is missing or no text"), None))
}

fn picture() -> ContentBlock {
    ContentBlock::image(media::PNG, "image/png")
}

fn resource() -> ContentBlock {
    ContentBlock::resource(ResourceContents::text("What stands in the resource.", "test://embedded-resource"))
}

/// Tells how far it is, if the request says under which token.
async fn report(context: &RequestContext<RoleServer>) -> Result<Vec<ContentBlock>, ServiceError> {
    if let Some(token) = context.meta.get_progress_token() {
        for progress in [0.0, 50.0, 100.0] {
            let progress = ProgressNotificationParam::new(token.clone(), progress).with_total(100.0);
            context.peer.notify_progress(progress).await?;
        }
    }
    Ok(vec![ContentBlock::text("It went all the way.")])
}

/// Tells what it does, if the client wants to know.
async fn log(fixtures: &Fixtures, context: &RequestContext<RoleServer>) -> Result<Vec<ContentBlock>, ServiceError> {
    let is_wanted = fixtures.logs_from(context).is_some_and(|level| level as u8 <= LoggingLevel::Info as u8);
    for text in ["It begins.", "It goes on.", "It ends."].into_iter().filter(|_| is_wanted) {
        let message = LoggingMessageNotificationParam::new(LoggingLevel::Info, text.into());
        context.peer.notify_logging_message(message).await?;
    }
    Ok(vec![ContentBlock::text("It did what it does.")])
}

fn lost(error: &ServiceError) -> ErrorData {
    ErrorData::internal_error(format!("the client could not be told: {error}"), None)
}
