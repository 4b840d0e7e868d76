//! Completion: the names of keys, for the one template of resources.

use rmcp::{
    ErrorData, RoleServer,
    model::{CompleteRequestParams, CompleteResult, CompletionInfo, Reference},
    service::RequestContext,
};
use serde_json::{Value, json};

use crate::ops::{keys::list::List, operation::Operation as _};

use super::{
    resources::told,
    {connection::Server, server::stamp},
};

/// Names that begin as the argument does; nothing for other arguments, whose values nobody can know.
pub(super) async fn complete(
    server: &Server,
    request: CompleteRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<CompleteResult, ErrorData> {
    let is_key = matches!(request.r#ref, Reference::Resource(_)) && request.argument.name == "key";
    let found = if is_key { names(server, &request.argument.value, context).await? } else { CompletionInfo::default() };
    let mut result = CompleteResult::new(found);
    result.meta = stamp(context);
    Ok(result)
}

async fn names(
    server: &Server,
    begun: &str,
    context: &RequestContext<RoleServer>,
) -> Result<CompletionInfo, ErrorData> {
    let args = json!({"prefix": begun, "limit": CompletionInfo::MAX_VALUES});
    let (reply, _) = server.execute(context, List::NAME, args).await.map_err(|error| told(&error))?;
    let keys = reply.result.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let names = keys.iter().filter_map(|key| key.get("key")?.as_str()).map(str::to_owned).collect();
    let is_more = reply.result.get("next_cursor").is_some_and(Value::is_string);
    CompletionInfo::with_pagination(names, None, is_more).map_err(|text| ErrorData::internal_error(text, None))
}
