//! The forms that fixtures ask a person to fill in.

use rmcp::{
    ErrorData,
    model::{ElicitRequest, ElicitRequestParams, ElicitationSchema, object},
};
use serde_json::{Value, json};

/// A request to fill in a form.
pub(crate) fn form(message: &str, schema: Value) -> Result<ElicitRequest, ErrorData> {
    let requested_schema = ElicitationSchema::from_json_schema(object(schema))
        .map_err(|error| ErrorData::internal_error(format!("rmcp does not know this form: {error}"), None))?;
    let message = message.to_owned();
    Ok(ElicitRequest::new(ElicitRequestParams::FormElicitationParams { meta: None, message, requested_schema }))
}

/// Who somebody is.
pub(crate) fn contact() -> Value {
    json!({
        "type": "object",
        "properties": {
            "username": {"type": "string", "description": "How to call you"},
            "email": {"type": "string", "description": "Where to write to you"},
        },
        "required": ["username", "email"],
    })
}

/// A default for each primitive type (SEP-1034).
pub(crate) fn defaults() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "default": "John Doe"},
            "age": {"type": "integer", "default": 30},
            "score": {"type": "number", "default": 95.5},
            "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
            "verified": {"type": "boolean", "default": true},
        },
    })
}

/// Each way to offer choices (SEP-1330).
pub(crate) fn choices() -> Value {
    let plain = json!(["option1", "option2", "option3"]);
    let titled = json!([
        {"const": "value1", "title": "The first"},
        {"const": "value2", "title": "The second"},
        {"const": "value3", "title": "The third"},
    ]);
    json!({
        "type": "object",
        "properties": {
            "untitledSingle": {"type": "string", "enum": plain},
            "titledSingle": {"type": "string", "oneOf": titled},
            "legacyEnum": {
                "type": "string",
                "enum": ["opt1", "opt2", "opt3"],
                "enumNames": ["The first", "The second", "The third"],
            },
            "untitledMulti": {"type": "array", "items": {"type": "string", "enum": plain}},
            "titledMulti": {"type": "array", "items": {"anyOf": titled}},
        },
    })
}
