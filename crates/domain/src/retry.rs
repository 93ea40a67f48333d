//! What follows a failed attempt: another one at the same target, one at the next target, or nothing.
//!
//! A target is a provider and a model at it. Targets are asked in the order of the configuration.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Cause, Jitter, ProviderRejection};

#[cfg(test)]
mod tests;

/// No wait is longer, whatever the configuration or a provider says.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// No turn has more attempts, whatever the configuration says.
const MOST_ATTEMPTS: u16 = 64;

/// How often and after which waits a target is asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetryPolicy {
    /// The most retries at one target, the first attempt at it not counted.
    pub max_retries: u32,
    /// The longest wait before a target's first retry. It doubles with each further one.
    #[serde(skip)]
    pub base_delay: Duration,
    /// The longest wait that doubling leads to; never more than a minute.
    #[serde(skip)]
    pub longest_delay: Duration,
    /// The longest wait that a provider may ask for and be asked again; never more than a minute.
    #[serde(skip)]
    pub longest_retry_after: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_retries: 2,
            base_delay: Duration::from_millis(250),
            longest_delay: Duration::from_secs(8),
            longest_retry_after: Duration::from_secs(10),
        }
    }
}

/// What a failure says about asking again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureClass {
    /// The provider did no work, or nothing came of it. The same target may be asked again, then the next one.
    NotAccepted,
    /// The provider may have worked, and may bill it. Only the next target may be asked.
    Unknown,
    /// This target cannot serve the request. The next one may.
    Refused,
    /// The request is at fault, or this server is. No other target would help.
    Rejected,
}

impl FailureClass {
    /// The class of a failure with that cause. The status is the provider's HTTP status, or the one that an error
    /// in mid-stream names; none if there was none.
    #[must_use]
    pub const fn of(cause: Cause, status: Option<u16>) -> Self {
        match cause {
            Cause::ContentTooLarge
            | Cause::DeadlineExceeded
            | Cause::ServerInterrupted
            | Cause::DatabaseUnavailable
            | Cause::QueueTimeout
            | Cause::HistoryUnavailable
            | Cause::ModelUnavailable => Self::Rejected,
            // Another model may have a larger window.
            Cause::ContextLengthExceeded | Cause::ProviderCircuitOpen => Self::Refused,
            // Some providers tell of a wrong key with the status of a bad request.
            Cause::ProviderUnauthorized => Self::Refused,
            Cause::ProviderUnreachable | Cause::ConnectTimeout | Cause::ServerOverloaded => Self::NotAccepted,
            // The reader of the provider's stream failed: what the provider did is not known.
            Cause::FirstByteTimeout | Cause::IdleTimeout | Cause::UpstreamClosed | Cause::InternalError => {
                Self::Unknown
            }
            Cause::ProviderRejected => Self::of_status(status, Self::Rejected),
            Cause::ProviderRateLimited | Cause::ProviderUnavailable => match status {
                // It is not the request that is at fault, whatever the status says.
                Some(400 | 409..=428 | 430..=499) => Self::Refused,
                status => Self::of_status(status, Self::NotAccepted),
            },
            Cause::ProviderProtocolError | Cause::ProviderReportedError => Self::of_status(status, Self::Unknown),
        }
    }

    const fn of_status(status: Option<u16>, without: Self) -> Self {
        match status {
            Some(408 | 429 | 500..) => Self::NotAccepted,
            // A redirect, and an account that is out of money, are as lasting as a wrong key or model.
            Some(300..=399 | 401..=404) => Self::Refused,
            Some(400..=499) => Self::Rejected,
            Some(0..=299) | None => without,
        }
    }
}

/// How an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The cause that the response ends with if nothing follows.
    pub cause: Cause,
    /// What it says about asking again.
    pub class: FailureClass,
    /// The provider's HTTP status, if there was one.
    pub provider_status: Option<u16>,
    /// The wait that the provider asked for.
    pub retry_after: Option<Duration>,
    /// What the provider said of the request, if that is at fault.
    pub rejection: Option<Box<ProviderRejection>>,
}

impl Failure {
    /// An attempt that failed for that cause, with the provider's HTTP status if there was one.
    #[must_use]
    pub const fn new(cause: Cause, status: Option<u16>, retry_after: Option<Duration>) -> Self {
        Self { cause, class: FailureClass::of(cause, status), provider_status: status, retry_after, rejection: None }
    }

    /// The same with the provider's words about the request, as far as they are kept.
    #[must_use]
    pub fn with_rejection(self, rejection: Option<ProviderRejection>) -> Self {
        Self { rejection: rejection.map(|rejection| Box::new(rejection.bounded())), ..self }
    }

    /// The same of an attempt of which nothing came although the provider says that it is over: another one may bring
    /// more, also at the same target.
    #[must_use]
    pub fn without_outcome(self) -> Self {
        Self { class: FailureClass::NotAccepted, ..self }
    }

    /// Whether the provider itself reported that it failed, or broke its protocol.
    #[must_use]
    pub const fn is_reported_by_provider(&self) -> bool {
        self.rejection.is_some()
            || matches!(
                self.cause,
                Cause::ProviderReportedError | Cause::ProviderProtocolError | Cause::ContextLengthExceeded
            )
    }

    /// Whether this server could not ask the provider, which therefore has no part in it.
    #[must_use]
    pub const fn is_own(&self) -> bool {
        matches!(self.cause, Cause::ServerOverloaded)
    }

    /// Whether the provider does not work on the call, or not any more: it said so, or knows of no such call.
    #[must_use]
    pub const fn ends_provider_work(&self) -> bool {
        matches!(self.class, FailureClass::Refused | FailureClass::Rejected)
            || matches!(self.cause, Cause::ProviderReportedError)
    }

    /// An attempt that was not made, since the target's circuit breaker is open or its gate is full. The target is
    /// not waited for, but the next one may be asked.
    #[must_use]
    pub const fn not_asked(cause: Cause, retry_after: Option<Duration>) -> Self {
        Self { cause, class: FailureClass::Refused, provider_status: None, retry_after, rejection: None }
    }
}

/// What follows a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Ask the same target again.
    Retry {
        /// After this wait.
        after: Duration,
    },
    /// Ask another target, at once.
    Fallback {
        /// Which one, from 0.
        target: usize,
    },
    /// Nothing. The response fails with the cause.
    GiveUp,
}

/// What follows for a call whose connection failed, at a provider that works on without a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reattach {
    /// Listen to the call again.
    Again {
        /// After this wait.
        after: Duration,
    },
    /// Nothing: the call may still run, but too many tries to listen to it failed.
    GivenUp,
    /// Nothing: the call has failed at the provider.
    Pointless,
}

/// What was tried in one turn so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempts {
    targets: usize,
    target: usize,
    retries: u32,
    opened: u16,
    output_began: bool,
}

impl Attempts {
    /// Makes the state of a turn without attempts that has that many targets.
    #[must_use]
    pub const fn at(targets: usize) -> Self {
        Self { targets, target: 0, retries: 0, opened: 0, output_began: false }
    }

    /// As [`at`](Self::at), where the first target was asked that often by an earlier process.
    #[must_use]
    pub const fn resumed(targets: usize, opened: u16) -> Self {
        Self { opened, ..Self::at(targets) }
    }

    /// The same, but beginning at that target, if there is one.
    #[must_use]
    pub const fn from_target(self, target: usize) -> Self {
        if target < self.targets { Self { target, ..self } } else { self }
    }

    /// Whether any target was asked.
    #[must_use]
    pub const fn has_opened(&self) -> bool {
        self.opened > 0
    }

    /// The target that is asked now, from 0.
    #[must_use]
    pub const fn target(&self) -> usize {
        self.target
    }

    /// Opens an attempt and returns its number in the turn, from 1.
    #[must_use]
    pub fn open(&mut self) -> u16 {
        self.opened = self.opened.saturating_add(1);
        self.opened
    }

    /// Records that a client may have seen output. From now on nothing is tried again, since text would come twice.
    pub const fn output_began(&mut self) {
        self.output_began = true;
    }

    /// Records that the decision of the policy is carried out.
    pub const fn follow(&mut self, next: Next) {
        match next {
            Next::Retry { .. } => self.retries = self.retries.saturating_add(1),
            Next::Fallback { target } => {
                self.target = target;
                self.retries = 0;
            }
            Next::GiveUp => {}
        }
    }
}

impl RetryPolicy {
    /// What follows a failure. `may_retry` asks the target's retry budget; it is called, and may spend a retry, only
    /// where a retry would follow. Where this server itself could not ask, it tries again for half a minute or so, whatever
    /// policy and budget say, before it asks another target: the provider has no part in it.
    ///
    /// A wait is at most a minute, and random up to a ceiling that doubles, so that many callers do not come back
    /// together. It is no shorter than what the provider asked for.
    #[must_use]
    pub fn next(
        &self,
        attempts: &Attempts,
        failure: &Failure,
        jitter: Jitter,
        may_retry: impl FnOnce() -> bool,
    ) -> Next {
        if attempts.output_began || attempts.opened >= MOST_ATTEMPTS {
            return Next::GiveUp;
        }
        if failure.is_own() {
            let policy = Self { longest_retry_after: LONGEST_WAIT, ..Self::patient() };
            let wait = policy.wait(attempts.retries, failure.retry_after, jitter);
            return wait.map_or_else(|| fallback(attempts), |after| Next::Retry { after });
        }
        match failure.class {
            FailureClass::Rejected => Next::GiveUp,
            FailureClass::Unknown | FailureClass::Refused => fallback(attempts),
            FailureClass::NotAccepted => match self.wait(attempts.retries, failure.retry_after, jitter) {
                Some(after) if may_retry() => Next::Retry { after },
                Some(_) | None => fallback(attempts),
            },
        }
    }

    /// How a lost call is listened to again: ten times more, within half a minute or so.
    #[must_use]
    pub const fn reattach() -> Self {
        Self::patient()
    }

    /// Ten times more, within half a minute or so.
    const fn patient() -> Self {
        Self {
            max_retries: 10,
            base_delay: Duration::from_millis(250),
            longest_delay: Duration::from_secs(5),
            longest_retry_after: Duration::ZERO,
        }
    }

    /// Decides what follows for a call that its provider works on without a listener, after that many failed tries to
    /// listen again. Only a connection that was lost or refused for now is tried again: an error that the provider
    /// reported is final.
    #[must_use]
    pub fn reattach_after(&self, times: u32, failure: &Failure, jitter: Jitter) -> Reattach {
        let lost = match failure.class {
            FailureClass::NotAccepted => failure.cause != Cause::ProviderProtocolError,
            FailureClass::Unknown => matches!(failure.cause, Cause::UpstreamClosed | Cause::FirstByteTimeout),
            FailureClass::Refused | FailureClass::Rejected => false,
        };
        match self.wait(times, None, jitter) {
            _ if !lost => Reattach::Pointless,
            Some(after) => Reattach::Again { after },
            None => Reattach::GivenUp,
        }
    }

    /// The wait before another retry; none if the target is not worth it.
    fn wait(&self, retries: u32, retry_after: Option<Duration>, jitter: Jitter) -> Option<Duration> {
        let asked = retry_after.unwrap_or_default();
        if retries >= self.max_retries || asked > self.longest_retry_after.min(LONGEST_WAIT) {
            return None;
        }
        let doubled = self.base_delay.saturating_mul(1_u32.checked_shl(retries).unwrap_or(u32::MAX));
        Some(jitter.of(doubled.min(self.longest_delay).min(LONGEST_WAIT)).max(asked))
    }
}

fn fallback(attempts: &Attempts) -> Next {
    let target = attempts.target.saturating_add(1);
    if target < attempts.targets { Next::Fallback { target } } else { Next::GiveUp }
}
