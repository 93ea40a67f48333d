//! The body of a request, built from nothing out of what the port asks.

use serde::Serialize;

use super::OutputLimitField;
use crate::protocol::{ContentPart, FunctionCall, FunctionCallOutput, Item, Message, Role};
use crate::provider::ProviderRequest;

/// A streaming Chat Completions request.
#[derive(Serialize)]
pub(super) struct Body<'a> {
    model: &'a str,
    messages: Vec<ChatMessage<'a>>,
    stream: bool,
    stream_options: StreamOptions,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
#[serde(tag = "role", rename_all = "snake_case")]
enum ChatMessage<'a> {
    System {
        content: Content<'a>,
    },
    User {
        content: Content<'a>,
    },
    Assistant {
        content: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        refusal: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<ToolCall<'a>>,
    },
    Tool {
        tool_call_id: &'a str,
        content: &'a str,
    },
}

/// One text as a plain string, which every server reads; several as parts.
#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(&'a str),
    Parts(Vec<TextPart<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "text")]
struct TextPart<'a> {
    text: &'a str,
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "function")]
struct ToolCall<'a> {
    id: &'a str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: &'a str,
}

impl<'a> Body<'a> {
    pub(super) fn new(request: &'a ProviderRequest, limit: OutputLimitField) -> Self {
        let most = Some(request.max_output_tokens);
        let (max_completion_tokens, max_tokens) = match limit {
            OutputLimitField::MaxCompletionTokens => (most, None),
            OutputLimitField::MaxTokens => (None, most),
        };
        Self {
            model: &request.model,
            messages: messages(request),
            stream: true,
            stream_options: StreamOptions { include_usage: true },
            temperature: request.temperature,
            top_p: request.top_p,
            max_completion_tokens,
            max_tokens,
        }
    }
}

fn messages(request: &ProviderRequest) -> Vec<ChatMessage<'_>> {
    let mut messages = Vec::with_capacity(request.prompt.items.len() + 1);
    if let Some(instructions) = &request.prompt.instructions {
        messages.push(ChatMessage::System { content: Content::Text(instructions) });
    }
    for item in &request.prompt.items {
        match item {
            Item::Message(message) => messages.extend(said(message)),
            Item::FunctionCall(call) => add_call(&mut messages, call),
            Item::FunctionCallOutput(FunctionCallOutput { call_id, output, .. }) => {
                messages.push(ChatMessage::Tool { tool_call_id: call_id, content: output });
            }
            // A thought is the model's own; this protocol has no agreed place to give it back.
            Item::Reasoning(_) | Item::Other(_) => {}
        }
    }
    messages
}

/// None for a message of the model's that was cut before its first word.
fn said(message: &Message) -> Option<ChatMessage<'_>> {
    match message.role {
        Role::Developer | Role::System => Some(ChatMessage::System { content: content(message) }),
        Role::User => Some(ChatMessage::User { content: content(message) }),
        Role::Assistant => {
            let content = joined(message, text);
            let refusal = joined(message, refusal);
            (content.is_some() || refusal.is_some()).then(|| ChatMessage::Assistant {
                content,
                refusal,
                tool_calls: Vec::new(),
            })
        }
    }
}

fn content(message: &Message) -> Content<'_> {
    let mut texts: Vec<TextPart<'_>> = message.content.iter().filter_map(text).map(|text| TextPart { text }).collect();
    match texts.as_mut_slice() {
        [] => Content::Text(""),
        [only] => Content::Text(only.text),
        [..] => Content::Parts(texts),
    }
}

fn joined<'a>(message: &'a Message, part: impl Fn(&'a ContentPart) -> Option<&'a str>) -> Option<String> {
    let text: String = message.content.iter().filter_map(part).collect();
    (!text.is_empty()).then_some(text)
}

fn text(part: &ContentPart) -> Option<&str> {
    match part {
        ContentPart::InputText { text } => Some(text),
        ContentPart::OutputText(output) => Some(&output.text),
        ContentPart::Refusal { .. } | ContentPart::ReasoningText { .. } => None,
    }
}

fn refusal(part: &ContentPart) -> Option<&str> {
    match part {
        ContentPart::Refusal { refusal } => Some(refusal),
        ContentPart::InputText { .. } | ContentPart::OutputText(_) | ContentPart::ReasoningText { .. } => None,
    }
}

/// Calls in a row are one message, and belong to the model's words right before them.
fn add_call<'a>(messages: &mut Vec<ChatMessage<'a>>, call: &'a FunctionCall) {
    let call = ToolCall { id: &call.call_id, function: Function { name: &call.name, arguments: &call.arguments } };
    if let Some(ChatMessage::Assistant { tool_calls, .. }) = messages.last_mut() {
        return tool_calls.push(call);
    }
    messages.push(ChatMessage::Assistant { content: None, refusal: None, tool_calls: vec![call] });
}
