//! The order in which the parameters are checked.

use serde::Serialize;

use super::{
    Violation,
    input::items_of,
    keys::Keys,
    metadata::{check_chars, check_metadata, json_length},
    output_form::{check_include, include_of, reasoning_of, text_of, top_logprobs_of},
    tools::{tool_choice_of, tools_of},
    unsupported::check_unsupported,
};
use crate::{LimitOptions, Request, View};
use antiphon_protocol::{CreateResponse, Input, InputItem, Item, ResponseId};

/// A request in which every parameter can be honoured, with what belongs to it and does not travel with it.
#[derive(Clone, PartialEq)]
pub struct ValidatedRequest {
    /// The request. Its model is not looked up yet: its `max_output_tokens` is what the client asked for.
    pub request: Request,
    /// The input, each item with its id.
    pub input: Vec<Item>,
    /// Whether the answer is a stream of events.
    pub stream: bool,
    /// How the stream is to be.
    pub view: View,
}

impl std::fmt::Debug for ValidatedRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ValidatedRequest").field("request", &self.request).finish_non_exhaustive()
    }
}

/// Checks every parameter of a request that is to become the response `id`.
///
/// # Errors
/// The first parameter that can't be honoured.
pub fn validate(
    mut create: CreateResponse,
    id: ResponseId,
    limits: &LimitOptions,
) -> Result<ValidatedRequest, Violation> {
    let model = model(&mut create, limits)?;
    let input = create.input.take().ok_or_else(|| Violation::missing("input"))?;
    check_unsupported(&create)?;
    check_sampling(&create)?;
    let max_output_tokens = max_output_tokens(&create, limits)?;
    let stream = create.stream.unwrap_or(false);
    let view = view(&create, stream)?;
    let previous_response_id = create.previous_response_id.as_deref().map(previous).transpose()?;
    let metadata = create.metadata.take().unwrap_or_default();
    check_metadata(&metadata, limits)?;
    check_echoed(&create, limits)?;
    let tools = tools_of(&create, limits)?;
    let tool_choice = tool_choice_of(&create, &tools, limits)?;
    let max_tool_calls = max_tool_calls(&create)?;
    let text = text_of(&create, limits)?;
    let reasoning = reasoning_of(&create)?;
    let top_logprobs = top_logprobs_of(&create)?;
    let include = include_of(&create, top_logprobs)?;
    check_size("instructions", &create.instructions, limits)?;
    check_input_size(&input, limits)?;
    let input = items_of(input, id, limits)?;
    let request = Request {
        model,
        instructions: create.instructions,
        previous_response_id,
        metadata,
        temperature: create.temperature,
        top_p: create.top_p,
        max_output_tokens,
        truncation: create.truncation.unwrap_or_default(),
        store: create.store.unwrap_or(true),
        background: create.background.unwrap_or(false),
        user: create.user,
        safety_identifier: create.safety_identifier,
        prompt_cache_key: create.prompt_cache_key,
        prompt_cache_retention: create.prompt_cache_retention,
        prompt_cache_options: create.prompt_cache_options,
        service_tier: create.service_tier,
        tools,
        tool_choice,
        parallel_tool_calls: create.parallel_tool_calls,
        max_tool_calls,
        text,
        reasoning,
        top_logprobs,
        include,
        input_items: u32::try_from(input.len()).ok(),
    };
    Ok(ValidatedRequest { request, input, stream, view })
}

fn model(create: &mut CreateResponse, limits: &LimitOptions) -> Result<String, Violation> {
    let model = create.model.take().filter(|model| !model.is_empty()).ok_or_else(|| Violation::missing("model"))?;
    check_chars("model", Some(&model), limits.id_chars)?;
    if model.chars().any(char::is_control) {
        // The name goes into columns, and PostgreSQL's text has no NUL.
        return Err(Violation::invalid("model", "it must not have control characters"));
    }
    Ok(model)
}

/// A thought that stands in its item in words and sealed counts once, as the longer of both.
fn check_input_size(input: &Input, limits: &LimitOptions) -> Result<(), Violation> {
    let items = match input {
        Input::Text(_) => &[][..],
        Input::Items(items) => items,
    };
    let thoughts = items.iter().filter(|item| item.kind.as_deref() == Some("reasoning"));
    let shorter = |item: &InputItem| match (&item.content, &item.encrypted_content) {
        (Some(words), Some(sealed)) => json_length(words).min(json_length(sealed)),
        (Some(_) | None, _) => 0,
    };
    let twice: usize = thoughts.map(shorter).sum();
    match json_length(input) - twice > limits.input_bytes {
        true => Err(Violation::too_large("input", limits.input_bytes)),
        false => Ok(()),
    }
}

fn check_size(param: &str, value: &impl Serialize, limits: &LimitOptions) -> Result<(), Violation> {
    match json_length(value) > limits.input_bytes {
        true => Err(Violation::too_large(param, limits.input_bytes)),
        false => Ok(()),
    }
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

fn max_output_tokens(create: &CreateResponse, limits: &LimitOptions) -> Result<Option<u32>, Violation> {
    let allowed = LimitOptions::MIN_OUTPUT_TOKENS..=limits.max_output_tokens;
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

fn check_echoed(create: &CreateResponse, limits: &LimitOptions) -> Result<(), Violation> {
    check_chars("safety_identifier", create.safety_identifier.as_deref(), limits.safety_identifier_chars)?;
    check_chars("user", create.user.as_deref(), limits.id_chars)?;
    check_chars("service_tier", create.service_tier.as_deref(), limits.id_chars)?;
    check_chars("prompt_cache_retention", create.prompt_cache_retention.as_deref(), limits.id_chars)?;
    if let Some(options) = &create.prompt_cache_options {
        Keys::of(options, "prompt_cache_options")?;
        check_size("prompt_cache_options", options, limits)?;
    }
    check_chars("prompt_cache_key", create.prompt_cache_key.as_deref(), limits.prompt_cache_key_chars)
}
