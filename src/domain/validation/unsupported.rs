//! Parameters that this server knows and can't honour: refused unless null or at their default.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Violation;
use crate::protocol::{CreateResponse, TextParam};

/// Values of `include` that concern kinds of items which a response of this server never has.
const VACUOUS_INCLUDES: [&str; 7] = [
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
];

/// The most token probabilities that the API lets a client ask for.
const MAX_TOP_LOGPROBS: i64 = 20;

pub(super) fn check_unsupported(create: &CreateResponse) -> Result<(), Violation> {
    refuse_if("background", create.background == Some(true))?;
    refuse_if("conversation", create.conversation.is_some())?;
    refuse_if("prompt", create.prompt.is_some())?;
    refuse_if("tools", create.tools.as_ref().is_some_and(|tools| !tools.is_empty()))?;
    refuse_if("tool_choice", !is_one_of(create.tool_choice.as_ref(), &["auto", "none"]))?;
    refuse_if("parallel_tool_calls", create.parallel_tool_calls == Some(false))?;
    refuse_if("max_tool_calls", create.max_tool_calls.is_some())?;
    refuse_if("context_management", create.context_management.is_some())?;
    refuse_if("moderation", create.moderation.is_some())?;
    refuse_if("prompt_cache_retention", !is_one_of(create.prompt_cache_retention.as_ref(), &["in_memory"]))?;
    refuse_if("service_tier", create.service_tier.as_deref().is_some_and(|tier| !["auto", "default"].contains(&tier)))?;
    check_prompt_cache_options(create.prompt_cache_options.as_ref())?;
    check_text(create.text.as_ref())?;
    check_reasoning(create.reasoning.as_ref())?;
    check_top_logprobs(create.top_logprobs)?;
    check_include(create.include.as_deref().unwrap_or_default())
}

pub(super) fn check_include(include: &[String]) -> Result<(), Violation> {
    include.iter().try_for_each(|value| match value.as_str() {
        "message.output_text.logprobs" => Err(Violation::unsupported("include")),
        vacuous if VACUOUS_INCLUDES.contains(&vacuous) => Ok(()),
        _ => Err(Violation::invalid("include", "there is no such value")),
    })
}

fn check_text(text: Option<&TextParam>) -> Result<(), Violation> {
    let Some(text) = text else { return Ok(()) };
    let kind = text.format.as_ref().map(|format| format.get("type"));
    refuse_if("text.format", kind.is_some_and(|kind| !matches!(kind, Some(Value::String(kind)) if kind == "text")))?;
    refuse_if("text.verbosity", text.verbosity.as_deref().is_some_and(|verbosity| verbosity != "medium"))
}

fn check_reasoning(reasoning: Option<&BTreeMap<String, Value>>) -> Result<(), Violation> {
    let known = ["effort", "summary", "generate_summary", "mode", "context"];
    let given = |key: &&str| reasoning.and_then(|reasoning| reasoning.get(*key)).is_some_and(|value| !value.is_null());
    match known.iter().find(|key| given(key)) {
        Some(key) => Err(Violation::unsupported(format!("reasoning.{key}"))),
        None => Ok(()),
    }
}

fn check_prompt_cache_options(options: Option<&BTreeMap<String, Value>>) -> Result<(), Violation> {
    let Some(options) = options else { return Ok(()) };
    refuse_if("prompt_cache_options.mode", !is_one_of(options.get("mode"), &["implicit"]))?;
    refuse_if("prompt_cache_options.ttl", options.get("ttl").is_some_and(|ttl| !ttl.is_null()))
}

fn check_top_logprobs(top_logprobs: Option<i64>) -> Result<(), Violation> {
    match top_logprobs {
        None | Some(0) => Ok(()),
        Some(1..=MAX_TOP_LOGPROBS) => Err(Violation::unsupported("top_logprobs")),
        Some(_) => Err(Violation::invalid("top_logprobs", "expected a number from 0 to 20")),
    }
}

fn refuse_if(param: &str, refused: bool) -> Result<(), Violation> {
    if refused { Err(Violation::unsupported(param)) } else { Ok(()) }
}

/// Whether a value is absent, null or one of these words.
fn is_one_of(value: Option<&Value>, words: &[&str]) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(word)) => words.contains(&word.as_str()),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => false,
    }
}
