//! Why a provider stopped by itself.

use serde::{Deserialize, Serialize};

/// Why a provider says it stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FinishReason {
    /// The answer is complete.
    Stop,
    /// The limit of output tokens was reached.
    Length,
    /// The provider's content filter cut the answer.
    ContentFilter,
    /// The model called tools.
    ToolCalls,
    /// A word of the provider's, which counts as [`Stop`](Self::Stop). Only logs of 0.1.0 hold it: adapters now fail
    /// an answer whose end they don't understand.
    Other(String),
}

impl FinishReason {
    /// Whether the answer was cut: its last item is not whole.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        match self {
            Self::Length | Self::ContentFilter => true,
            Self::Stop | Self::ToolCalls | Self::Other(_) => false,
        }
    }

    /// The reason as providers write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ContentFilter => "content_filter",
            Self::ToolCalls => "tool_calls",
            Self::Other(word) => word,
        }
    }
}
