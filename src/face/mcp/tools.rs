//! Tools: the registry's entries as definitions, their replies as results.

use std::sync::{Arc, OnceLock};

use rmcp::{
    ErrorData, RoleServer,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ListToolsResult, Tool, ToolAnnotations,
    },
    service::RequestContext,
};
use serde_json::{Map, Value, json};

use crate::{
    derive::key_tools::{Budget, KeyTool, Listed, Resolved, Verb},
    kernel::{Caller, Kernel},
    model::{error::OpError, permission::Mode},
    ops::{
        self,
        keys::{read::Read, tools as key_tools, write::Write},
        operation::{EffectClass, Entry, Listing, Operation as _, Reply},
        schema,
    },
};

use super::{
    connection::{Bound, Mount, Server},
    server::stamp,
};

/// The tools of a connection.
pub(super) async fn list(server: &Server, context: &RequestContext<RoleServer>) -> Result<ListToolsResult, ErrorData> {
    let mode = server.mode(context).await;
    let of_keys = server.derive(context, |tx, cx| key_tools::list(tx, cx, names(), of_mode(mode).budget)).await;
    let mut result = ListToolsResult::with_all_items(together(mode, of_keys));
    result.meta = stamp(context);
    Ok(result)
}

/// What a client at this mount is told of, for people who want to see it.
pub fn listed(kernel: &Kernel, caller: &Caller, mount: &Mount) -> Result<Vec<Tool>, OpError> {
    let caller = Caller { mode: mount.mode, ..caller.clone() };
    let of_keys = kernel
        .derive(&caller, &mount.instance, |tx, cx| key_tools::list(tx, cx, names(), of_mode(mount.mode).budget))?;
    Ok(together(mount.mode, Ok(of_keys)))
}

/// The static tools of the mode, then those of single keys while the budget lasts. Without a store the static ones are
/// told all the same; each call then says what is wrong.
fn together(mode: Mode, of_keys: Result<Listed, OpError>) -> Vec<Tool> {
    let mut tools = of_mode(mode).tools.clone();
    match of_keys {
        Ok(listed) => tools.extend(listed.tools.into_iter().map(of_key)),
        Err(error) => tracing::warn!(%error, "listed no tools of single keys"),
    }
    tools
}

/// The static names of all modes: none of them may become the name of a key's tool.
fn names() -> &'static [&'static str] {
    static NAMES: OnceLock<Vec<&'static str>> = OnceLock::new();
    NAMES.get_or_init(|| entries().map(|entry| entry.name).collect())
}

/// Without an output schema: what it answers is what the static tool answers, and every byte is paid in each
/// conversation.
fn of_key(tool: KeyTool) -> Tool {
    let is_read = tool.verb == Verb::Read;
    let annotations = ToolAnnotations::new().read_only(is_read).destructive(false).idempotent(true).open_world(false);
    Tool::new(tool.tool, tool.description, Arc::new(tool.input_schema))
        .with_title(tool.title)
        .with_annotations(annotations)
}

/// The static tools of a mode, and what they leave for those of single keys. Made once.
struct Fixed {
    tools: Vec<Tool>,
    budget: Budget,
}

fn of_mode(mode: Mode) -> &'static Fixed {
    static READ: OnceLock<Fixed> = OnceLock::new();
    static USE: OnceLock<Fixed> = OnceLock::new();
    static WRITE: OnceLock<Fixed> = OnceLock::new();
    static EDIT: OnceLock<Fixed> = OnceLock::new();
    let fixed = match mode {
        Mode::Read => &READ,
        Mode::Use => &USE,
        Mode::Write => &WRITE,
        Mode::Edit => &EDIT,
    };
    fixed.get_or_init(|| {
        let tools: Vec<Tool> = entries().filter(|entry| entry.allowed(mode)).map(definition).collect();
        let bytes = serde_json::to_string(&tools).map_or(usize::MAX, |json| json.len());
        let budget = Budget::beside(tools.len(), bytes);
        Fixed { tools, budget }
    })
}

fn entries() -> impl Iterator<Item = &'static Entry> {
    ops::registry().iter().filter(|entry| entry.meta.listing == Listing::Tool)
}

fn definition(entry: &'static Entry) -> Tool {
    let meta = &entry.meta;
    let annotations = ToolAnnotations::new()
        .read_only(meta.effect == EffectClass::Read)
        .destructive(meta.effect == EffectClass::Delete)
        .idempotent(meta.idempotent)
        .open_world(false);
    let input = Arc::new(brief(Map::clone(&entry.input_schema())));
    Tool::new(entry.name, entry.description(), input)
        .with_title(meta.title)
        .with_annotations(annotations)
        .with_raw_output_schema(Arc::new(portable(Map::clone(&entry.output_schema()))))
}

/// Descriptions of arguments that say no more than the argument's name: `schemas/` has them, lists of tools do not.
const PLAIN: [(&str, &str); 6] = [
    ("key", "Key name"),
    ("if_version", "Only if the key is at this version"),
    ("type", "Keys of this type"),
    ("cursor", "next_cursor of the page before"),
    ("name", "Operation name"),
    ("args", "Its arguments"),
];

/// The schema of arguments, as short as it can be understood.
fn brief(mut schema: Map<String, Value>) -> Map<String, Value> {
    for (name, text) in PLAIN {
        let argument = schema.get_mut("properties").and_then(|members| members.get_mut(name));
        if let Some(argument) = argument.and_then(Value::as_object_mut)
            && argument.get("description").is_some_and(|description| description == text)
        {
            argument.shift_remove("description");
        }
    }
    schema
}

/// Members of a key that lists of tools leave out: their schema allows others, and every byte is paid in each conversation.
const DETAILS: [&str; 8] =
    ["content_type", "z_index", "created_at", "updated_at", "expires_at", "description", "schema", "history"];

/// The schema of a result as all clients read it. A refusal has none of a result's members, and version 1 of the
/// TypeScript package holds refusals against this schema too; some clients know single types only.
fn portable(mut schema: Map<String, Value>) -> Map<String, Value> {
    schema.remove("required");
    if let Some(members) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        members.retain(|name, _| !DETAILS.contains(&name.as_str()));
        for member in members.values_mut().filter_map(Value::as_object_mut) {
            if let Some(Value::Array(types)) = member.get("type") {
                let choices: Vec<Value> = types.iter().map(|one| json!({"type": one})).collect();
                member.remove("type");
                member.insert("anyOf".into(), choices.into());
            }
        }
    }
    schema
}

/// Calls a tool. What the model can mend is a result; only an unknown name is an error of the protocol.
pub(super) async fn call(
    server: &Server,
    request: CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let args = request.arguments.unwrap_or_default();
    let called = match entries().find(|entry| entry.name == request.name) {
        Some(entry) => {
            let args = schema::lenient(args, &entry.input_schema());
            server.execute(context, entry.name, Value::Object(args)).await
        }
        None => call_key(server, &request.name, args, context).await?,
    };
    let mut result = match called {
        Ok((reply, _)) => success(reply),
        Err(error) => refusal(&error),
    };
    result.meta = stamp(context);
    Ok(result.into())
}

/// Calls the tool of a single key, found on the current state: a stale name is refused, never guessed.
async fn call_key<'s>(
    server: &'s Server,
    tool: &str,
    mut args: Map<String, Value>,
    context: &RequestContext<RoleServer>,
) -> Result<Result<(Reply, &'s Bound), OpError>, ErrorData> {
    let resolved = match server.derive(context, |tx, cx| key_tools::resolve(tx, cx, tool, names())).await {
        Ok(resolved) => resolved,
        Err(error) => return Ok(Err(error)),
    };
    let (verb, key) = match resolved {
        Resolved::Key(verb, key) => (verb, key),
        Resolved::Gone => return Ok(Err(gone(tool))),
        Resolved::Ambiguous(right) => return Ok(Err(ambiguous(tool, &right))),
        Resolved::NotAKeyTool => {
            let text = format!("unknown tool \"{}\": tools/list shows those that exist", shortened(tool));
            return Err(ErrorData::invalid_params(text, None));
        }
    };
    if args.contains_key("key") {
        let rule = format!("{tool} is the tool of one key: leave it out, or use the tool that takes a key");
        return Ok(Err(OpError::invalid("key", rule, "")));
    }
    args.insert("key".into(), key.into());
    let name = match verb {
        Verb::Write => Write::NAME,
        Verb::Read => Read::NAME,
    };
    let schema = ops::find(name).map(Entry::input_schema).unwrap_or_default();
    let args = Value::Object(schema::lenient(args, &schema));
    Ok(server.execute_on_key(context, name, args).await)
}

fn gone(tool: &str) -> OpError {
    OpError::NotFound {
        what: format!("the key of the tool {}", shortened(tool)),
        remedy: "tools/list shows the tools that exist, and write_key makes a key".into(),
    }
}

fn ambiguous(tool: &str, right: &[String]) -> OpError {
    let rule = if right.is_empty() {
        "several keys share this name: use the static tools, which take the exact key".to_owned()
    } else {
        format!("it is not the tool of one key: use {}", right.join(" or "))
    };
    OpError::invalid("name", rule, &shortened(tool))
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
