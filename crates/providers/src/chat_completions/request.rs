//! The body of a request, built from the port's request alone.

use serde::Serialize;

use super::messages::{ChatMessage, messages};
use super::{ChatForm, OutputLimitField};
use crate::ProviderRequest;
use antiphon_protocol::{FunctionTool, Json, NarrowChoice, TextFormat, Tool, ToolChoice, ToolMode, Verbosity};

/// A streaming Chat Completions request. What was not asked for is not there: many servers refuse fields that
/// they do not know, and some refuse the defaults of those that they do.
#[derive(Serialize)]
pub(super) struct ChatBody<'a> {
    model: &'a str,
    messages: Vec<ChatMessage<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<ChatStreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ChatTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ChatToolChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verbosity: Option<Verbosity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    safety_identifier: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
}

#[derive(Serialize)]
struct ChatStreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "function")]
struct ChatTool<'a> {
    function: ChatFunction<'a>,
}

#[derive(Serialize)]
struct ChatFunction<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ChatToolChoice<'a> {
    Mode(ToolMode),
    Function(NamedTool<'a>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "function")]
struct NamedTool<'a> {
    function: ToolName<'a>,
}

#[derive(Serialize)]
struct ToolName<'a> {
    name: &'a str,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ResponseFormat<'a> {
    JsonObject,
    JsonSchema { json_schema: JsonSchema<'a> },
}

#[derive(Serialize)]
struct JsonSchema<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    schema: &'a Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

impl<'a> ChatBody<'a> {
    pub(super) fn new(asked: &'a ProviderRequest, form: &'a ChatForm) -> Self {
        let ProviderRequest { request, target, .. } = asked;
        let most = asked.max_output_tokens();
        let (max_completion_tokens, max_tokens) = match form.output_limit_field {
            OutputLimitField::MaxCompletionTokens => (most, None),
            OutputLimitField::MaxTokens => (None, most),
        };
        // Servers refuse tool options in a request without tools.
        let tools = request.callable_tools();
        let has_tools = !tools.is_empty();
        Self {
            model: &target.model,
            messages: messages(asked, form),
            stream: true,
            stream_options: form.asks_for_usage.then_some(ChatStreamOptions { include_usage: true }),
            temperature: request.temperature,
            top_p: request.top_p,
            max_completion_tokens,
            max_tokens,
            tools: tools.into_iter().map(tool).collect(),
            tool_choice: tool_choice(&request.tool_choice).filter(|_| has_tools),
            parallel_tool_calls: request.parallel_tool_calls.filter(|_| has_tools),
            response_format: response_format(&request.text.format),
            verbosity: request.text.verbosity,
            reasoning_effort: request.reasoning.as_ref().and_then(|reasoning| reasoning.effort.as_deref()),
            logprobs: request.wanted_logprobs().map(|_| true),
            top_logprobs: request.wanted_logprobs().filter(|top| *top > 0),
            safety_identifier: request.safety_identifier.as_deref().filter(|_| form.passes_hints),
            prompt_cache_key: request.prompt_cache_key.as_deref().filter(|_| form.passes_hints),
            service_tier: request.service_tier.as_deref().filter(|_| form.passes_hints),
        }
    }
}

fn tool(tool: &Tool) -> ChatTool<'_> {
    let Tool::Function(FunctionTool { name, description, parameters, strict }) = tool;
    let (description, parameters) = (description.as_deref(), parameters.as_ref());
    ChatTool { function: ChatFunction { name, description, parameters, strict: *strict } }
}

/// None for what every server does by default.
fn tool_choice(choice: &ToolChoice) -> Option<ChatToolChoice<'_>> {
    match choice {
        // Tools that may not be called are not in the request, so only the mode is left to send.
        ToolChoice::Mode(mode) | ToolChoice::Narrow(NarrowChoice::AllowedTools { mode, .. }) => match mode {
            ToolMode::Auto => None,
            ToolMode::None | ToolMode::Required => Some(ChatToolChoice::Mode(*mode)),
        },
        ToolChoice::Narrow(NarrowChoice::Function { name }) => {
            Some(ChatToolChoice::Function(NamedTool { function: ToolName { name } }))
        }
    }
}

fn response_format(format: &TextFormat) -> Option<ResponseFormat<'_>> {
    match format {
        TextFormat::Text => None,
        TextFormat::JsonObject => Some(ResponseFormat::JsonObject),
        TextFormat::JsonSchema { name, description, schema, strict } => {
            let description = description.as_deref();
            Some(ResponseFormat::JsonSchema { json_schema: JsonSchema { name, description, schema, strict: *strict } })
        }
    }
}
