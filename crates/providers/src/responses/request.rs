//! The body of a request, built from the port's request alone.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::ResponsesForm;
use super::input::{ResponsesItem, input};
use crate::ProviderRequest;
use antiphon_domain::Request;
use antiphon_protocol::{
    FunctionTool, Json, NarrowChoice, ReasoningConfig, TextConfig, TextFormat, Tool, ToolChoice, ToolMode, Verbosity,
};

/// A streaming request of Responses. What was not asked for is not there.
#[derive(Serialize)]
pub(super) struct ResponsesBody<'a> {
    model: &'a str,
    input: Vec<ResponsesItem<'a>>,
    stream: bool,
    store: bool,
    /// Sent only if true: servers without the feature do not know the field.
    #[serde(skip_serializing_if = "Option::is_none")]
    background: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ResponsesTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<ResponsesText<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<u8>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    include: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    safety_identifier: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_retention: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_options: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "function")]
struct ResponsesTool<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    parameters: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

#[derive(Serialize)]
struct ResponsesText<'a> {
    format: ResponsesTextFormat<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verbosity: Option<Verbosity>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ResponsesTextFormat<'a> {
    Text,
    JsonObject,
    JsonSchema {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        schema: &'a Json,
        #[serde(skip_serializing_if = "Option::is_none")]
        strict: Option<bool>,
    },
}

impl<'a> ResponsesBody<'a> {
    /// A request for a response. If it is lasting, the provider keeps it and works on without a listener.
    pub(super) fn new(asked: &'a ProviderRequest, form: ResponsesForm) -> Self {
        let lasting = form.lasting;
        let ProviderRequest { request, prompt, target, .. } = asked;
        // Servers refuse tool options in a request without tools.
        let tools = request.callable_tools();
        let has_tools = !tools.is_empty();
        Self {
            model: &target.model,
            input: input(asked),
            stream: true,
            store: lasting,
            background: lasting.then_some(true),
            max_output_tokens: asked.max_output_tokens(),
            instructions: prompt.instructions.as_deref(),
            temperature: request.temperature,
            top_p: request.top_p,
            tools: tools.into_iter().map(tool).collect(),
            tool_choice: has_tools.then(|| tool_choice(&request.tool_choice)),
            parallel_tool_calls: request.parallel_tool_calls.filter(|_| has_tools),
            text: (request.text != TextConfig::default()).then(|| text(&request.text)),
            reasoning: request.reasoning.as_ref().and_then(reasoning_config),
            top_logprobs: request.wanted_logprobs(),
            include: included(request, form).collect(),
            safety_identifier: request.safety_identifier.as_deref(),
            prompt_cache_key: request.prompt_cache_key.as_deref(),
            prompt_cache_retention: request.prompt_cache_retention.as_deref(),
            prompt_cache_options: request.prompt_cache_options.as_ref(),
            service_tier: request.service_tier.as_deref(),
        }
    }
}

fn tool(Tool::Function(function): &Tool) -> ResponsesTool<'_> {
    let FunctionTool { name, description, parameters, strict } = function;
    ResponsesTool { name, description: description.as_deref(), parameters: parameters.as_ref(), strict: *strict }
}

/// Tools that are not allowed are not sent, so a choice of allowed tools becomes its mode. Servers that know only
/// modes understand that too.
fn tool_choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Mode(mode) | ToolChoice::Narrow(NarrowChoice::AllowedTools { mode, .. }) => match mode {
            ToolMode::None => "none".into(),
            ToolMode::Auto => "auto".into(),
            ToolMode::Required => "required".into(),
        },
        ToolChoice::Narrow(NarrowChoice::Function { name }) => json!({ "type": "function", "name": name }),
    }
}

fn text(text: &TextConfig) -> ResponsesText<'_> {
    let format = match &text.format {
        TextFormat::Text => ResponsesTextFormat::Text,
        TextFormat::JsonObject => ResponsesTextFormat::JsonObject,
        TextFormat::JsonSchema { name, description, schema, strict } => {
            let description = description.as_deref();
            ResponsesTextFormat::JsonSchema { name, description, schema, strict: *strict }
        }
    };
    ResponsesText { format, verbosity: text.verbosity }
}

fn reasoning_config(ReasoningConfig { effort, summary, context, mode }: &ReasoningConfig) -> Option<Value> {
    let given = [("effort", effort), ("summary", summary), ("context", context), ("mode", mode)];
    let given = given.into_iter().filter_map(|(key, word)| Some((key.to_owned(), Value::from(word.clone()?))));
    let config: Map<String, Value> = given.collect();
    (!config.is_empty()).then_some(Value::Object(config))
}

/// The values of `include`.
pub(super) fn included(request: &Request, form: ResponsesForm) -> impl Iterator<Item = &'static str> {
    let asks_anyway =
        move |word: &str| word == Request::INCLUDE_ENCRYPTED_REASONING && form.asks_for_encrypted_reasoning;
    let known = [Request::INCLUDE_LOGPROBS, Request::INCLUDE_ENCRYPTED_REASONING];
    known.into_iter().filter(move |word| request.includes(word) || asks_anyway(word))
}
