//! What form the text is to have, and how hard the model is to think.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The form of the text.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TextConfig {
    /// Plain text, JSON, or JSON by a schema.
    pub format: TextFormat,
    /// The verbosity; none leaves it to the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verbosity: Option<Verbosity>,
}

/// Plain text, JSON, or JSON by a schema.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TextFormat {
    /// Plain text.
    #[default]
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON by a schema.
    JsonSchema {
        /// The schema's name.
        name: String,
        /// What it is for, for the model.
        #[serde(default)]
        description: Option<String>,
        /// The JSON schema.
        schema: Value,
        /// Whether the text must follow the schema to the letter.
        #[serde(default)]
        strict: Option<bool>,
    },
}

// A schema is the client's own, and content is in no log.
impl fmt::Debug for TextFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::JsonObject => "json_object",
            Self::JsonSchema { .. } => "json_schema",
        })
    }
}

/// The verbosity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verbosity {
    /// A short text.
    Low,
    /// A text of medium length.
    Medium,
    /// A long text.
    High,
}

/// The effort of the reasoning, and whether a summary of it is wanted. Both keys, always.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasoningConfig {
    /// One of OpenAI's words for the effort, passed on as it is; none leaves it to the provider.
    pub effort: Option<String>,
    /// `auto`, `concise` or `detailed`; none for no summary.
    pub summary: Option<String>,
}
