//! Why a provider stopped by itself.

use serde::{Deserialize, Serialize};

/// Why a provider says it stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FinishReason {
    /// It had said all.
    Stop,
    /// It reached the most tokens it may write.
    Length,
    /// Its own filter cut it.
    ContentFilter,
    /// It wants tools called.
    ToolCalls,
    /// Another word of the provider's own, kept as it came; counts as `Stop`.
    Other(String),
}

impl FinishReason {
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
