//! What an error document of a provider is about, and what of it the client may be told.

use antiphon_domain::ProviderRejection;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::Report;
use crate::lenient;
use crate::limits::LEAST_EVENT_VALUES;
use crate::raw_json::{has_more_values, readable, select};

#[cfg(test)]
mod tests;

/// What an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    RateLimited,
    Overloaded,
    Unauthorized,
    ContextTooLong,
    /// The request is at fault; the status that says so.
    Rejected(u16),
}

use Kind::{ContextTooLong, Overloaded, RateLimited, Rejected, Unauthorized};

/// Words of providers for one kind of error each, as `code`, `type` or `status`.
const WORDS: [(&str, Kind); 47] = [
    ("context_length_exceeded", ContextTooLong),
    ("exceed_context_size_error", ContextTooLong),
    ("model_context_window_exceeded", ContextTooLong),
    ("rate_limit_exceeded", RateLimited),
    ("rate_limit_error", RateLimited),
    ("too_many_requests", RateLimited),
    ("RateLimitError", RateLimited),
    ("ThrottlingException", RateLimited),
    ("RESOURCE_EXHAUSTED", RateLimited),
    ("insufficient_quota", RateLimited),
    ("billing_error", RateLimited),
    ("overloaded_error", Overloaded),
    ("server_is_overloaded", Overloaded),
    ("slow_down", Overloaded),
    ("service_unavailable", Overloaded),
    ("UNAVAILABLE", Overloaded),
    ("timeout_error", Overloaded),
    ("invalid_api_key", Unauthorized),
    ("account_deactivated", Unauthorized),
    ("authentication_error", Unauthorized),
    ("AuthenticationError", Unauthorized),
    ("UNAUTHENTICATED", Unauthorized),
    ("permission_error", Unauthorized),
    ("PERMISSION_DENIED", Unauthorized),
    ("AccessDeniedException", Unauthorized),
    ("model_not_found", Rejected(404)),
    ("not_found_error", Rejected(404)),
    ("NotFoundError", Rejected(404)),
    ("NOT_FOUND", Rejected(404)),
    ("request_too_large", Rejected(413)),
    ("UnprocessableEntityError", Rejected(422)),
    ("invalid_request_error", Rejected(400)),
    ("invalid_request", Rejected(400)),
    ("BadRequestError", Rejected(400)),
    ("INVALID_ARGUMENT", Rejected(400)),
    ("FAILED_PRECONDITION", Rejected(400)),
    ("ValidationException", Rejected(400)),
    ("validation_error", Rejected(400)),
    ("invalid_prompt", Rejected(400)),
    ("invalid_value", Rejected(400)),
    ("invalid_type", Rejected(400)),
    ("invalid_function_parameters", Rejected(400)),
    ("missing_required_parameter", Rejected(400)),
    ("unsupported_parameter", Rejected(400)),
    ("unsupported_value", Rejected(400)),
    ("content_policy_violation", Rejected(400)),
    ("content_filter", Rejected(400)),
];

/// What providers tell in words alone: a phrase is there if all its parts are, whatever the case. Each with who says so.
const PHRASES: [(&[&str], Kind); 31] = [
    // Gemini and xAI answer 400 to a wrong key; masks of it are quoted.
    (&["api key not valid"], Unauthorized),
    (&["api key expired"], Unauthorized),
    (&["incorrect api key"], Unauthorized),
    (&["invalid api key"], Unauthorized),
    // Anthropic, with `invalid_request_error`.
    (&["credit balance is too low"], RateLimited),
    // OpenAI, vLLM, OpenRouter, DeepSeek, Fireworks, Mistral ("too large for model with 32768 maximum context length").
    (&["maximum context length"], ContextTooLong),
    // OpenAI: "Your input exceeds the context window of this model".
    (&["exceeds the context window"], ContextTooLong),
    // vLLM: "You passed 9000 input tokens ... the model's context length is only 8192 tokens".
    (&["context length is only"], ContextTooLong),
    // vLLM, older: "The prompt (total length 9000) is too long to fit into the model (context length 8192)".
    (&["is too long to fit into the model"], ContextTooLong),
    (&["longer than the maximum model length"], ContextTooLong),
    // SGLang and Together: "The input (9000 tokens) is longer than the model's context length (8192 tokens)".
    (&["longer than the model's context length"], ContextTooLong),
    // Anthropic: "prompt is too long: 213462 tokens > 200000 maximum".
    (&["prompt is too long"], ContextTooLong),
    // Anthropic: "input length and `max_tokens` exceed context limit".
    (&["input length", "exceed context limit"], ContextTooLong),
    // Gemini: "The input token count (1196265) exceeds the maximum number of tokens allowed (1048575)".
    (&["input token count", "exceeds the maximum"], ContextTooLong),
    // Bedrock: "Input is too long for requested model", "Input Tokens Exceeded: ...".
    (&["input is too long"], ContextTooLong),
    (&["input tokens exceeded"], ContextTooLong),
    // xAI: "This model's maximum prompt length is 131072 but the request contains 537812 tokens".
    (&["maximum prompt length"], ContextTooLong),
    // Groq and Cerebras: "Please reduce the length of the messages or completion".
    (&["reduce the length of the messages"], ContextTooLong),
    // Ollama: "prompt too long; exceeded max context length by 10 tokens", "the input length exceeds the context length".
    (&["prompt too long", "context length"], ContextTooLong),
    (&["input length exceeds", "context length"], ContextTooLong),
    // llama.cpp: "the request exceeds the available context size", "context size has been exceeded".
    (&["exceeds the available context size"], ContextTooLong),
    (&["context size has been exceeded"], ContextTooLong),
    // LM Studio: "... greater than the context length", "when context the overflows".
    (&["greater than the context length"], ContextTooLong),
    (&["when context the overflows"], ContextTooLong),
    // MiniMax.
    (&["context window exceeds limit"], ContextTooLong),
    // Kimi: "Your request exceeded model token limit: 131072".
    (&["exceeded model token limit"], ContextTooLong),
    // GLM: "Prompt exceeds max length".
    (&["prompt exceeds max length"], ContextTooLong),
    // Qwen at DashScope: "Range of input length should be [1, 129024]".
    (&["range of input length should be"], ContextTooLong),
    // Cohere: "too many tokens: total number of tokens in the prompt cannot exceed 4081".
    (&["number of tokens in the prompt cannot exceed"], ContextTooLong),
    // Text Generation Inference: "`inputs` tokens + `max_new_tokens` must be <= 8193".
    (&["`inputs` tokens + `max_new_tokens` must be"], ContextTooLong),
    // GitHub Copilot: "prompt token count of 9000 exceeds the limit of 8192".
    (&["prompt token count of", "exceeds the limit"], ContextTooLong),
];

/// Parameters of requests as providers call them: what a log may name.
const PARAMETERS: [&str; 26] = [
    "frequency_penalty",
    "input",
    "input_tokens",
    "instructions",
    "logprobs",
    "max_completion_tokens",
    "max_output_tokens",
    "max_tokens",
    "messages",
    "model",
    "parallel_tool_calls",
    "presence_penalty",
    "previous_response_id",
    "reasoning",
    "reasoning_effort",
    "response_format",
    "seed",
    "stop",
    "stream_options",
    "system",
    "temperature",
    "text",
    "thinking",
    "tool_choice",
    "tools",
    "top_p",
];

/// The fields at the top of a document that say whether it is one of an error, and which.
const OF_ERRORS: [&str; 10] =
    ["error", "object", "type", "code", "status", "message", "param", "detail", "msg", "metadata"];

/// How much of a text is looked at, in characters: more than is ever kept of it.
const MOST_OF_A_TEXT: usize = 4_000;

/// What OpenRouter says where the words are those of the provider behind it, in `metadata.raw`.
const PASSED_ON: &str = "Provider returned error";

/// The code and the parameter of a rejection, where they are words that everybody may read.
pub(crate) fn words_for_logs(rejection: &ProviderRejection) -> (Option<&'static str>, Option<&'static str>) {
    let code = rejection.code.as_deref().and_then(|code| WORDS.iter().find(|(word, _)| *word == code));
    let param = rejection.param.as_deref().and_then(|param| PARAMETERS.iter().find(|name| **name == param));
    (code.map(|(word, _)| *word), param.copied())
}

/// What an error object is about that came in an answer with a success status: its `code` counts more than its `type`.
/// Either may be a word or, as a number or as text, a status of HTTP.
pub(crate) fn report_of(error: &Value) -> Report {
    report(kind_of(error, None), error)
}

/// What an event is about that is an error: the object under `error`, or all of it.
pub(crate) fn reported(data: &str) -> Report {
    let Some(document) = error_fields(data) else { return Report::default() };
    report_of(error_in(&document).unwrap_or(&document))
}

/// What the body of an answer with a success status is about, if it is a document of an error: `error` at its top, in
/// whatever shape. The answer that it is otherwise may be long, and is not read.
pub(crate) fn error_document(body: &str) -> Option<Report> {
    let document = error_fields(first(body)?)?;
    let is_error = ["object", "type"].iter().any(|key| document.get(key).is_some_and(|word| word == "error"));
    error_in(&document).or_else(|| is_error.then_some(&document)).map(report_of)
}

/// What the body of an answer with another status is about.
pub(crate) fn refused(status: u16, body: &[u8]) -> Report {
    let document = String::from_utf8_lossy(body);
    let document = first(&document).and_then(error_fields).unwrap_or_default();
    let error = error_in(&document).unwrap_or(&document);
    report(kind_of(error, Some(status)), error)
}

/// What of a document says what its error is about; none if it is no object.
fn error_fields(document: &str) -> Option<Value> {
    let document = select(document, &OF_ERRORS).filter(|document| !has_more_values(document, LEAST_EVENT_VALUES))?;
    readable(&document)
}

/// The document, which may be the first one of a list: Gemini's endpoint writes it so.
fn first(body: &str) -> Option<&str> {
    let body = body.trim();
    let Some(list) = body.strip_prefix('[') else { return Some(body) };
    serde_json::from_str::<IgnoredAny>(body).ok()?;
    serde_json::Deserializer::from_str(list).into_iter::<&RawValue>().next()?.ok().map(RawValue::get)
}

/// The error in a document, if it says anything.
fn error_in(document: &Value) -> Option<&Value> {
    document.get("error").filter(|error| lenient::value_says_anything(error))
}

/// The kind by the error's words and phrases, else by the status of the answer. That the request is at fault is what
/// many servers say of everything: any other word or phrase counts more.
fn kind_of(error: &Value, answered: Option<u16>) -> Option<Kind> {
    let words = || ["code", "type", "status"].iter().filter_map(|key| of_word(error.get(key)?));
    let by_word = words().find(|kind| !matches!(kind, Rejected(_))).or_else(|| words().next());
    let is_vague = matches!(by_word, None | Some(Rejected(_)));
    let may_speak = !matches!(answered, Some(401 | 402 | 403 | 429));
    let by_phrase = message(error).filter(|_| is_vague && may_speak).and_then(|text| of_phrase(&text));
    let kind = by_phrase.or(by_word);
    match (answered, kind) {
        (None, kind) => kind,
        // Groq answers so to what is larger than a minute's tokens, with a word for too many requests.
        (Some(413), None | Some(Rejected(_) | RateLimited)) => Some(Rejected(413)),
        (Some(status @ (400 | 404 | 422)), None | Some(Rejected(_))) => Some(Rejected(status)),
        (Some(_), Some(Rejected(_))) => None,
        (Some(_), kind) => kind,
    }
}

fn of_word(word: &Value) -> Option<Kind> {
    match word {
        Value::String(word) => {
            let known = WORDS.iter().find(|(known, _)| known == word).map(|(_, kind)| *kind);
            known.or_else(|| of_status(word.parse().ok()?))
        }
        Value::Number(number) => of_status(number.as_u64()?),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The kind of an error that is named by an HTTP status, as in servers that pass on the error of another one.
fn of_status(status: u64) -> Option<Kind> {
    match status {
        400 => Some(Rejected(400)),
        401 | 403 => Some(Unauthorized),
        404 => Some(Rejected(404)),
        413 => Some(Rejected(413)),
        422 => Some(Rejected(422)),
        429 => Some(RateLimited),
        // 529 is Anthropic's for a service that has too much to do.
        502 | 503 | 504 | 529 => Some(Overloaded),
        _ => None,
    }
}

fn of_phrase(text: &str) -> Option<Kind> {
    let text = text.to_lowercase();
    PHRASES.iter().find(|(parts, _)| parts.iter().all(|part| text.contains(part))).map(|(_, kind)| *kind)
}

fn report(kind: Option<Kind>, error: &Value) -> Report {
    match kind {
        None => Report::Other,
        Some(RateLimited) => Report::RateLimited,
        Some(Overloaded) => Report::Overloaded,
        Some(Unauthorized) => Report::Unauthorized,
        Some(ContextTooLong) => Report::ContextTooLong(Box::new(rejection(400, error))),
        Some(Rejected(status)) => Report::RequestRejected(Box::new(rejection(status, error))),
    }
}

/// The provider's words.
fn rejection(status: u16, error: &Value) -> ProviderRejection {
    let text = |key| error.get(key).and_then(Value::as_str).map(beginning_of);
    // A status is no code.
    let code = text("code").filter(|code| code.parse::<u64>().is_err());
    ProviderRejection { status, message: message(error), param: text("param").or_else(|| place(error)), code }
}

/// The place in the body that FastAPI says is at fault.
fn place(error: &Value) -> Option<String> {
    let place = error.pointer("/detail/0/loc").or_else(|| error.pointer("/message/detail/0/loc"))?.as_array()?;
    let step = |step: &Value| step.as_str().map_or_else(|| step.to_string(), beginning_of);
    let steps: Vec<String> = place.iter().filter(|step| *step != "body").map(step).collect();
    Some(beginning_of(&steps.join(".")))
}

/// The words for people, wherever this provider puts them.
fn message(error: &Value) -> Option<String> {
    match error {
        Value::String(text) => Some(beginning_of(text)),
        // As FastAPI tells of a body that it does not take: where, and what.
        Value::Array(details) => message(details.first()?),
        Value::Object(fields) => match (fields.get("message"), error.pointer("/metadata/raw")) {
            (Some(Value::String(text)), Some(Value::String(raw))) if text == PASSED_ON => Some(passed_on(raw)),
            (told, _) => {
                ["detail", "msg", "error"].iter().map(|key| fields.get(*key)).fold(told, Option::or).and_then(message)
            }
        },
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn passed_on(raw: &str) -> String {
    let document = first(raw).and_then(error_fields);
    let told = document.as_ref().and_then(|document| message(error_in(document).unwrap_or(document)));
    told.unwrap_or_else(|| beginning_of(raw))
}

fn beginning_of(text: &str) -> String {
    text.chars().take(MOST_OF_A_TEXT).collect()
}
