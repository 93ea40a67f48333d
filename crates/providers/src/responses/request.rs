//! The body of a request, built from the port's request alone.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::ResponsesForm;
use crate::ProviderRequest;
use crate::seal::{Origin, Protocol, Sealed};
use antiphon_domain::Request;
use antiphon_protocol::{
    ContentPart, Extra, FunctionCall, FunctionCallOutput, FunctionTool, Item, Json, Message, NarrowChoice, OtherItem,
    Reasoning, ReasoningConfig, Role, TextConfig, TextFormat, Tool, ToolChoice, ToolMode, Verbosity,
};

/// A streaming request of Responses. What was not asked for is not there.
#[derive(Serialize)]
pub(super) struct ResponsesBody<'a> {
    model: &'a str,
    input: Vec<Value>,
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

fn input(asked: &ProviderRequest) -> Vec<Value> {
    let origin = Origin::of(Protocol::Responses, &asked.target);
    asked.prompt.items.iter().filter_map(|item| input_item(item, &origin)).collect()
}

/// An item as the provider takes it: without an id, which is one of this server's, without a status, and with no fields
/// of another model.
fn input_item(item: &Item, origin: &Origin) -> Option<Value> {
    match item {
        Item::Message(message) => said(message, origin),
        Item::Reasoning(reasoning) => thought(reasoning, origin),
        Item::FunctionCall(FunctionCall { id: _, call_id, name, arguments, status: _, extra }) => {
            let own = json!({ "type": "function_call", "call_id": call_id, "name": name, "arguments": arguments });
            Some(over(origin.own(extra), own))
        }
        Item::FunctionCallOutput(FunctionCallOutput { id: _, call_id, output, status: _ }) => {
            Some(json!({ "type": "function_call_output", "call_id": call_id, "output": output }))
        }
        // The fields, the status among them, are passed on as they are: only the provider knows their meaning.
        Item::Other(OtherItem { kind, .. }) if is_of_messages(kind) => None,
        Item::Other(OtherItem { id: _, kind, fields }) => {
            origin.own(fields).map(|own| over(Some(own), json!({ "type": kind })))
        }
    }
}

/// None for an empty message, of a model for example that was cut before any text. The phase of an answer is known to all
/// models of this API.
fn said(Message { id: _, role, status: _, content, extra }: &Message, origin: &Origin) -> Option<Value> {
    let by_model = *role == Role::Assistant;
    let content: Vec<Value> = content.iter().filter_map(|part| input_part(part, by_model)).collect();
    let word = match role {
        Role::Developer => "developer",
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    if content.is_empty() {
        return None;
    }
    let mut message = object(json!({ "type": "message", "role": word, "content": content }));
    if !by_model {
        return Some(Value::Object(message));
    }
    message.extend(extra.get("phase").map(|phase| ("phase".to_owned(), phase.clone())));
    Some(over(origin.own(extra), Value::Object(message)))
}

fn input_part(part: &ContentPart, by_model: bool) -> Option<Value> {
    let (text, breakpoint) = match part {
        ContentPart::InputText { text, prompt_cache_breakpoint } => (text, prompt_cache_breakpoint.as_ref()),
        ContentPart::OutputText(output) => (&output.text, None),
        ContentPart::Refusal { refusal } => return Some(json!({ "type": "refusal", "refusal": refusal })),
        ContentPart::ReasoningText { .. } => return None,
    };
    match by_model {
        true if text.is_empty() => None,
        true => Some(json!({ "type": "output_text", "text": text, "annotations": [] })),
        false => {
            let mut part = object(json!({ "type": "input_text", "text": text }));
            let breakpoint =
                breakpoint.map(|given| ("prompt_cache_breakpoint".to_owned(), Value::Object(given.clone())));
            part.extend(breakpoint);
            Some(Value::Object(part))
        }
    }
}

/// Whether a kind of item comes from the Messages protocol, by the prefix that this server gives it there. No other
/// provider can read it.
fn is_of_messages(kind: &str) -> bool {
    kind.starts_with("anthropic:")
}

/// None for reasoning that is not sealed, or not by this provider: one that stores nothing has no other copy of it.
fn thought(reasoning: &Reasoning, origin: &Origin) -> Option<Value> {
    let Sealed::Encrypted { data } = origin.open(reasoning.encrypted_content.as_deref()?)? else { return None };
    let summary: Vec<Value> =
        reasoning.summary.iter().map(|part| json!({ "type": "summary_text", "text": part.text })).collect();
    let known = json!({ "type": "reasoning", "summary": summary, "encrypted_content": data });
    Some(over(origin.own(&reasoning.extra), known))
}

/// The known fields of an item, and those of the others that are not among them.
fn over(others: Option<Extra>, known: Value) -> Value {
    let mut fields = object(known);
    for (key, value) in others.into_iter().flatten().filter(|(key, _)| key != "id") {
        fields.entry(key).or_insert(value);
    }
    Value::Object(fields)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}
