//! What form the text is to have, and how hard the model is to think.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::Json;

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
#[derive(Clone, Default, PartialEq, Serialize)]
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
        description: Option<String>,
        /// The JSON schema.
        schema: Json,
        /// Whether the text must follow the schema to the letter.
        strict: Option<bool>,
    },
}

// Not derived: the tag would have the schema buffered, and so lose how it was written.
impl<'de> Deserialize<'de> for TextFormat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum TextFormatType {
            Text,
            JsonObject,
            JsonSchema,
        }

        #[derive(Deserialize)]
        struct TaggedTextFormat {
            #[serde(rename = "type")]
            kind: TextFormatType,
            name: Option<String>,
            description: Option<String>,
            schema: Option<Json>,
            strict: Option<bool>,
        }

        let TaggedTextFormat { kind, name, description, schema, strict } = TaggedTextFormat::deserialize(deserializer)?;
        match kind {
            TextFormatType::Text => Ok(Self::Text),
            TextFormatType::JsonObject => Ok(Self::JsonObject),
            TextFormatType::JsonSchema => Ok(Self::JsonSchema {
                name: name.ok_or_else(|| D::Error::missing_field("name"))?,
                description,
                schema: schema.ok_or_else(|| D::Error::missing_field("schema"))?,
                strict,
            }),
        }
    }
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

/// How hard to think, and what of it is wanted. The first two keys are there always.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasoningConfig {
    /// One of OpenAI's words for the effort, passed on as it is; none leaves it to the provider.
    pub effort: Option<String>,
    /// `auto`, `concise` or `detailed`; none for no summary.
    pub summary: Option<String>,
    /// Which thoughts of before the model sees, passed on as it is where the protocol has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// How the model thinks, passed on as it is where the protocol has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
}
