//! A provider's work that goes on without a listener, and its cancel when the call is dropped.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use tokio::runtime::Handle;
use tracing::Instrument as _;

use super::UpstreamId;
use super::call::{self, Batch};
use super::upstream::UpstreamSite;
use crate::{Error, HandOver, ProviderEvent, ProviderRequest};
use antiphon_domain::Timeouts;

/// The longest wait for the answer to a cancel. Nothing else waits for it.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// The work of one call. Dropping it cancels the work, unless that is over or handed over. The stream of the call owns
/// it.
///
/// Work whose id the provider has not sent yet can't be cancelled.
pub(super) struct DetachedWork {
    site: Arc<UpstreamSite>,
    request_id: String,
    timeouts: Timeouts,
    hand_over: HandOver,
    /// The URL that cancels the work; none before the provider has sent its id, and once the work is over.
    cancel: Option<Url>,
}

impl DetachedWork {
    /// The work of a new call, or of the call with that id.
    pub(super) fn new(site: Arc<UpstreamSite>, request: &ProviderRequest, id: Option<&UpstreamId>) -> Self {
        let cancel = id.and_then(|id| cancel_url(&site, id));
        let (request_id, hand_over) = (request.request_id.clone(), request.hand_over.clone());
        Self { site, request_id, timeouts: request.target.timeouts, hand_over, cancel }
    }

    /// Follows what the provider sends.
    pub(super) fn observe(&mut self, said: &Result<Batch, Error>) {
        match said {
            Ok(events) => events.iter().for_each(|event| self.observe_event(event)),
            // The provider has given up by itself, or knows of no such work; or the connection is lost, and the call
            // can be listened to again.
            Err(
                Error::Reported(_)
                | Error::Status { .. }
                | Error::Unreachable
                | Error::ConnectTimeout
                | Error::FirstByteTimeout
                | Error::Closed,
            ) => self.cancel = None,
            // The provider may still work, and nothing usable will come of it.
            Err(Error::IdleTimeout | Error::Protocol { .. }) => {}
        }
    }

    fn observe_event(&mut self, event: &ProviderEvent) {
        if let ProviderEvent::Opened { provider_response_id } = event {
            let id = provider_response_id.as_deref().and_then(|id| UpstreamId::parse(id).ok());
            if id.is_none() {
                tracing::warn!(request_id = %self.request_id, "a provider sent no usable id, so its work can't be cancelled");
            }
            self.cancel = id.and_then(|id| cancel_url(&self.site, &id));
        } else if let ProviderEvent::Finished(_) = event {
            self.cancel = None;
        }
    }
}

fn cancel_url(site: &UpstreamSite, id: &UpstreamId) -> Option<Url> {
    site.dialect.detached().map(|detached| detached.cancel_url(&site.url, id))
}

impl Drop for DetachedWork {
    fn drop(&mut self) {
        let Some(url) = self.cancel.take().filter(|_| !self.hand_over.is_arranged()) else { return };
        let (site, request_id) = (Arc::clone(&self.site), std::mem::take(&mut self.request_id));
        let timeouts = Timeouts { first_byte: self.timeouts.first_byte.min(LONGEST_WAIT), ..self.timeouts };
        let Ok(runtime) = Handle::try_current() else {
            tracing::warn!(request_id = %request_id, "a provider keeps working: its call was dropped outside of a runtime");
            return;
        };
        let cancel = async move {
            if let Err(error) = call::cancel(&site, url, &request_id, timeouts).await {
                tracing::warn!(request_id = %request_id, error = %error, "a provider may keep working: the cancel failed");
            }
        };
        // Dropping a call does not wait for the cancel, which has a timeout of its own.
        drop(runtime.spawn(cancel.in_current_span()));
    }
}
