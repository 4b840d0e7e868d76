//! Who did it: the part of a change that answers "by whom, with which program, in which run".

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::permission::PrincipalKind;

/// The author of a change as the log keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Who was authorised: `local` for the user of this machine.
    pub principal: String,
    /// What kind of party that was.
    pub kind: PrincipalKind,
    /// The program that asked, as it names itself (`claude-code`, `cli`); empty when it did not say.
    pub client: String,
    /// One connection or one command of that client, so that its own changes can be told from those
    /// of another run of the same program. Random, never a secret.
    pub run: String,
    /// By which face and from which address it came, in the catalog's log alone: who reads an instance need not know
    /// where the others are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Arc<str>>,
}

impl Actor {
    /// The kernel's own hand: expiry and other upkeep.
    pub fn system() -> Self {
        Self {
            principal: "system".into(),
            kind: PrincipalKind::App,
            client: "mindcache".into(),
            run: String::new(),
            from: None,
        }
    }

    /// Under what lists find that which this author wrote last: `human/PRINCIPAL`, whatever program the person used;
    /// `agent/CLIENT` and `app/CLIENT`, or their principal where the program has no name.
    pub fn writer(&self) -> String {
        let name = if self.kind.is_human() || self.client.is_empty() { &self.principal } else { &self.client };
        format!("{}/{name}", self.kind.name())
    }
}

/// The author as replies show it: the run stays in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Author {
    /// Who was authorised, such as `local`.
    pub principal: String,
    /// The program that wrote, as it names itself.
    pub client: String,
}

/// The author of a change, as the log shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Origin {
    /// human, app or agent.
    pub kind: String,
    /// Who it was.
    #[serde(flatten)]
    pub author: Author,
}

impl From<&Actor> for Origin {
    fn from(actor: &Actor) -> Self {
        Self { kind: actor.kind.name().to_owned(), author: actor.into() }
    }
}

impl From<&Actor> for Author {
    fn from(actor: &Actor) -> Self {
        Self { principal: actor.principal.clone(), client: actor.client.clone() }
    }
}
