//! A provider with its gate, breaker and retry budget.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::domain::options::{OptionChecks, OptionError, duration};
use crate::domain::{BreakerPolicy, RetryBudgetPolicy, RetryPolicy};
use crate::provider::{GateLimits, Provider, UpstreamControl, UpstreamPolicy, random_jitter};

/// `[providers.NAME]`, for any provider: how many responses may use it at once, how long the others wait, and how often
/// a failed attempt is made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProviderOptions {
    /// How many calls it gets at once, and how many wait in the queue.
    #[serde(rename = "..gate")]
    pub gate: GateLimits,
    /// How long a foreground response waits in the queue.
    #[serde(with = "duration")]
    pub queue_timeout: Duration,
    /// How often a failed attempt is retried, and after which waits.
    #[serde(rename = "..retry")]
    pub retry: RetryPolicy,
    /// When calls to it are suspended after failures.
    #[serde(skip)]
    pub breaker: BreakerPolicy,
    /// How many retries it gets in all.
    #[serde(skip)]
    pub retry_budget: RetryBudgetPolicy,
}

impl ProviderOptions {
    /// Checks the ranges that a configuration is held to.
    #[must_use]
    pub fn check(&self) -> Vec<OptionError> {
        const MOST_AT_ONCE: usize = 100_000;
        let mut checks = OptionChecks::default();
        checks.range("max_concurrent", self.gate.max_concurrent.get(), 1..=MOST_AT_ONCE);
        checks.range("max_queue", self.gate.max_queue, 0..=1_000_000);
        if let Some(most) = self.gate.max_concurrent_per_key {
            checks.range("max_concurrent_per_key", most.get(), 1..=MOST_AT_ONCE);
        }
        checks.range("max_retries", self.retry.max_retries, 0..=10);
        checks.into_errors()
    }
}

impl Default for ProviderOptions {
    fn default() -> Self {
        Self {
            gate: GateLimits::default(),
            queue_timeout: Duration::from_secs(30),
            retry: RetryPolicy::default(),
            breaker: BreakerPolicy::default(),
            retry_budget: RetryBudgetPolicy::default(),
        }
    }
}

/// A provider with its gate, breaker and retry budget. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Upstream {
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) control: UpstreamControl,
    pub(crate) queue_timeout: Duration,
    pub(crate) retry: RetryPolicy,
}

impl Upstream {
    pub(crate) fn new(provider: Arc<dyn Provider>, options: ProviderOptions) -> Self {
        let ProviderOptions { gate, queue_timeout, retry, breaker, retry_budget } = options;
        let control = UpstreamControl::new(UpstreamPolicy { gate, breaker, retry_budget }, random_jitter);
        Self { provider, control, queue_timeout, retry }
    }
}
