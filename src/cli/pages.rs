//! Lists that come in pages, read to their end.

use serde_json::{Map, Value, json};

use crate::{model::error::OpError, ops::operation::Reply};

use super::{
    Session,
    output::{Failure, Output},
};

/// The pages of a list, one after the other.
pub(super) struct Pages<'s> {
    session: &'s Session,
    operation: &'s str,
    /// What to ask next; nothing after the last page.
    call: Option<Map<String, Value>>,
}

impl Pages<'_> {
    /// The next page; `None` after the last.
    pub(super) async fn next(&mut self) -> Result<Option<Reply>, OpError> {
        let Some(mut call) = self.call.take() else { return Ok(None) };
        let Session { kernel, caller, instance } = self.session;
        let reply = kernel.execute(caller, instance, self.operation, Value::Object(call.clone())).await?;
        if let Some(cursor) = reply.result.get("next_cursor").filter(|cursor| cursor.is_string()) {
            call.insert("cursor".to_owned(), cursor.clone());
            self.call = Some(call);
        }
        Ok(Some(reply))
    }
}

impl Session {
    /// The pages that an operation has for a call. Makes no instance.
    pub(super) fn pages<'s>(&'s self, operation: &'s str, call: Map<String, Value>) -> Pages<'s> {
        Pages { session: self, operation, call: Some(call) }
    }

    /// Prints all things of a list: a line each, or the whole list as JSON.
    pub(super) async fn print_all(
        &self,
        operation: &str,
        call: Map<String, Value>,
        line: impl Fn(&Value) -> String,
        output: &Output,
    ) -> Result<(), Failure> {
        self.begin_for(operation).await?;
        let mut pages = self.pages(operation, call);
        let (mut whole, mut all) = (json!({}), Vec::new());
        while let Some(reply) = pages.next().await? {
            whole = reply.result;
            let Some(things) = things(&mut whole) else { continue };
            if output.is_json() {
                all.append(things);
            } else {
                things.iter().try_for_each(|thing| output.line(&line(thing)))?;
            }
        }
        if !output.is_json() {
            return Ok(());
        }
        if let Some(things) = things(&mut whole) {
            *things = all;
        }
        output.structured(&whole)
    }
}

/// The list in a result: each has one.
fn things(result: &mut Value) -> Option<&mut Vec<Value>> {
    result.as_object_mut()?.values_mut().find_map(Value::as_array_mut)
}
