//! A provider's work that goes on without a listener, and its end when the listener lets go of it.

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

/// The longest wait for the answer to a cancel. Nobody waits with it.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// The work of one call. Dropping it cancels the work, unless that is over or handed over; it belongs to the stream of
/// the call and is dropped with it.
///
/// Work of which the provider has not told its id yet can't be cancelled.
pub(super) struct DetachedWork {
    site: Arc<UpstreamSite>,
    request_id: String,
    timeouts: Timeouts,
    hand_over: HandOver,
    /// Where it is cancelled; none before the provider has told its id, and once the work is over.
    cancel: Option<Url>,
}

impl DetachedWork {
    /// Work that is asked for, if the id is none yet, or goes on under that id.
    pub(super) fn new(site: Arc<UpstreamSite>, request: &ProviderRequest, id: Option<&UpstreamId>) -> Self {
        let cancel = id.and_then(|id| cancel_url(&site, id));
        let (request_id, hand_over) = (request.request_id.clone(), request.hand_over.clone());
        Self { site, request_id, timeouts: request.target.timeouts, hand_over, cancel }
    }

    /// Takes note of what the provider said.
    pub(super) fn heard(&mut self, said: &Result<Batch, Error>) {
        match said {
            Ok(events) => events.iter().for_each(|event| self.heard_event(event)),
            // It has given up by itself, or knows of no such work; or the connection is lost, and whoever listened
            // can listen again.
            Err(
                Error::Reported(_)
                | Error::Status { .. }
                | Error::Unreachable
                | Error::ConnectTimeout
                | Error::FirstByteTimeout
                | Error::Closed,
            ) => self.cancel = None,
            // What it says is of no use any more.
            Err(Error::IdleTimeout | Error::Protocol { .. }) => {}
        }
    }

    fn heard_event(&mut self, event: &ProviderEvent) {
        if let ProviderEvent::Opened { provider_response_id } = event {
            let id = provider_response_id.as_deref().and_then(|id| UpstreamId::parse(id).ok());
            if id.is_none() {
                tracing::warn!(request_id = %self.request_id, "a provider gave no id that its work can be ended by");
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
            tracing::warn!(request_id = %request_id, "a provider works on: its call was dropped outside of a runtime");
            return;
        };
        let cancel = async move {
            if let Err(error) = call::cancel(&site, url, &request_id, timeouts).await {
                tracing::warn!(request_id = %request_id, error = %error, "a provider may work on: it took no cancel");
            }
        };
        // Whoever lets go of a call waits for nothing; the wait has an end of its own.
        drop(runtime.spawn(cancel.in_current_span()));
    }
}
