//! From the configuration to the providers: the place that chooses their adapters.

use std::sync::Arc;

use anyhow::Context as _;

use crate::actors::ProviderOptions;
use crate::config::{self, Capacity, Config, Kind, UpstreamSection};
use crate::domain::RetryPolicy;
use crate::provider::{
    Anthropic, ChatCompletions, Eliza, GateLimits, Provider, Responses, UpstreamError, UpstreamOptions,
};

#[cfg(test)]
mod tests;

/// A provider that can be asked, and what the configuration says of it.
pub(super) struct Built<'a> {
    pub(super) name: &'a str,
    pub(super) section: &'a config::Provider,
    pub(super) provider: Arc<dyn Provider>,
}

/// The providers that are switched on, in the order of their names. Opens no connection.
///
/// # Errors
/// If one can't work on this machine, say because it has no certificates.
pub(super) fn build(config: &Config) -> anyhow::Result<Vec<Built<'_>>> {
    config.providers.iter().map(Built::of).collect()
}

impl<'a> Built<'a> {
    fn of((name, section): (&'a String, &'a config::Provider)) -> anyhow::Result<Self> {
        let provider = match section {
            config::Provider::Eliza(_) => Arc::new(Eliza::default()),
            config::Provider::Upstream(section) => upstream(section).with_context(|| format!("providers.{name}"))?,
        };
        Ok(Self { name, section, provider })
    }
}

fn upstream(section: &UpstreamSection) -> Result<Arc<dyn Provider>, UpstreamError> {
    let options = UpstreamOptions { api_key: section.api_key.clone(), ..UpstreamOptions::new(&section.base_url) };
    Ok(match section.kind {
        Kind::ChatCompletions(field) => Arc::new(ChatCompletions::with_output_limit_field(options, field)?),
        Kind::Responses { reattach: false } => Arc::new(Responses::new(options)?),
        Kind::Responses { reattach: true } => Arc::new(Responses::reattachable(options)?),
        Kind::Anthropic(thinking) => Arc::new(Anthropic::with_thinking_form(options, thinking)?),
    })
}

/// What stands in front of a provider.
pub(super) fn limits(section: &config::Provider) -> ProviderOptions {
    let defaults = ProviderOptions::default();
    let (capacity, max_retries) = match section {
        config::Provider::Eliza(capacity) => (capacity, defaults.retry.max_retries),
        config::Provider::Upstream(section) => (&section.capacity, section.max_retries),
    };
    let Capacity { max_concurrent, max_queue, max_concurrent_per_key, queue_timeout } = *capacity;
    ProviderOptions {
        gate: GateLimits { max_concurrent, max_queue, max_concurrent_per_key },
        queue_timeout,
        retry: RetryPolicy { max_retries, ..defaults.retry },
        ..defaults
    }
}
