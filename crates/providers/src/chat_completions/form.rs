//! The form of requests, where servers of this protocol differ.

use serde::{Deserialize, Serialize};

/// What a server wants of the form of its requests. The defaults suit most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChatForm {
    /// The field that limits the output.
    pub output_limit_field: OutputLimitField,
    /// Where instructions and messages of developers stand.
    pub system_messages: SystemMessages,
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
