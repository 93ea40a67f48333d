//! The body of a request, built from the port's request alone.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::json;

use super::conversation::{AnthropicConversation, ConversationTurn};
use super::{AnthropicOptions, ThinkingForm};
use crate::ProviderRequest;
use antiphon_domain::{Prompt, Request};
use antiphon_protocol::{FunctionTool, Item, Json, NarrowChoice, TextFormat, Tool, ToolChoice, ToolMode};

/// The protocol's highest temperature.
const HOTTEST: f64 = 1.0;

/// The lowest `top_p` that the protocol takes while the model thinks.
const NARROWEST_THINKING: f64 = 0.95;

/// The least thinking that the protocol takes, in tokens.
const SHORTEST_THINKING: u32 = 1024;

/// A streaming Messages request.
#[derive(Serialize)]
pub(super) struct AnthropicBody<'a> {
    model: &'a str,
    max_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<String>,
    messages: Vec<ConversationTurn<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolParam<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<AnthropicToolChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata<'a>>,
}

#[derive(Serialize)]
struct ToolParam<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    input_schema: Json,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum AnthropicToolChoice<'a> {
    Auto {
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        disable_parallel_tool_use: bool,
    },
    Any {
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        disable_parallel_tool_use: bool,
    },
    Tool {
        name: &'a str,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        disable_parallel_tool_use: bool,
    },
    None,
}

#[derive(Clone, Copy, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Thinking {
    Adaptive,
    Enabled { budget_tokens: u32 },
}

#[derive(Serialize)]
struct OutputConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<OutputFormat>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "json_schema")]
struct OutputFormat {
    schema: Json,
}

#[derive(Serialize)]
struct Metadata<'a> {
    user_id: &'a str,
}

impl<'a> AnthropicBody<'a> {
    pub(super) fn new(asked: &'a ProviderRequest, options: &AnthropicOptions) -> Self {
        let ProviderRequest { request, prompt, target, .. } = asked;
        let conversation = AnthropicConversation::new(asked);
        let (form, max_tokens) = (options.thinking, asked.max_output_tokens().unwrap_or(options.default_max_tokens));
        let thinking = thinking(request, form, max_tokens).filter(|_| conversation.takes_a_thought());
        let top_p = match thinking {
            Some(_) => request.top_p.map(|top_p| top_p.max(NARROWEST_THINKING)),
            None => request.top_p,
        };
        Self {
            model: &target.model,
            max_tokens,
            system: conversation.system,
            messages: conversation.turns,
            stream: true,
            temperature: request.temperature.filter(|_| thinking.is_none()).map(|asked| asked.min(HOTTEST)),
            top_p,
            tool_choice: tool_choice(request, prompt),
            tools: tools(request, prompt),
            thinking,
            output_config: output_config(request, form),
            metadata: request.safety_identifier.as_deref().map(|user_id| Metadata { user_id }),
        }
    }
}

/// The first parameter that the protocol has no form for. Leaving it out would answer another request.
pub(super) fn unsupported(request: &Request) -> Option<&'static str> {
    if request.wanted_logprobs().is_some() {
        return Some("top_logprobs");
    }
    if matches!(request.text.format, TextFormat::JsonObject) {
        return Some("text.format");
    }
    match request.reasoning.as_ref().and_then(|reasoning| reasoning.effort.as_deref()) {
        None | Some("none" | "minimal") => None,
        Some(effort) => share(effort).is_none().then_some("reasoning.effort"),
    }
}

/// The tools that may be called. The protocol wants tools wherever the conversation has calls: if none may be called,
/// those that were called are sent.
fn tools<'a>(request: &'a Request, prompt: &'a Prompt) -> Vec<ToolParam<'a>> {
    let tools = request.callable_tools();
    if tools.is_empty() {
        let described = |name| ToolParam { name, description: None, input_schema: input_schema(None) };
        return called(prompt).into_iter().map(described).collect();
    }
    tools.into_iter().map(tool).collect()
}

fn tool_choice<'a>(request: &'a Request, prompt: &Prompt) -> Option<AnthropicToolChoice<'a>> {
    if request.callable_tools().is_empty() {
        return (!called(prompt).is_empty()).then_some(AnthropicToolChoice::None);
    }
    Some(choice(request))
}

/// The functions that the conversation has calls of.
fn called(prompt: &Prompt) -> BTreeSet<&str> {
    let calls = prompt.items.iter().filter_map(|item| match item {
        Item::FunctionCall(call) => Some(call.name.as_str()),
        Item::Message(_) | Item::Reasoning(_) | Item::FunctionCallOutput(_) | Item::Other(_) => None,
    });
    calls.collect()
}

fn tool(tool: &Tool) -> ToolParam<'_> {
    let Tool::Function(FunctionTool { name, description, parameters, .. }) = tool;
    ToolParam { name, description: description.as_deref(), input_schema: input_schema(parameters.as_ref()) }
}

/// The protocol requires the schema of arguments to be that of an object, even if it says nothing else.
fn input_schema(parameters: Option<&Json>) -> Json {
    match parameters.filter(|schema| !schema.is_null()) {
        None => json!({ "type": "object" }).into(),
        Some(schema) => schema.or_with("type", "object"),
    }
}

fn choice(request: &Request) -> AnthropicToolChoice<'_> {
    let disable_parallel_tool_use = request.parallel_tool_calls == Some(false);
    let of_mode = |mode| match mode {
        ToolMode::None => AnthropicToolChoice::None,
        ToolMode::Auto => AnthropicToolChoice::Auto { disable_parallel_tool_use },
        ToolMode::Required => AnthropicToolChoice::Any { disable_parallel_tool_use },
    };
    match &request.tool_choice {
        ToolChoice::Mode(mode) | ToolChoice::Narrow(NarrowChoice::AllowedTools { mode, .. }) => of_mode(*mode),
        ToolChoice::Narrow(NarrowChoice::Function { name }) => {
            AnthropicToolChoice::Tool { name, disable_parallel_tool_use }
        }
    }
}

/// The words for an effort are the same on both sides.
fn effort(request: &Request) -> Option<&str> {
    request.reasoning.as_ref()?.effort.as_deref().filter(|effort| share(effort).is_some())
}

/// None if the model is not to think, if a call is forced (the protocol then allows no thinking), and if the output
/// has no room for the least thinking.
fn thinking(request: &Request, form: ThinkingForm, max_tokens: u32) -> Option<Thinking> {
    let is_forced = match &request.tool_choice {
        ToolChoice::Mode(mode) | ToolChoice::Narrow(NarrowChoice::AllowedTools { mode, .. }) => {
            matches!(mode, ToolMode::Required)
        }
        ToolChoice::Narrow(NarrowChoice::Function { .. }) => true,
    };
    if is_forced && !request.callable_tools().is_empty() {
        return None;
    }
    let eighths = share(effort(request)?)?;
    match form {
        ThinkingForm::Adaptive => Some(Thinking::Adaptive),
        ThinkingForm::Budget => {
            let budget_tokens = (max_tokens / 8).saturating_mul(eighths).max(SHORTEST_THINKING);
            (budget_tokens < max_tokens).then_some(Thinking::Enabled { budget_tokens })
        }
    }
}

/// The share of the output that may be thinking, in eighths.
fn share(effort: &str) -> Option<u32> {
    match effort {
        "low" => Some(2),
        "medium" => Some(4),
        "high" => Some(6),
        "xhigh" | "max" => Some(7),
        _ => None,
    }
}

fn output_config(request: &Request, form: ThinkingForm) -> Option<OutputConfig> {
    let effort = match form {
        ThinkingForm::Adaptive => effort(request).map(str::to_owned),
        ThinkingForm::Budget => None,
    };
    let format = output_format(&request.text.format);
    (effort.is_some() || format.is_some()).then_some(OutputConfig { effort, format })
}

/// The protocol has no fields for the schema's name and strictness: the text always follows the schema.
fn output_format(format: &TextFormat) -> Option<OutputFormat> {
    let TextFormat::JsonSchema { schema, description, .. } = format else { return None };
    let schema = match description {
        Some(description) => schema.or_with("description", description),
        None => schema.clone(),
    };
    Some(OutputFormat { schema })
}
