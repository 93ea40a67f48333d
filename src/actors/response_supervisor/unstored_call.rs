//! The call of a response that is not stored, for the case that its supervisor is lost.

use std::sync::Arc;

use crate::domain::{ProviderEvent, Timeouts};
use crate::provider::{CallToCancel, Provider};

/// Has the provider end a call when this is dropped before it was over. Nobody else can find the call of a response
/// that has no log: a supervisor that panics, hangs or is given up takes the last knowledge of it along.
#[derive(Default)]
pub(super) struct UnstoredCall {
    call: Option<(Arc<dyn Provider>, CallToCancel)>,
}

impl UnstoredCall {
    /// Takes note of what a provider said.
    pub(super) fn heard(
        &mut self,
        provider: &Arc<dyn Provider>,
        (request_id, timeouts): (&str, Timeouts),
        events: &[ProviderEvent],
    ) {
        for event in events {
            if let ProviderEvent::Opened { provider_response_id: Some(id) } = event {
                let (request_id, provider_response_id) = (request_id.to_owned(), id.clone());
                let call = CallToCancel { request_id, provider_response_id, timeouts };
                self.call = Some((Arc::clone(provider), call));
            } else if let ProviderEvent::Finished(_) = event {
                self.call = None;
            }
        }
    }

    /// The call is over, or its provider is told to end it.
    pub(super) fn over(&mut self) {
        self.call = None;
    }
}

impl Drop for UnstoredCall {
    fn drop(&mut self) {
        if let Some((provider, call)) = self.call.take()
            && let Some(reattachment) = provider.reattachment()
        {
            reattachment.cancel(call);
        }
    }
}

impl std::fmt::Debug for UnstoredCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnstoredCall").field("call", &self.call.as_ref().map(|(_, call)| call)).finish()
    }
}
