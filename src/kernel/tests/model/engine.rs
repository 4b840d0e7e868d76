//! Calls of the engine, answered in the words of the model.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    play::Play,
    state::{Mode, Refusal},
    world::Call,
};
use crate::{
    kernel::Caller,
    model::{
        instance::InstanceRef,
        permission::{self, PrincipalKind},
    },
};

impl Play {
    pub(super) async fn ask_engine(&self, call: &Call) -> Result<Value, Refusal> {
        let answered = self.ask_pages(call).await;
        let code = answered.as_ref().err().map_or("ok", |refusal| refusal["code"].as_str().unwrap());
        *self.calls.borrow_mut().entry(format!("{} {code}", call.operation)).or_default() += 1;
        answered
    }

    /// Pages are put together to the whole that they are.
    async fn ask_pages(&self, call: &Call) -> Result<Value, Refusal> {
        let kind = if call.who.hand.kind == "human" { PrincipalKind::Human } else { PrincipalKind::Agent };
        let mode = match call.who.mode {
            Mode::Read => permission::Mode::Read,
            Mode::Use => permission::Mode::Use,
            Mode::Write => permission::Mode::Write,
            Mode::Edit => permission::Mode::Edit,
        };
        let caller = Caller::local(kind, mode, call.who.hand.client, call.who.hand.run.to_owned());
        let target = InstanceRef::parse(&call.target).unwrap();
        let mut args = call.args.clone();
        let mut operation = call.operation.as_str();
        if let Some(key) = call.once.as_ref().filter(|_| args["idempotency_key"].is_null()) {
            args = json!({"name": operation, "args": args, "idempotency_key": key});
            operation = "op_call";
        }
        let (mut whole, mut behind) = (None::<Value>, 0);
        loop {
            let reply = self.engine.kernel.execute(&caller, &target, operation, args.clone()).await;
            let page = reply.map(|reply| reply.result).map_err(|error| plain(Value::Object(error.to_json())))?;
            if operation == "search_keys" {
                // A busy machine may need more than one call.
                if page["as_of_seq"] != page["head_seq"] && behind < 50 {
                    behind += 1;
                    continue;
                }
                assert_eq!(page["as_of_seq"], page["head_seq"]);
                let found = page["matches"].as_array().unwrap().iter();
                let names: BTreeSet<_> = found.map(|one| one["key"].as_str().unwrap()).collect();
                return Ok(json!({"keys": names, "head_seq": page["head_seq"]}));
            }
            let Some(list) = [("list_keys", "keys"), ("key_history", "versions")]
                .into_iter()
                .find_map(|(name, list)| (operation == name).then_some(list))
            else {
                return Ok(page);
            };
            let items = page[list].as_array().unwrap().clone();
            assert!(items.len() as u64 <= args["limit"].as_u64().unwrap_or(1000), "{page}");
            args["cursor"] = page["next_cursor"].clone();
            let whole = whole.get_or_insert_with(|| json!({"first": true}));
            if whole["first"] == true {
                *whole = page;
            } else {
                whole[list].as_array_mut().unwrap().extend(items);
            }
            if args["cursor"].is_null() {
                whole["next_cursor"] = Value::Null;
                return Ok(whole.clone());
            }
        }
    }
}

/// An answer whose errors are as the model has them: the code, and what a program acts on.
pub(super) fn plain(answer: Value) -> Value {
    const KEPT: [&str; 5] = ["code", "expected", "current", "reason", "floor"];
    match answer {
        Value::Array(items) => items.into_iter().map(plain).collect(),
        Value::Object(members) => {
            let is_error = members.contains_key("code") && members.contains_key("message");
            let members = members.into_iter().filter(|(name, _)| !is_error || KEPT.contains(&name.as_str()));
            members.map(|(name, value)| (name, plain(value))).collect()
        }
        other => other,
    }
}
