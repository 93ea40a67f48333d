//! The items of a conversation: messages, reasoning, function calls and their results.

use serde::{Deserialize, Serialize};

use serde_json::{Map, Value};

use super::{ItemId, LogProb};

/// Fields of an object that this server does not know and keeps as they came.
pub type Extra = Map<String, Value>;

/// One item of a response's input or output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Item {
    /// Something said.
    Message(Message),
    /// What a model thought before it spoke.
    Reasoning(Reasoning),
    /// A model's wish to have a function called.
    FunctionCall(FunctionCall),
    /// What a called function answered.
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

/// Whether an item is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemStatus {
    /// More of it may come.
    InProgress,
    /// All of it is there.
    Completed,
    /// It was cut.
    Incomplete,
}

/// Who speaks.
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

/// Something said by one of the roles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The message's id.
    pub id: ItemId,
    /// Who speaks.
    pub role: Role,
    /// Whether the message is whole.
    pub status: ItemStatus,
    /// What is said, in order.
    pub content: Vec<ContentPart>,
    /// What else its provider or client says of it.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ContentPart {
    /// Text that a client sent.
    InputText {
        /// The text.
        text: String,
    },
    /// Text that a model wrote.
    OutputText(OutputText),
    /// A model's refusal.
    Refusal {
        /// The refusal's words.
        refusal: String,
    },
    /// What a model thought; a part of reasoning items and of their events only.
    ReasoningText {
        /// The thought.
        text: String,
    },
}

impl ContentPart {
    /// The words of the part.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::InputText { text } | Self::ReasoningText { text } => text,
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
    pub annotations: Vec<Extra>,
    /// How probable its tokens were; empty where that was not asked for.
    #[serde(default)]
    pub logprobs: Vec<LogProb>,
}

/// What a model thought before it spoke.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reasoning {
    /// The item's id.
    pub id: ItemId,
    /// Summaries of the thought; required by clients, empty where a provider gives none.
    pub summary: Vec<SummaryText>,
    /// The thought itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub content: Vec<ReasoningText>,
    /// The thought in a form that only its provider can read, to be given back with the next request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encrypted_content: Option<String>,
    /// Whether the item is whole.
    pub status: ItemStatus,
    /// What else its provider or client says of it.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A part of a reasoning item's own text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "reasoning_text")]
pub struct ReasoningText {
    /// The thought.
    pub text: String,
}

/// A part of a reasoning item's summary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "summary_text")]
pub struct SummaryText {
    /// The summary.
    pub text: String,
}

/// A model's wish to have a function called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionCall {
    /// The item's id.
    pub id: ItemId,
    /// The provider's id of the call, which its output names.
    pub call_id: String,
    /// The function.
    pub name: String,
    /// The arguments, JSON as text.
    pub arguments: String,
    /// Whether the call is whole.
    pub status: ItemStatus,
    /// What else its provider or client says of it.
    #[serde(flatten)]
    pub extra: Extra,
}

/// What a called function answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionCallOutput {
    /// The item's id.
    pub id: ItemId,
    /// The call that this answers.
    pub call_id: String,
    /// The answer.
    pub output: String,
    /// Whether the answer is whole.
    pub status: ItemStatus,
}

/// An item of a kind that this server does not know, as its provider wrote it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OtherItem {
    /// The item's id, one of this server's.
    pub id: ItemId,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Everything else.
    #[serde(flatten)]
    pub fields: Extra,
}
