//! `key_tool`: by which tools agents reach a key, for a person who looks at it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    model::{
        error::OpError,
        key::KeyName,
        permission::{Action, Mode},
    },
    ops::{
        operation::{Cx, EffectClass, Listing, OpMeta, Operation, Report, Step},
        tx::Tx,
    },
};

use super::{meta, readable, tools};

/// The names of the tools by which agents in mode use write and read a key; left out where they may not. Beyond the
/// budget of tools a name is not listed, but answers. Fails with not_found when there is no such key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyTool {
    /// Key name
    pub key: KeyName,
}

/// The tools.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Named {
    /// The one that writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write: Option<String>,
    /// The one that reads it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read: Option<String>,
}

impl Report for Named {
    fn outcome(&self) -> String {
        match (&self.write, &self.read) {
            (Some(write), _) => format!("Agents write it with {write}."),
            (None, Some(read)) => format!("Agents read it with {read}."),
            (None, None) => "Agents have no tool for it.".into(),
        }
    }
}

impl Operation for KeyTool {
    const NAME: &'static str = "key_tool";
    const META: OpMeta = OpMeta { listing: Listing::Search, ..meta("Tools of a key", Action::Read, EffectClass::Read) };
    type Out = Named;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Named>, OpError> {
        let held = readable(tx, cx, self.key.as_str())?;
        let of_agents = Cx { mode: Mode::Use, ..cx.clone() };
        let statics: Vec<&str> = crate::ops::registry()
            .iter()
            .filter(|entry| entry.meta.listing == Listing::Tool)
            .map(|entry| entry.name)
            .collect();
        let [write, read] = tools::named(tx, &of_agents, &held, &statics)?;
        Ok(Step::Done(Named { write, read }))
    }
}
