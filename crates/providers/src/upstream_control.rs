//! The controls between this server and one provider: its gate, its circuit breaker, its retry budget.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::gate::{Gate, GateFigures, GateLimits, GateRefusal, Ticket};
use antiphon_domain::{
    Admit, Breaker, BreakerPolicy, BreakerState, Cause, Jitter, Permission, RetryBudget, RetryBudgetPolicy, Timestamp,
};

#[cfg(test)]
mod tests;

/// How one provider is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpstreamPolicy {
    /// The most callers that use it at once, and that wait for it.
    pub gate: GateLimits,
    /// When it is not asked, since it is down.
    pub breaker: BreakerPolicy,
    /// How many retries it is sent.
    pub retry_budget: RetryBudgetPolicy,
}

/// The circuit breaker of the provider is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the provider is not asked for now, since it is down")]
pub struct BreakerOpen {
    /// It is worth coming back after this time.
    pub retry_after: Duration,
}

/// How one provider is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpstreamHealth {
    /// What its breaker does.
    pub breaker: BreakerState,
    /// What its gate counts.
    pub gate: GateFigures,
}

/// Where random fractions come from.
pub type JitterSource = fn() -> Jitter;

/// A random fraction. Good enough to spread waits, not for secrets.
#[must_use]
pub fn random_jitter() -> Jitter {
    // The keys of the standard library's hash maps are random, and cannot fail.
    let bits = RandomState::new().hash_one(());
    Jitter::from_bits((bits >> u32::BITS) as u32)
}

/// The gate, circuit breaker and retry budget of one provider. Clones share them; any thread may use them, and locks
/// are held for a few additions only.
#[derive(Clone)]
pub struct UpstreamControl {
    gate: Gate,
    inner: Arc<ControlState>,
}

struct ControlState {
    breaker: Mutex<Breaker>,
    budget: Mutex<RetryBudget>,
    jitter: JitterSource,
}

impl UpstreamControl {
    /// Makes the controls of a provider that is not in use and of which nothing is known. [`random_jitter`] is the
    /// source to use; tests fix it.
    #[must_use]
    pub fn new(policy: UpstreamPolicy, jitter: JitterSource) -> Self {
        let inner = ControlState {
            breaker: Mutex::new(Breaker::new(policy.breaker)),
            budget: Mutex::new(RetryBudget::new(policy.retry_budget)),
            jitter,
        };
        Self { gate: Gate::new(policy.gate), inner: Arc::new(inner) }
    }

    /// Takes a slot of the gate at once, or else the last position in its queue.
    ///
    /// # Errors
    /// If the key is busy, or else if the queue is full.
    pub fn enter(&self, key: &str) -> Result<Ticket, GateRefusal> {
        self.gate.enter(key)
    }

    /// Takes a slot of the gate at once, or else the last position in its queue, however long that is: for callers
    /// whose number is bounded in another way.
    pub fn line_up(&self, key: &str) -> Ticket {
        self.gate.line_up(key)
    }

    /// Asks whether this response may make its first attempt at the provider, which pays into the retry budget.
    ///
    /// # Errors
    /// If the breaker is open, or half-open with a probe under way.
    pub fn admit(&self, now: Timestamp) -> Result<Pass, BreakerOpen> {
        let pass = self.pass(now)?;
        self.inner.budget.lock().first_attempt(now);
        Ok(pass)
    }

    /// Asks whether this response may make another attempt, which [`Self::may_retry`] allowed.
    ///
    /// # Errors
    /// If the breaker is open, or half-open with a probe under way.
    pub fn readmit(&self, now: Timestamp) -> Result<Pass, BreakerOpen> {
        self.pass(now)
    }

    /// Takes a retry out of the budget. Returns false and takes nothing if none is left.
    #[must_use]
    pub fn may_retry(&self, now: Timestamp) -> bool {
        self.inner.budget.lock().retry(now)
    }

    /// A random fraction for the wait before a retry.
    #[must_use]
    pub fn jitter(&self) -> Jitter {
        (self.inner.jitter)()
    }

    /// How the provider is doing.
    #[must_use]
    pub fn health(&self, now: Timestamp) -> UpstreamHealth {
        UpstreamHealth { breaker: self.inner.breaker.lock().state(now), gate: self.gate.figures() }
    }

    fn pass(&self, now: Timestamp) -> Result<Pass, BreakerOpen> {
        match self.inner.breaker.lock().admit(now) {
            Admit::Yes(permission) | Admit::Probe(permission) => {
                Ok(Pass { inner: Arc::clone(&self.inner), permission: Some(permission) })
            }
            Admit::No { retry_after } => Err(BreakerOpen { retry_after }),
        }
    }
}

impl fmt::Debug for UpstreamControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamControl").field("gate", &self.gate).finish_non_exhaustive()
    }
}

/// The permission to ask the provider once. Dropping it without an outcome says nothing about the provider: the
/// attempt was cancelled, or its actor failed. If it was a probe, the next attempt is the probe.
#[must_use]
pub struct Pass {
    inner: Arc<ControlState>,
    /// None once the outcome is reported.
    permission: Option<Permission>,
}

impl Pass {
    /// The provider answered with a success and will stream. A provider that was down is open to others again, on
    /// trial.
    pub fn answered(&mut self) {
        if let Some(permission) = &mut self.permission {
            self.inner.breaker.lock().answered(permission);
        }
    }

    /// The attempt went well to its end.
    pub fn succeeded(mut self) {
        if let Some(permission) = self.permission.take() {
            self.inner.breaker.lock().succeeded(permission);
        }
    }

    /// The attempt failed. What is not the provider's fault does not count against it.
    pub fn failed(mut self, cause: Cause, now: Timestamp) {
        if let Some(permission) = self.permission.take() {
            let jitter = (self.inner.jitter)();
            self.inner.breaker.lock().failed(permission, cause, now, jitter);
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(permission) = self.permission.take() {
            self.inner.breaker.lock().given_up(permission);
        }
    }
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pass").field("permission", &self.permission).finish_non_exhaustive()
    }
}
