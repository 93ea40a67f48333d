//! The tools that a request offers to the model, and which of them it must call.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use super::Json;

/// A tool that the model may call.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Tool {
    /// A function of the client's.
    Function(FunctionTool),
}

impl Tool {
    /// The name that the model calls it by.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Function(function) => &function.name,
        }
    }
}

/// A function of the client's.
#[derive(Clone, PartialEq, Serialize)]
pub struct FunctionTool {
    /// Its name.
    pub name: String,
    /// What it does, for the model.
    pub description: Option<String>,
    /// The JSON schema of its arguments; none for a function without any.
    pub parameters: Option<Json>,
    /// Whether the arguments must follow the schema to the letter; none leaves it to the provider.
    pub strict: Option<bool>,
}

// Not derived: the tag would have the schema buffered, and so lose how it was written.
impl<'de> Deserialize<'de> for Tool {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum ToolType {
            Function,
        }

        #[derive(Deserialize)]
        struct TaggedTool {
            #[serde(rename = "type")]
            kind: ToolType,
            name: String,
            description: Option<String>,
            parameters: Option<Json>,
            strict: Option<bool>,
        }

        let TaggedTool { kind: ToolType::Function, name, description, parameters, strict } =
            TaggedTool::deserialize(deserializer)?;
        Ok(Self::Function(FunctionTool { name, description, parameters, strict }))
    }
}

// Names and schemas are the client's own words, and content is in no log.
impl fmt::Debug for FunctionTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FunctionTool").finish_non_exhaustive()
    }
}

/// Which tool must be called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ToolChoice {
    /// Any, none or at least one.
    Mode(ToolMode),
    /// Something narrower.
    Narrow(NarrowChoice),
}

impl Default for ToolChoice {
    fn default() -> Self {
        Self::Mode(ToolMode::Auto)
    }
}

/// Whether tools may or must be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolMode {
    /// No tool may be called.
    None,
    /// The model decides.
    Auto,
    /// At least one must be called.
    Required,
}

/// A choice that names tools.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum NarrowChoice {
    /// This function must be called.
    Function {
        /// Its name.
        name: String,
    },
    /// Only these tools may be called.
    AllowedTools {
        /// `auto` or `required`.
        mode: ToolMode,
        /// The tools.
        tools: Vec<AllowedTool>,
    },
}

impl NarrowChoice {
    /// Whether a tool of that name is among those named.
    #[must_use]
    pub fn names(&self, name: &str) -> bool {
        match self {
            Self::Function { name: named } => named == name,
            Self::AllowedTools { tools, .. } => tools.iter().any(|AllowedTool::Function { name: named }| named == name),
        }
    }
}

/// A tool that may be called.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AllowedTool {
    /// A function of the client's.
    Function {
        /// Its name.
        name: String,
    },
}

impl fmt::Debug for NarrowChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Function { .. } => "function",
            Self::AllowedTools { .. } => "allowed_tools",
        })
    }
}

impl fmt::Debug for AllowedTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("function")
    }
}
