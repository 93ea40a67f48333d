//! The section as it is written, before it is known to make sense.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Capacity, ELIZA, MAX_RETRIES};
use crate::config::models::Models;
use crate::domain::Timeouts;
use crate::domain::options::{duration, word};

/// The section as it is written.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct ProviderSection {
    #[serde(deserialize_with = "word::optional")]
    pub(super) kind: Option<KindName>,
    pub(super) enabled: Option<bool>,
    pub(super) base_url: Option<String>,
    pub(in crate::config) api_key_env: Option<String>,
    pub(super) api_key_file: Option<PathBuf>,
    #[serde(skip_serializing)]
    pub(super) models: Option<Models>,
    #[serde(with = "duration::optional")]
    pub(super) connect_timeout: Option<Duration>,
    #[serde(with = "duration::optional")]
    pub(super) first_byte_timeout: Option<Duration>,
    #[serde(with = "duration::optional")]
    pub(super) idle_timeout: Option<Duration>,
    #[serde(with = "duration::optional")]
    pub(super) total_timeout: Option<Duration>,
    pub(super) max_concurrent: Option<usize>,
    pub(super) max_queue: Option<usize>,
    pub(super) max_concurrent_per_key: Option<usize>,
    #[serde(with = "duration::optional")]
    pub(super) queue_timeout: Option<Duration>,
    pub(super) max_retries: Option<u32>,
    #[serde(deserialize_with = "word::optional")]
    pub(super) output_limit_field: Option<OutputLimitName>,
    #[serde(deserialize_with = "word::optional")]
    pub(super) thinking: Option<ThinkingName>,
    pub(super) reattach: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum KindName {
    Eliza,
    ChatCompletions,
    Responses,
    Anthropic,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OutputLimitName {
    MaxCompletionTokens,
    MaxTokens,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ThinkingName {
    Adaptive,
    Budget,
}

impl ProviderSection {
    pub(super) fn is_enabled(&self) -> bool {
        self.enabled != Some(false)
    }

    /// The section with everything said that holds if it is not said.
    pub(in crate::config) fn with_defaults(&self) -> Self {
        let (times, capacity) = (Timeouts::default(), Capacity::default());
        let is_server = self.kind != Some(KindName::Eliza);
        let is = |kind| self.kind == Some(kind);
        let time = |said: Option<Duration>, default| said.or(is_server.then_some(default));
        Self {
            kind: self.kind,
            enabled: Some(self.is_enabled()),
            base_url: self.base_url.clone(),
            api_key_env: self.api_key_env.clone(),
            api_key_file: self.api_key_file.clone(),
            // They are no text of one form.
            models: None,
            connect_timeout: time(self.connect_timeout, times.connect),
            first_byte_timeout: time(self.first_byte_timeout, times.first_byte),
            idle_timeout: time(self.idle_timeout, times.idle),
            total_timeout: time(self.total_timeout, times.total),
            max_concurrent: self.max_concurrent.or(Some(capacity.max_concurrent.get())),
            max_queue: self.max_queue.or(Some(capacity.max_queue)),
            max_concurrent_per_key: self.max_concurrent_per_key,
            queue_timeout: time(self.queue_timeout, capacity.queue_timeout),
            max_retries: self.max_retries.or(is_server.then_some(MAX_RETRIES)),
            output_limit_field: self
                .output_limit_field
                .or(is(KindName::ChatCompletions).then_some(OutputLimitName::MaxCompletionTokens)),
            thinking: self.thinking.or(is(KindName::Anthropic).then_some(ThinkingName::Adaptive)),
            reattach: self.reattach.or(is(KindName::Responses).then_some(false)),
        }
    }

    /// The keys that are set and that the built-in program has no use for.
    pub(super) fn keys_of_servers(&self) -> impl Iterator<Item = &'static str> + use<> {
        let keys = [
            (".base_url", self.base_url.is_some()),
            (".api_key_env", self.api_key_env.is_some()),
            (".api_key_file", self.api_key_file.is_some()),
            (".models", self.models.is_some()),
            (".connect_timeout", self.connect_timeout.is_some()),
            (".first_byte_timeout", self.first_byte_timeout.is_some()),
            (".idle_timeout", self.idle_timeout.is_some()),
            (".total_timeout", self.total_timeout.is_some()),
            (".max_concurrent_per_key", self.max_concurrent_per_key.is_some()),
            (".queue_timeout", self.queue_timeout.is_some()),
            (".max_retries", self.max_retries.is_some()),
            (".output_limit_field", self.output_limit_field.is_some()),
            (".thinking", self.thinking.is_some()),
            (".reattach", self.reattach.is_some()),
        ];
        keys.into_iter().filter(|(_, is_set)| *is_set).map(|(key, _)| key)
    }
}

/// The providers of a server that is told nothing: `eliza`.
pub(in crate::config) fn defaults() -> BTreeMap<String, ProviderSection> {
    let Capacity { max_concurrent, max_queue, .. } = Capacity::default();
    let eliza = ProviderSection {
        kind: Some(KindName::Eliza),
        enabled: Some(true),
        max_concurrent: Some(max_concurrent.get()),
        max_queue: Some(max_queue),
        ..ProviderSection::default()
    };
    BTreeMap::from([(ELIZA.to_owned(), eliza)])
}
