//! The section of a provider as it is written, before it is known to make sense.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::ELIZA;
use crate::actors::ProviderOptions;
use crate::config::models::WrittenModels;
use crate::domain::Timeouts;
use crate::domain::options::word;
use crate::provider::{AnthropicOptions, OutputLimitField, ReasoningField, SystemMessages, ThinkingForm};

/// `[providers.NAME]` as it is written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProviderSection {
    /// The protocol that it speaks.
    #[serde(deserialize_with = "word::optional")]
    pub kind: Option<ProviderKind>,
    /// Whether its models can be asked for.
    pub enabled: bool,
    /// The URL that the protocol's own path follows; without credentials, query and fragment.
    pub base_url: Option<String>,
    /// The name of the environment variable with the key that it wants.
    pub api_key_env: Option<String>,
    /// A file with the key, which only its owner may read.
    pub api_key_file: Option<PathBuf>,
    /// The models that are asked for there. Their form is not one that could be written again.
    #[serde(skip_serializing)]
    pub(super) models: Option<WrittenModels>,
    /// How long it may take, where a model does not say.
    #[serde(rename = "..timeouts")]
    pub timeouts: Timeouts,
    /// How many responses may use it at once and wait for it, and how often it is asked again.
    #[serde(rename = "..options")]
    pub options: ProviderOptions,
    /// The request field that limits the output, with `chat_completions`.
    #[serde(deserialize_with = "word::deserialize")]
    pub output_limit_field: OutputLimitField,
    /// Where instructions and messages of developers stand in requests, with `chat_completions`.
    #[serde(deserialize_with = "word::deserialize")]
    pub system_messages: SystemMessages,
    /// The field of requests in which thoughts go back, with `chat_completions`.
    #[serde(deserialize_with = "word::deserialize")]
    pub reasoning_field: ReasoningField,
    /// What calls of other models have for a signature, with `chat_completions`.
    pub missing_thought_signature: Option<String>,
    /// Whether usage is asked for, with `chat_completions`.
    pub asks_for_usage: bool,
    /// Whether `safety_identifier`, `prompt_cache_key` and `service_tier` are passed on, with `chat_completions`.
    pub passes_hints: bool,
    /// How models are told to think, with `anthropic`.
    #[serde(deserialize_with = "word::deserialize")]
    pub thinking: ThinkingForm,
    /// The limit of the output in requests where neither the client nor the model says one, with `anthropic`.
    pub default_max_tokens: u32,
    /// Whether responses are kept there and continue without this server, which can then receive them again; with
    /// `responses`.
    pub reattach: bool,
    /// Whether thoughts are asked for in encrypted form in every request, with `responses`.
    pub asks_for_encrypted_reasoning: bool,
}

/// The protocol that a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderKind {
    /// None: the built-in conversation program. Its only model is `eliza`.
    Eliza,
    /// OpenAI's Chat Completions.
    ChatCompletions,
    /// OpenAI's Responses; another Antiphon speaks it, too.
    Responses,
    /// Anthropic's Messages.
    Anthropic,
}

impl ProviderKind {
    /// The word for it in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Eliza => "eliza",
            Self::ChatCompletions => "chat_completions",
            Self::Responses => "responses",
            Self::Anthropic => "anthropic",
        }
    }

    /// Whether an option has an effect on providers of this kind.
    pub(in crate::config) fn has(self, option: &str) -> bool {
        match self {
            Self::Eliza => ["kind", "enabled", "max_concurrent", "max_queue"].contains(&option),
            Self::ChatCompletions | Self::Responses | Self::Anthropic => {
                owner(option).is_none_or(|owner| owner == self)
            }
        }
    }
}

/// The kind of provider that alone has this option.
pub(super) fn owner(option: &str) -> Option<ProviderKind> {
    match option {
        "output_limit_field"
        | "system_messages"
        | "reasoning_field"
        | "missing_thought_signature"
        | "asks_for_usage"
        | "passes_hints" => Some(ProviderKind::ChatCompletions),
        "reattach" | "asks_for_encrypted_reasoning" => Some(ProviderKind::Responses),
        "thinking" | "default_max_tokens" => Some(ProviderKind::Anthropic),
        _ => None,
    }
}

impl Default for ProviderSection {
    fn default() -> Self {
        Self {
            kind: None,
            enabled: true,
            base_url: None,
            api_key_env: None,
            api_key_file: None,
            models: None,
            timeouts: Timeouts::default(),
            options: ProviderOptions::default(),
            output_limit_field: OutputLimitField::default(),
            system_messages: SystemMessages::default(),
            reasoning_field: ReasoningField::default(),
            missing_thought_signature: None,
            asks_for_usage: true,
            passes_hints: true,
            thinking: ThinkingForm::default(),
            default_max_tokens: AnthropicOptions::DEFAULT_MAX_TOKENS,
            reattach: false,
            asks_for_encrypted_reasoning: false,
        }
    }
}

/// The providers of a server without a configuration: `eliza`.
pub(in crate::config) fn defaults() -> BTreeMap<String, ProviderSection> {
    let eliza = ProviderSection { kind: Some(ProviderKind::Eliza), ..ProviderSection::default() };
    BTreeMap::from([(ELIZA.to_owned(), eliza)])
}
