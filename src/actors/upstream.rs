//! A provider as a node has it: with what stands in front of it.

use std::{sync::Arc, time::Duration};

use crate::domain::{BreakerPolicy, RetryBudgetPolicy, RetryPolicy};
use crate::provider::{GateLimits, Provider, UpstreamControl, UpstreamPolicy, random_jitter};

/// How many may use a provider at once, how long the others wait, and how often a failed attempt is made again.
#[derive(Debug, Clone, Copy)]
pub struct ProviderOptions {
    /// How many may use it at once, and how many wait in line.
    pub gate: GateLimits,
    /// How long a foreground response waits in line.
    pub queue_timeout: Duration,
    /// How often and after which waits it is asked again.
    pub retry: RetryPolicy,
    /// When it is left alone.
    pub breaker: BreakerPolicy,
    /// How many retries it is sent in all.
    pub retry_budget: RetryBudgetPolicy,
}

impl Default for ProviderOptions {
    fn default() -> Self {
        const SOME: std::num::NonZeroUsize = std::num::NonZeroUsize::new(1024).unwrap();
        Self {
            gate: GateLimits { max_concurrent: SOME, max_queue: SOME.get(), max_concurrent_per_key: None },
            queue_timeout: Duration::from_secs(30),
            retry: RetryPolicy::default(),
            breaker: BreakerPolicy::default(),
            retry_budget: RetryBudgetPolicy::default(),
        }
    }
}

/// A provider with what stands in front of it. Clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct Upstream {
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) control: UpstreamControl,
    pub(crate) queue_timeout: Duration,
    pub(crate) retry: RetryPolicy,
}

impl Upstream {
    pub(crate) fn new(provider: Arc<dyn Provider>, limits: ProviderOptions) -> Self {
        let ProviderOptions { gate, queue_timeout, retry, breaker, retry_budget } = limits;
        let control = UpstreamControl::new(UpstreamPolicy { gate, breaker, retry_budget }, random_jitter);
        Self { provider, control, queue_timeout, retry }
    }
}
