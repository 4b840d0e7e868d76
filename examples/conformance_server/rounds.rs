//! Tools and a prompt of the newer protocol that ask back: the client answers with the same request again.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use rmcp::{
    ErrorData, RoleServer,
    model::{
        ClientCapabilities, CreateMessageRequest, CreateMessageRequestParams, CreateMessageResult, ElicitResult,
        ElicitationCapability, InputRequest, InputRequiredResult, InputResponses, ListRootsRequest, ListRootsResult,
        RootsCapabilities, SamplingCapability, SamplingMessage,
    },
    service::RequestContext,
};
use serde_json::json;

use crate::forms::form;

/// A fixture that asks before it answers.
pub(crate) struct Flow {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    rounds: Rounds,
    /// Whether the client has to bring back a state.
    keeps_state: bool,
}

/// What a fixture asks at once, round after round.
type Rounds = &'static [&'static [Keyed]];

/// A question and the key that its answer has.
type Keyed = (&'static str, Question);

enum Question {
    /// A form with one required field.
    Form { message: &'static str, field: &'static str, kind: &'static str },
    /// A prompt for the client's model.
    Sample { prompt: &'static str, max_tokens: u32 },
    /// The folders that the client works in.
    Roots,
}

const NAME: Keyed = ("user_name", text_form("What is your name?", "name"));
const CONFIRM: Keyed = ("confirm", Question::Form { message: "Do you confirm?", field: "ok", kind: "boolean" });
const STEP_1: Keyed = ("step1", text_form("First: your name?", "name"));
const STEP_2: Keyed = ("step2", text_form("Then: your colour?", "color"));
const CONTEXT: Keyed = ("user_context", text_form("What is it about?", "context"));
const CAPITAL: Keyed =
    ("capital_question", Question::Sample { prompt: "What is the capital of France?", max_tokens: 100 });
const GREETING: Keyed = ("greeting", Question::Sample { prompt: "Write a greeting.", max_tokens: 50 });
const ROOTS: Keyed = ("client_roots", Question::Roots);

const fn text_form(message: &'static str, field: &'static str) -> Question {
    Question::Form { message, field, kind: "string" }
}

/// The prompt that asks.
pub(crate) static PROMPT: Flow = Flow {
    name: "test_input_required_result_prompt",
    description: "Asks what it is about first",
    rounds: &[&[CONTEXT]],
    keeps_state: false,
};

/// The tools that ask.
pub(crate) static TOOLS: [Flow; 10] = [
    tool("test_input_required_result_elicitation", "Asks for a name", &[&[NAME]]),
    tool("test_input_required_result_sampling", "Asks the client's model", &[&[CAPITAL]]),
    tool("test_input_required_result_list_roots", "Asks for the roots", &[&[ROOTS]]),
    tool("test_input_required_result_capabilities", "Asks what the client can answer", &[&[NAME, CAPITAL]]),
    tool("test_missing_capability", "Needs a client with sampling", &[&[CAPITAL]]),
    tool("test_streaming_elicitation", "Asks on the stream of the answer", &[&[NAME]]),
    stateful("test_input_required_result_request_state", "Asks, and knows its question again", &[&[CONFIRM]]),
    stateful("test_input_required_result_tampered_state", "Asks, and refuses another state", &[&[CONFIRM]]),
    stateful("test_input_required_result_multiple_inputs", "Asks three things", &[&[NAME, GREETING, ROOTS]]),
    stateful("test_input_required_result_multi_round", "Asks twice", &[&[STEP_1], &[STEP_2]]),
];

const fn tool(name: &'static str, description: &'static str, rounds: Rounds) -> Flow {
    Flow { name, description, rounds, keeps_state: false }
}

const fn stateful(name: &'static str, description: &'static str, rounds: Rounds) -> Flow {
    Flow { name, description, rounds, keeps_state: true }
}

/// What a fixture does at one request.
pub(crate) enum Step {
    /// It asks.
    Ask(InputRequiredResult),
    /// It has all answers, which are these.
    Done(String),
}

/// The states given out. A state is a name that nobody can guess for what is kept here, so that a client can bring it
/// back or not, but cannot change what it says.
#[derive(Default)]
pub(crate) struct States(Mutex<HashMap<String, (&'static str, usize)>>);

impl States {
    /// Asks, asks again for what is missing or is no answer, or goes on to the next round.
    pub(crate) fn step(
        &self,
        flow: &Flow,
        answers: &InputResponses,
        state: Option<String>,
        context: &RequestContext<RoleServer>,
    ) -> Result<Step, ErrorData> {
        let round = match state {
            Some(state) if flow.keeps_state => self.take(flow, &state)?,
            None if flow.keeps_state => return self.ask(flow, 0, context),
            _ => 0,
        };
        let is_answered =
            |(key, question): &&Keyed| answers.get(*key).is_some_and(|answer| question.is_answered_by(answer.clone()));
        if !asked(flow, round, context)?.iter().all(is_answered) {
            return self.ask(flow, round, context);
        }
        if round + 1 < flow.rounds.len() {
            return self.ask(flow, round + 1, context);
        }
        let state = if flow.keeps_state { "state-ok: " } else { "" };
        Ok(Step::Done(format!("{state}{}", json!(answers))))
    }

    fn ask(&self, flow: &Flow, round: usize, context: &RequestContext<RoleServer>) -> Result<Step, ErrorData> {
        let questions = asked(flow, round, context)?.into_iter();
        let requests = questions.map(|(key, question)| Ok(((*key).to_owned(), question.request()?)));
        let requests = requests.collect::<Result<_, ErrorData>>()?;
        let state = flow.keeps_state.then(|| self.give(flow, round));
        Ok(Step::Ask(InputRequiredResult::new(Some(requests), state)))
    }

    fn give(&self, flow: &Flow, round: usize) -> String {
        let state = uuid::Uuid::new_v4().to_string();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(state.clone(), (flow.name, round));
        state
    }

    fn take(&self, flow: &Flow, state: &str) -> Result<usize, ErrorData> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(state);
        let kept = kept.filter(|(name, _)| *name == flow.name);
        kept.map(|(_, round)| round).ok_or_else(|| ErrorData::invalid_params("this is no state of this server", None))
    }
}

/// What of a round the client can answer; a server must not ask it anything else.
fn asked(flow: &Flow, round: usize, context: &RequestContext<RoleServer>) -> Result<Vec<&'static Keyed>, ErrorData> {
    let client = context.client_capabilities().unwrap_or_default();
    let questions = flow.rounds.get(round).copied().unwrap_or_default();
    let known: Vec<_> = questions.iter().filter(|(_, question)| question.suits(&client)).collect();
    if known.is_empty() {
        let mut required = ClientCapabilities::default();
        for (_, question) in questions {
            question.require(&mut required);
        }
        return Err(ErrorData::missing_required_client_capability(required));
    }
    Ok(known)
}

impl Question {
    fn suits(&self, client: &ClientCapabilities) -> bool {
        match self {
            Self::Form { .. } => client.elicitation.is_some(),
            Self::Sample { .. } => client.sampling.is_some(),
            Self::Roots => client.roots.is_some(),
        }
    }

    fn require(&self, client: &mut ClientCapabilities) {
        match self {
            Self::Form { .. } => client.elicitation = Some(ElicitationCapability::default()),
            Self::Sample { .. } => client.sampling = Some(SamplingCapability::default()),
            Self::Roots => client.roots = Some(RootsCapabilities::default()),
        }
    }

    fn request(&self) -> Result<InputRequest, ErrorData> {
        Ok(match *self {
            Self::Form { message, field, kind } => {
                let properties = json!({field: {"type": kind}});
                let schema = json!({"type": "object", "properties": properties, "required": [field]});
                InputRequest::Elicitation(form(message, schema)?)
            }
            Self::Sample { prompt, max_tokens } => {
                let params = CreateMessageRequestParams::new(vec![SamplingMessage::user_text(prompt)], max_tokens);
                InputRequest::CreateMessage(CreateMessageRequest::new(params))
            }
            Self::Roots => InputRequest::ListRoots(ListRootsRequest::default()),
        })
    }

    fn is_answered_by(&self, answer: serde_json::Value) -> bool {
        match self {
            Self::Form { .. } => serde_json::from_value::<ElicitResult>(answer).is_ok(),
            Self::Sample { .. } => serde_json::from_value::<CreateMessageResult>(answer).is_ok(),
            Self::Roots => serde_json::from_value::<ListRootsResult>(answer).is_ok(),
        }
    }
}
