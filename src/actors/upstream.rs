//! A provider with its gate, breaker and retry budget.

use std::{sync::Arc, time::Duration};

use crate::domain::{BreakerPolicy, RetryBudgetPolicy, RetryPolicy};
use crate::provider::{GateLimits, Provider, UpstreamControl, UpstreamPolicy, random_jitter};

/// The limits of a provider: how many calls it gets at once, how long others wait, and how often failed attempts are
/// retried.
#[derive(Debug, Clone, Copy)]
pub struct ProviderOptions {
    /// How many calls it gets at once, and how many wait in the queue.
    pub gate: GateLimits,
    /// How long a foreground response waits in the queue.
    pub queue_timeout: Duration,
    /// How often a failed attempt is retried, and after which waits.
    pub retry: RetryPolicy,
    /// When calls to it are suspended after failures.
    pub breaker: BreakerPolicy,
    /// How many retries it gets in all.
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

/// A provider with its gate, breaker and retry budget. Clones share them.
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
