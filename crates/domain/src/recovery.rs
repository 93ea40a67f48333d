//! What becomes of a response whose process is gone.

use super::{Attempt, DisconnectPolicy, RunPolicy, Transcript};

/// What whoever takes over a response does with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovery {
    /// End it: the fold decides how.
    Settle,
    /// Run it: no provider was asked yet.
    Run,
    /// Go on listening to the provider that may still be at work for it.
    Reattach(LostCall),
}

/// A call of a provider whose listener is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostCall {
    /// Which call.
    pub attempt: Attempt,
    /// The provider's name in the configuration.
    pub provider: String,
    /// The model's name at the provider.
    pub model: String,
    /// The provider's own id of its response.
    pub provider_response_id: String,
}

impl Transcript {
    /// What follows for a stored response of which this is the whole log.
    ///
    /// A provider that was asked is never asked again, because it may have worked and may bill that. A foreground
    /// response is gone on with only where its client can come back to it.
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        let (Some(request), Some(run_policy)) = (self.request(), self.run_policy()) else { return Recovery::Settle };
        if self.ended().is_some() || self.verdict().is_some() {
            return Recovery::Settle;
        }
        if self.provider_calls().next().is_none() {
            return if request.background { Recovery::Run } else { Recovery::Settle };
        }
        match self.lost_call() {
            Some(call) if request.background || waits_for_a_client(run_policy) => Recovery::Reattach(call),
            Some(_) | None => Recovery::Settle,
        }
    }
}

fn waits_for_a_client(run_policy: &RunPolicy) -> bool {
    match run_policy.disconnect {
        DisconnectPolicy::Continue => true,
        DisconnectPolicy::Grace(_) => run_policy.resumable,
        DisconnectPolicy::Cancel => false,
    }
}
