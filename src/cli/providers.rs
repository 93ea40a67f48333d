//! From the configuration to the providers: the one file that chooses their adapters.

use std::sync::Arc;

use anyhow::Context as _;

use crate::config::{Config, ConfiguredProvider, ProviderKind, ProviderSection, UpstreamProvider};
use crate::provider::{
    Anthropic, AnthropicOptions, ChatCompletions, ChatForm, Eliza, Provider, Responses, ResponsesForm, UpstreamError,
    UpstreamLimits, UpstreamOptions,
};

#[cfg(test)]
mod tests;

/// A provider that can be asked, and what the configuration says of it.
pub(super) struct BuiltProvider<'a> {
    pub(super) name: &'a str,
    pub(super) configured: &'a ConfiguredProvider,
    pub(super) provider: Arc<dyn Provider>,
}

/// Builds the providers that are switched on, in the order of their names. Opens no connection.
///
/// # Errors
/// If one can't work on this machine, say because it has no certificates.
pub(super) fn build(config: &Config) -> anyhow::Result<Vec<BuiltProvider<'_>>> {
    let limits = UpstreamLimits::of(&config.limits, config.responses.max_output_bytes);
    config.providers.iter().map(|(name, configured)| BuiltProvider::of(name, configured, limits)).collect()
}

impl<'a> BuiltProvider<'a> {
    fn of(name: &'a str, configured: &'a ConfiguredProvider, limits: UpstreamLimits) -> anyhow::Result<Self> {
        let provider = match configured {
            ConfiguredProvider::Eliza(_) => Arc::new(Eliza::default()),
            ConfiguredProvider::Upstream(upstream) => {
                adapter(upstream, limits).with_context(|| format!("providers.{name}"))?
            }
        };
        Ok(Self { name, configured, provider })
    }
}

fn adapter(upstream: &UpstreamProvider, limits: UpstreamLimits) -> Result<Arc<dyn Provider>, UpstreamError> {
    let options =
        UpstreamOptions { limits, api_key: upstream.api_key.clone(), ..UpstreamOptions::new(&upstream.base_url) };
    let section = &upstream.section;
    Ok(match upstream.kind {
        ProviderKind::Eliza => Arc::new(Eliza::default()),
        ProviderKind::ChatCompletions => Arc::new(ChatCompletions::with_form(options, chat_form(section))?),
        ProviderKind::Responses => {
            let ProviderSection { reattach: lasting, asks_for_encrypted_reasoning, .. } = *section;
            Arc::new(Responses::with_form(options, ResponsesForm { lasting, asks_for_encrypted_reasoning })?)
        }
        ProviderKind::Anthropic => {
            let own = AnthropicOptions { thinking: section.thinking, default_max_tokens: section.default_max_tokens };
            Arc::new(Anthropic::with_protocol_options(options, own)?)
        }
    })
}

fn chat_form(section: &ProviderSection) -> ChatForm {
    ChatForm {
        output_limit_field: section.output_limit_field,
        system_messages: section.system_messages,
        reasoning_field: section.reasoning_field,
        missing_thought_signature: section.missing_thought_signature.clone(),
        asks_for_usage: section.asks_for_usage,
        passes_hints: section.passes_hints,
    }
}
