//! The parameters that have an effect.

use super::{
    Violation,
    input::items_of,
    metadata::{check_chars, check_metadata, json_length},
    output_form::{check_include, include_of, reasoning_of, text_of, top_logprobs_of},
    tools::{tool_choice_of, tools_of},
    unsupported::check_unsupported,
};
use crate::{Limits, View};
use antiphon_protocol::{CreateResponse, Item, ReasoningConfig, ResponseId, TextConfig, Tool, ToolChoice};

/// A request in which every parameter can be honoured. Defaults that depend on the model are still open.
#[derive(Clone, PartialEq)]
pub struct ValidRequest {
    /// The request as it came, but for the input.
    pub create: CreateResponse,
    /// The model's name; not yet looked up.
    pub model: String,
    /// The input, each item with its id.
    pub input: Vec<Item>,
    /// The response to go on from; not yet looked up.
    pub previous: Option<ResponseId>,
    /// The most tokens that may come out, where the client said it.
    pub max_output_tokens: Option<u32>,
    /// The tools that the model may call.
    pub tools: Vec<Tool>,
    /// Which of them it must call.
    pub tool_choice: ToolChoice,
    /// The most calls of tools that this server runs.
    pub max_tool_calls: Option<u32>,
    /// The form of the text.
    pub text: TextConfig,
    /// How hard to think, where the client said anything of it.
    pub reasoning: Option<ReasoningConfig>,
    /// How many alternatives to report with each token of the text.
    pub top_logprobs: u8,
    /// What else the answer is to hold, each thing once, and only what can be there.
    pub include: Vec<String>,
    /// Whether it runs without a client.
    pub background: bool,
    /// Whether the response can be read later.
    pub store: bool,
    /// Whether the answer is a stream of events.
    pub stream: bool,
    /// How the stream is to be.
    pub view: View,
}

impl std::fmt::Debug for ValidRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ValidRequest").field("create", &self.create).finish_non_exhaustive()
    }
}

/// Checks every parameter of a request that is to become the response `id`.
///
/// # Errors
/// The first parameter that can't be honoured.
pub fn validate(mut create: CreateResponse, id: ResponseId, limits: &Limits) -> Result<ValidRequest, Violation> {
    let model = create.model.clone().filter(|model| !model.is_empty()).ok_or_else(|| Violation::missing("model"))?;
    check_chars("model", Some(&model), limits.id_chars)?;
    if model.chars().any(char::is_control) {
        // The name goes into columns, and PostgreSQL's text has no NUL.
        return Err(Violation::invalid("model", "it must not have control characters"));
    }
    let input = create.input.take().ok_or_else(|| Violation::missing("input"))?;
    check_unsupported(&create)?;
    check_sampling(&create)?;
    let max_output_tokens = max_output_tokens(&create, limits)?;
    let stream = create.stream.unwrap_or(false);
    let view = view(&create, stream)?;
    let previous = create.previous_response_id.as_deref().map(previous).transpose()?;
    check_metadata(create.metadata.as_ref().unwrap_or(&std::collections::BTreeMap::new()), limits)?;
    check_echoed(&create, limits)?;
    let tools = tools_of(&create, limits)?;
    let tool_choice = tool_choice_of(&create, &tools, limits)?;
    let max_tool_calls = max_tool_calls(&create)?;
    let text = text_of(&create, limits)?;
    let reasoning = reasoning_of(&create)?;
    let top_logprobs = top_logprobs_of(&create)?;
    let include = include_of(&create, top_logprobs)?;
    if json_length(&create.instructions) > limits.input_bytes {
        return Err(Violation::too_large("instructions", limits.input_bytes));
    }
    if json_length(&input) > limits.input_bytes {
        return Err(Violation::too_large("input", limits.input_bytes));
    }
    let input = items_of(input, id, limits)?;
    Ok(ValidRequest {
        model,
        input,
        previous,
        max_output_tokens,
        tools,
        tool_choice,
        max_tool_calls,
        text,
        reasoning,
        top_logprobs,
        include,
        background: create.background.unwrap_or(false),
        store: create.store.unwrap_or(true),
        stream,
        view,
        create,
    })
}

/// Checks what else a client wants an answer to hold.
///
/// # Errors
/// If a value is none of the API, or can't be honoured.
pub fn validate_include(include: &[String]) -> Result<(), Violation> {
    check_include(include)
}

fn check_sampling(create: &CreateResponse) -> Result<(), Violation> {
    let within = |value: Option<f64>, most: f64| value.is_none_or(|value| (0.0..=most).contains(&value));
    if !within(create.temperature, 2.0) {
        return Err(Violation::invalid("temperature", "expected a number from 0 to 2"));
    }
    if !within(create.top_p, 1.0) {
        return Err(Violation::invalid("top_p", "expected a number from 0 to 1"));
    }
    Ok(())
}

fn max_output_tokens(create: &CreateResponse, limits: &Limits) -> Result<Option<u32>, Violation> {
    let allowed = Limits::MIN_OUTPUT_TOKENS..=limits.max_output_tokens;
    let Some(asked) = create.max_output_tokens else { return Ok(None) };
    match u32::try_from(asked) {
        Ok(asked) if allowed.contains(&asked) => Ok(Some(asked)),
        Ok(_) | Err(_) => {
            let why = format!("expected a whole number from {} to {}", allowed.start(), allowed.end());
            Err(Violation::invalid("max_output_tokens", why))
        }
    }
}

fn max_tool_calls(create: &CreateResponse) -> Result<Option<u32>, Violation> {
    let allowed = |asked: i64| u32::try_from(asked).ok().filter(|asked| *asked > 0);
    let refusal = || Violation::invalid("max_tool_calls", "expected a whole number from 1 on");
    create.max_tool_calls.map(|asked| allowed(asked).ok_or_else(refusal)).transpose()
}

fn view(create: &CreateResponse, stream: bool) -> Result<View, Violation> {
    match create.stream_options {
        Some(_) if !stream => {
            Err(Violation::invalid("stream_options", "it is only allowed together with 'stream': true"))
        }
        _ => Ok(View::of(create)),
    }
}

fn previous(id: &str) -> Result<ResponseId, Violation> {
    match id.parse() {
        Ok(id) => Ok(id),
        Err(_) if id.starts_with(ResponseId::PREFIX) => Err(Violation::previous_not_found(id)),
        Err(invalid) => Err(Violation::invalid("previous_response_id", invalid)),
    }
}

fn check_echoed(create: &CreateResponse, limits: &Limits) -> Result<(), Violation> {
    check_chars("safety_identifier", create.safety_identifier.as_deref(), limits.safety_identifier_chars)?;
    check_chars("user", create.user.as_deref(), limits.id_chars)?;
    check_chars("prompt_cache_key", create.prompt_cache_key.as_deref(), limits.id_chars)
}
