//! The circuit breaker: a provider that is down is not asked for a while, then by a probe.

use std::time::Duration;

use super::{Cause, Jitter, Timestamp};

#[cfg(test)]
mod tests;

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// It opens after this many failures in a row that are the provider's fault.
    pub failures: u32,
    /// The same while it knows little: after this process began, and after a probe was answered. So a restart during
    /// an outage, which forgets what was known, does not send the provider everything at once.
    pub failures_on_trial: u32,
    /// How long it stays open the first time. This doubles with each failed probe.
    pub cool_down: Duration,
    /// How long it stays open at most. A probe without an outcome for this long no longer keeps others out.
    pub longest_cool_down: Duration,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self {
            failures: 5,
            failures_on_trial: 2,
            cool_down: Duration::from_secs(5),
            longest_cool_down: Duration::from_secs(60),
        }
    }
}

/// The answer of a breaker to whoever wants to ask the provider.
#[derive(Debug)]
#[must_use]
pub enum Admit {
    /// The provider may be asked.
    Yes(Permission),
    /// The provider may be asked as a probe: the outcome decides for all others.
    Probe(Permission),
    /// The provider may not be asked.
    No {
        /// It is worth coming back after this time.
        retry_after: Duration,
    },
}

/// The permission to ask the provider once. Its holder reports the outcome, or gives the permission up; one that is
/// lost without a report keeps others out for the longest cool-down at most.
#[derive(Debug)]
#[must_use]
pub struct Permission {
    period: u64,
    probe: Option<u64>,
    answered: bool,
}

/// What a breaker does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// The provider may be asked.
    Closed,
    /// The provider may not be asked.
    Open {
        /// How long this lasts. Zero: the next attempt is the probe.
        retry_after: Duration,
    },
    /// A probe is under way, and all others are refused until its outcome is known.
    HalfOpen,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed,
    Open { since: Timestamp, wait: Duration },
    HalfOpen { since: Timestamp, probe: u64 },
}

/// What an outcome says about the provider.
enum Sign {
    /// The provider works: it decided about the request.
    Life,
    /// The provider does not work.
    Fault,
    /// Nothing about the provider.
    Neither,
}

impl Sign {
    const fn of(cause: Cause) -> Self {
        match cause {
            Cause::ProviderUnreachable
            | Cause::ConnectTimeout
            | Cause::FirstByteTimeout
            | Cause::IdleTimeout
            | Cause::ProviderUnavailable
            | Cause::UpstreamClosed => Self::Fault,
            Cause::ProviderUnauthorized
            | Cause::ProviderRateLimited
            | Cause::ProviderRejected
            | Cause::ContextLengthExceeded => Self::Life,
            Cause::ProviderProtocolError
            | Cause::ProviderReportedError
            | Cause::ContentTooLarge
            | Cause::DeadlineExceeded
            | Cause::InternalError
            | Cause::ServerInterrupted
            | Cause::DatabaseUnavailable
            | Cause::ProviderCircuitOpen
            | Cause::QueueTimeout
            | Cause::HistoryUnavailable
            | Cause::ModelUnavailable
            | Cause::ServerOverloaded => Self::Neither,
        }
    }
}

/// A circuit breaker in front of one provider.
///
/// Outcomes count for the period in which the permission was given: a straggler from before an outage neither opens
/// nor closes it.
#[derive(Debug)]
pub struct Breaker {
    policy: BreakerPolicy,
    state: State,
    /// Counts openings and closings.
    period: u64,
    probes: u64,
    on_trial: bool,
    /// Failures in a row before an answer.
    unanswered: u32,
    /// Failures in a row after an answer.
    cut: u32,
    /// How long it stays open the next time.
    cool_down: Duration,
}

impl Breaker {
    /// Makes a closed breaker that knows nothing of the provider yet.
    #[must_use]
    pub const fn new(policy: BreakerPolicy) -> Self {
        Self {
            policy,
            state: State::Closed,
            period: 0,
            probes: 0,
            on_trial: true,
            unanswered: 0,
            cut: 0,
            cool_down: policy.cool_down,
        }
    }

    /// Asks whether an attempt may be made.
    pub fn admit(&mut self, now: Timestamp) -> Admit {
        self.mend_clock(now);
        let left = match self.state {
            State::Closed => return Admit::Yes(Permission { period: self.period, probe: None, answered: false }),
            State::Open { since, wait } => wait.saturating_sub(elapsed(since, now)),
            State::HalfOpen { since, .. } => self.policy.longest_cool_down.saturating_sub(elapsed(since, now)),
        };
        if left.is_zero() {
            self.probes = self.probes.wrapping_add(1);
            self.state = State::HalfOpen { since: now, probe: self.probes };
            return Admit::Probe(Permission { period: self.period, probe: Some(self.probes), answered: false });
        }
        match self.state {
            // The probe may be over any moment.
            State::HalfOpen { .. } => Admit::No { retry_after: left.min(self.policy.cool_down) },
            State::Closed | State::Open { .. } => Admit::No { retry_after: left },
        }
    }

    /// The provider answered with a success and will stream. That is all that a probe has to find out: others need not
    /// wait for the end of its stream.
    pub const fn answered(&mut self, permission: &mut Permission) {
        if permission.period != self.period || permission.answered {
            return;
        }
        permission.answered = true;
        if permission.probe.take().is_some() {
            self.close();
            permission.period = self.period;
        }
        self.unanswered = 0;
    }

    /// The attempt went well to its end.
    pub const fn succeeded(&mut self, permission: Permission) {
        if permission.period != self.period {
            return;
        }
        if permission.probe.is_some() {
            self.close();
        }
        self.on_trial = false;
        self.unanswered = 0;
        self.cut = 0;
        self.cool_down = self.policy.cool_down;
    }

    /// The attempt failed. Only what is the provider's fault counts against it; a provider that refuses a request is
    /// alive. The jitter shortens a cool-down by up to a quarter, so that nodes do not probe together.
    pub fn failed(&mut self, permission: Permission, cause: Cause, now: Timestamp, jitter: Jitter) {
        match Sign::of(cause) {
            Sign::Life => self.succeeded(permission),
            Sign::Neither => self.given_up(permission),
            Sign::Fault if permission.period != self.period => {}
            Sign::Fault if permission.probe.is_some() => {
                if self.is_the_probe(&permission) {
                    self.open(now, jitter);
                }
            }
            Sign::Fault => {
                let failures = if permission.answered { &mut self.cut } else { &mut self.unanswered };
                *failures = failures.saturating_add(1);
                let allowed = if self.on_trial { self.policy.failures_on_trial } else { self.policy.failures };
                if self.unanswered.saturating_add(self.cut) >= allowed {
                    self.open(now, jitter);
                }
            }
        }
    }

    /// The attempt ended without saying anything about the provider: it was cancelled, or failed on this side.
    ///
    /// A probe that is given up is neither a success nor a failure: the cool-down is over as it was, and the next one
    /// who asks is the next probe. So clients that leave early can neither close the breaker nor keep it open.
    pub const fn given_up(&mut self, permission: Permission) {
        if let State::HalfOpen { since, .. } = self.state
            && self.is_the_probe(&permission)
        {
            self.state = State::Open { since, wait: Duration::ZERO };
        }
    }

    /// What the breaker does now.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> BreakerState {
        match self.state {
            State::Closed => BreakerState::Closed,
            State::Open { since, wait } => BreakerState::Open { retry_after: wait.saturating_sub(elapsed(since, now)) },
            State::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    const fn is_the_probe(&self, permission: &Permission) -> bool {
        match (self.state, permission.probe) {
            (State::HalfOpen { probe, .. }, Some(own)) => probe == own && permission.period == self.period,
            (State::HalfOpen { .. } | State::Closed | State::Open { .. }, _) => false,
        }
    }

    const fn close(&mut self) {
        self.period = self.period.wrapping_add(1);
        self.state = State::Closed;
        self.on_trial = true;
        self.unanswered = 0;
        self.cut = 0;
    }

    fn open(&mut self, now: Timestamp, jitter: Jitter) {
        self.period = self.period.wrapping_add(1);
        let most = self.cool_down.min(self.policy.longest_cool_down);
        self.state = State::Open { since: now, wait: most.saturating_sub(jitter.of(most / 4)) };
        self.cool_down = most.saturating_mul(2);
    }

    /// A clock that was set back begins the wait anew, and makes it no longer.
    fn mend_clock(&mut self, now: Timestamp) {
        match &mut self.state {
            State::Open { since, .. } | State::HalfOpen { since, .. } => *since = (*since).min(now),
            State::Closed => {}
        }
    }
}

fn elapsed(since: Timestamp, now: Timestamp) -> Duration {
    let micros = now.as_micros().saturating_sub(since.as_micros());
    Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}
