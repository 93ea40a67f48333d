//! The form of requests, where servers of this protocol differ.

use serde::{Deserialize, Serialize};

/// What a server wants of the form of its requests. The defaults suit most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatForm {
    /// The field that limits the output.
    pub output_limit_field: OutputLimitField,
    /// Where instructions and messages of developers stand.
    pub system_messages: SystemMessages,
    /// The field in which thoughts go back.
    pub reasoning_field: ReasoningField,
    /// What a call has for a signature that was not made by this model, with Google's models; none sends none.
    pub missing_thought_signature: Option<String>,
    /// Whether the server is asked to report usage, by `stream_options`. Some refuse the question, and report it anyway.
    pub asks_for_usage: bool,
    /// Whether hints reach the server that change nothing of its answer: `safety_identifier`, `prompt_cache_key` and
    /// `service_tier`. Some refuse what they do not know.
    pub passes_hints: bool,
}

impl Default for ChatForm {
    fn default() -> Self {
        Self {
            output_limit_field: OutputLimitField::default(),
            system_messages: SystemMessages::default(),
            reasoning_field: ReasoningField::default(),
            missing_thought_signature: None,
            asks_for_usage: true,
            passes_hints: true,
        }
    }
}

/// The request field that limits the output: OpenAI refuses the old name for its newer models, and some other
/// servers know no other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputLimitField {
    /// `max_completion_tokens`.
    #[default]
    MaxCompletionTokens,
    /// `max_tokens`.
    MaxTokens,
}

/// Where instructions and the messages of developers and the system stand in a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SystemMessages {
    /// All in one message at the beginning, with an empty line between them. The templates of many models take no other,
    /// and servers refuse what a template refuses.
    #[default]
    Merged,
    /// Each where it stands in the conversation: a message of its own, so that one in mid-conversation is read there.
    InPlace,
}

/// The field of a message in which the model's own earlier thoughts go back to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasoningField {
    /// The one in which they came, for thoughts of this model; those of others are left out. A server that never wrote a
    /// thought never gets one: many refuse fields that they do not know.
    #[default]
    AsReceived,
    /// `reasoning_content`, on each message of a model, also with the thoughts of other models. A message without a
    /// thought has a space there, since a server that wants the field may refuse a message without it, or with an empty one.
    ReasoningContent,
    /// The same for `reasoning`.
    Reasoning,
    /// None: thoughts are left out.
    None,
}
