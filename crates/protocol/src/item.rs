//! The items of a conversation: messages, reasoning, function calls and their results.

mod json;

use serde::{Deserialize, Serialize};

use super::{ItemId, JsonObject, LogProb};

/// One item of a response's input or output.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Item {
    /// A message.
    Message(Message),
    /// The reasoning of a model before its answer.
    Reasoning(Reasoning),
    /// A function call that a model made.
    FunctionCall(FunctionCall),
    /// The output of a called function.
    FunctionCallOutput(FunctionCallOutput),
    /// An item of a kind that this server does not know, as its provider wrote it.
    #[serde(untagged)]
    Other(OtherItem),
}

impl Item {
    /// The item's id.
    #[must_use]
    pub fn id(&self) -> &ItemId {
        match self {
            Self::Message(item) => &item.id,
            Self::Reasoning(item) => &item.id,
            Self::FunctionCall(item) => &item.id,
            Self::FunctionCallOutput(item) => &item.id,
            Self::Other(item) => &item.id,
        }
    }
}

/// Whether an item is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemStatus {
    /// More of it may come.
    InProgress,
    /// It is complete.
    Completed,
    /// It was cut.
    Incomplete,
}

/// The role of a message's author.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The application's developer, above the user.
    Developer,
    /// The older name of the developer.
    System,
    /// The person or program that asks.
    User,
    /// The model.
    Assistant,
}

/// A message by one of the roles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Message {
    /// The message's id.
    pub id: ItemId,
    /// The role of a message's author.
    pub role: Role,
    /// Whether the message is complete.
    pub status: ItemStatus,
    /// The parts, in order.
    pub content: Vec<ContentPart>,
    /// The other fields that its provider or client sent.
    #[serde(flatten, skip_deserializing)]
    pub extra: JsonObject,
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ContentPart {
    /// Text that a client sent.
    InputText {
        /// The text.
        text: String,
        /// That the prompt up to its end is to be cached, as its client wrote it; passed on where a protocol has it.
        #[serde(skip_serializing_if = "Option::is_none")]
        prompt_cache_breakpoint: Option<JsonObject>,
    },
    /// Text that a model wrote.
    OutputText(OutputText),
    /// A model's refusal.
    Refusal {
        /// The refusal's words.
        refusal: String,
    },
    /// Reasoning of a model; a part of reasoning items and of their events only.
    ReasoningText {
        /// The text.
        text: String,
    },
}

impl ContentPart {
    /// Text that a client sent.
    pub fn input_text(text: impl Into<String>) -> Self {
        Self::InputText { text: text.into(), prompt_cache_breakpoint: None }
    }

    /// The words of the part.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::InputText { text, .. } | Self::ReasoningText { text } => text,
            Self::OutputText(part) => &part.text,
            Self::Refusal { refusal } => refusal,
        }
    }
}

/// Text that a model wrote.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OutputText {
    /// The text.
    pub text: String,
    /// Notes on the text, citations for example, as their provider wrote them.
    #[serde(default)]
    pub annotations: Vec<JsonObject>,
    /// How probable its tokens were; empty where that was not asked for.
    #[serde(default)]
    pub logprobs: Vec<LogProb>,
}

/// The reasoning of a model before its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Reasoning {
    /// The item's id.
    pub id: ItemId,
    /// Summaries of the reasoning; required by clients, empty where a provider gives none.
    pub summary: Vec<SummaryText>,
    /// The reasoning itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub content: Vec<ReasoningText>,
    /// The reasoning in a form that only its provider can read, to be given back with the next request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encrypted_content: Option<String>,
    /// Whether the item is complete.
    pub status: ItemStatus,
    /// The other fields that its provider or client sent.
    #[serde(flatten, skip_deserializing)]
    pub extra: JsonObject,
}

/// A part of a reasoning item's own text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "reasoning_text")]
pub struct ReasoningText {
    /// The text.
    pub text: String,
}

/// A part of a reasoning item's summary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "summary_text")]
pub struct SummaryText {
    /// The summary.
    pub text: String,
}

/// A function call that a model made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct FunctionCall {
    /// The item's id.
    pub id: ItemId,
    /// The provider's id of the call, which its output names.
    pub call_id: String,
    /// The function.
    pub name: String,
    /// The arguments, JSON as text.
    pub arguments: String,
    /// Whether the call is complete.
    pub status: ItemStatus,
    /// The other fields that its provider or client sent.
    #[serde(flatten, skip_deserializing)]
    pub extra: JsonObject,
}

/// The output of a called function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionCallOutput {
    /// The item's id.
    pub id: ItemId,
    /// The call that the output belongs to.
    pub call_id: String,
    /// The output.
    pub output: String,
    /// Whether the output is complete.
    pub status: ItemStatus,
}

/// An item of a kind that this server does not know, as its provider wrote it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct OtherItem {
    /// The item's id, one of this server's.
    pub id: ItemId,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Everything else.
    #[serde(flatten, skip_deserializing)]
    pub fields: JsonObject,
}
