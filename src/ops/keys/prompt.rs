//! `get_system_prompt`: the prompt that the `SystemPrompt` keys make.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    derive::{
        prompt::{self, Section},
        template::Clock,
    },
    model::{error::OpError, key::Key, kind, limits, permission::Action, tool_name::sanitised, value::Content},
};

use super::{
    expand::{self, Uses},
    load, meta,
};
use crate::ops::{
    operation::{Cx, EffectClass, OpMeta, Operation, Report, Step},
    tx::Tx,
};

/// The system prompt: every SystemPrompt key by z_index, then name. Images and files are named, not shown;
/// what does not fit is named in left_out.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SystemPrompt {
    /// v1: the lines of the first MindCache
    #[serde(default)]
    pub style: Option<Style>,
}

/// How the prompt is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    /// A heading and a fenced value per key.
    Default,
    /// The lines of the first MindCache.
    V1,
}

/// The prompt.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Prompt {
    /// Its text.
    pub prompt: String,
    /// The keys in it, in order.
    pub keys: Vec<String>,
    /// The keys that did not fit.
    pub left_out: Vec<String>,
    /// The state that it shows.
    pub as_of_seq: u64,
}

impl Report for Prompt {
    fn outcome(&self) -> String {
        let left = match self.left_out.len() {
            0 => String::new(),
            count => format!("; {count} keys did not fit and were left out"),
        };
        format!("The system prompt is made of {} keys{left}.", self.keys.len())
    }
}

/// What the prompt is made of beside the values of its keys.
pub fn uses(tx: &mut Tx<'_>, cx: &Cx) -> Result<Uses, OpError> {
    let mut uses = Uses::default();
    for name in tx.ordered::<Key>(kind::PROMPT, limits::PROMPT_KEYS)? {
        if let Some(held) = tx.get::<Key>(&name)?
            // A larger one is left out of the prompt as it is.
            && held.content.stored_bytes() <= 4 * limits::PROMPT_CHARACTERS as u64
        {
            uses.add(tx, cx, &held)?;
        }
    }
    Ok(uses)
}

impl Operation for SystemPrompt {
    const NAME: &'static str = "get_system_prompt";
    const META: OpMeta = meta("System prompt", Action::Read, EffectClass::Read);
    type Out = Prompt;

    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Prompt>, OpError> {
        // Asked before anything is looked at: that a key has expired is not in the log yet.
        let as_of_seq = tx.seq();
        let mut sections = Vec::new();
        let mut room = 4 * limits::PROMPT_CHARACTERS as u64;
        for name in tx.ordered::<Key>(kind::PROMPT, limits::PROMPT_KEYS)? {
            let Some(held) = tx.get::<Key>(&name)? else { continue };
            let key = held.content;
            // A value that cannot fit any more is not loaded to be left out. A character takes at most four bytes.
            let fits = key.stored_bytes() <= room;
            let text = if key.key_type.is_binary() || !fits {
                None
            } else {
                room -= key.stored_bytes();
                match load(tx, &name, &key)? {
                    Content::Text(text) if expand::is_template(&key) => {
                        let expanded = expand::expand(tx, cx, &expand::template(&name, &key, &text))?;
                        room = room.saturating_sub(expanded.len() as u64);
                        Some(expanded)
                    }
                    Content::Text(text) => Some(text),
                    Content::Bytes(_) => None,
                }
            };
            let writer = key.system_tags.llm_writable().then(|| format!("write_{}", sanitised(&name)));
            sections.push(Section { name, key_type: key.key_type, content_type: key.content_type, text, writer });
        }
        let rendered = if self.style == Some(Style::V1) {
            let (date, time) = expand::now(cx);
            let clock = Clock { date: &date, time: &time, version: env!("CARGO_PKG_VERSION") };
            prompt::render_v1(&sections, &clock, limits::PROMPT_CHARACTERS)
        } else {
            prompt::render(&sections, limits::PROMPT_CHARACTERS)
        };
        Ok(Step::Done(Prompt {
            prompt: rendered.text,
            keys: rendered.included,
            left_out: rendered.left_out,
            as_of_seq,
        }))
    }
}
