//! The prompts: plain, with arguments, with other content than text, and one that asks back.

use rmcp::{
    ErrorData, RoleServer,
    model::{
        CompleteRequestParams, CompleteResult, CompletionInfo, ContentBlock, GetPromptRequestParams, GetPromptResponse,
        GetPromptResult, JsonObject, Prompt, PromptArgument, PromptMessage, Reference, ResourceContents, Role,
    },
    service::RequestContext,
};

use crate::{
    fixtures::Fixtures,
    media,
    rounds::{self, Step},
    tools,
};

const PLAIN: &str = "test_simple_prompt";
const ARGUMENTS: &str = "test_prompt_with_arguments";
const RESOURCE: &str = "test_prompt_with_embedded_resource";
const PICTURE: &str = "test_prompt_with_image";

/// What the arguments of the prompt may be completed to.
const WORDS: [&str; 3] = ["test", "tested", "testing"];

pub(crate) fn all() -> Vec<Prompt> {
    let argument =
        |name: &str, description: &str| PromptArgument::new(name).with_description(description).with_required(true);
    let two = vec![argument("arg1", "The first word"), argument("arg2", "The second word")];
    let uri = vec![argument("resourceUri", "The resource to embed")];
    vec![
        Prompt::new(PLAIN, Some("One text"), None),
        Prompt::new(ARGUMENTS, Some("A text with both arguments in it"), Some(two)),
        Prompt::new(RESOURCE, Some("A resource, then a text"), Some(uri)),
        Prompt::new(PICTURE, Some("A picture, then a text"), None),
        Prompt::new(rounds::PROMPT.name, Some(rounds::PROMPT.description), None),
    ]
}

pub(crate) fn get(
    fixtures: &Fixtures,
    request: GetPromptRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<GetPromptResponse, ErrorData> {
    let arguments = request.arguments.unwrap_or_default();
    let contents = match request.name.as_str() {
        PLAIN => vec![ContentBlock::text("Say hello.")],
        ARGUMENTS => vec![ContentBlock::text(sentence(&arguments)?)],
        RESOURCE => {
            let uri = tools::text_argument(&arguments, "resourceUri")?;
            let resource = ResourceContents::text("What stands in the resource.", uri);
            vec![ContentBlock::resource(resource), ContentBlock::text("Work with the resource above.")]
        }
        PICTURE => {
            vec![ContentBlock::image(media::PNG, "image/png"), ContentBlock::text("Say what the picture shows.")]
        }
        name if name == rounds::PROMPT.name => {
            let answers = request.input_responses.unwrap_or_default();
            match fixtures.shared.states.step(&rounds::PROMPT, &answers, request.request_state, context)? {
                Step::Ask(asked) => return Ok(asked.into()),
                Step::Done(text) => vec![ContentBlock::text(text)],
            }
        }
        name => return Err(ErrorData::invalid_params(format!("there is no prompt {name}"), None)),
    };
    let messages = contents.into_iter().map(|content| PromptMessage::new(Role::User, content)).collect();
    Ok(GetPromptResult::new(messages).into())
}

fn sentence(arguments: &JsonObject) -> Result<String, ErrorData> {
    let (first, second) = (tools::text_argument(arguments, "arg1")?, tools::text_argument(arguments, "arg2")?);
    Ok(format!("The first is '{first}', the second is '{second}'."))
}

pub(crate) fn complete(request: &CompleteRequestParams) -> Result<CompleteResult, ErrorData> {
    let is_known = matches!(&request.r#ref, Reference::Prompt(prompt) if prompt.name == ARGUMENTS);
    let words = WORDS.iter().filter(|word| is_known && word.starts_with(&request.argument.value));
    let values = words.map(|word| (*word).to_owned()).collect();
    let info = CompletionInfo::with_all_values(values).map_err(|error| ErrorData::internal_error(error, None))?;
    Ok(CompleteResult::new(info))
}
