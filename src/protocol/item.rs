//! The items of a conversation: messages, reasoning, function calls and their results.

use serde::{Deserialize, Serialize};

use super::ItemId;

/// One item of a response's input or output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The message's id.
    pub id: ItemId,
    /// Who speaks.
    pub role: Role,
    /// Whether the message is whole.
    pub status: ItemStatus,
    /// What is said, in order.
    pub content: Vec<ContentPart>,
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

/// Text that a model wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputText {
    /// The text.
    pub text: String,
    /// Citations; none yet, but clients want the key.
    #[serde(default)]
    pub annotations: [(); 0],
    /// Token probabilities; none yet, but clients want the key.
    #[serde(default)]
    pub logprobs: [(); 0],
}

/// What a model thought before it spoke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reasoning {
    /// The item's id.
    pub id: ItemId,
    /// Summaries of the thought; required by clients, empty where a provider gives none.
    pub summary: Vec<SummaryText>,
    /// The thought itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub content: Vec<ReasoningText>,
    /// Whether the item is whole.
    pub status: ItemStatus,
}

/// A part of a reasoning item's own text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "reasoning_text")]
pub struct ReasoningText {
    /// The thought.
    pub text: String,
}

/// A part of a reasoning item's summary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "summary_text")]
pub struct SummaryText {
    /// The summary.
    pub text: String,
}

/// A model's wish to have a function called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// What a called function answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
