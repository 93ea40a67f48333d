//! Work of a provider that goes on without a listener, and its cancel.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tracing::Instrument as _;

use super::UpstreamId;
use super::call::{self, Batch};
use super::upstream::UpstreamSite;
use crate::{CallToCancel, Error, ProviderEvent};
use antiphon_domain::Timeouts;

/// The longest wait for the answer to a cancel. Nothing else waits for it.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Says so in the log if a provider opens a call without an id by which it could be found again.
pub(super) fn check_id(request_id: &str, said: &Result<Batch, Error>) {
    for event in said.iter().flatten() {
        if let ProviderEvent::Opened { provider_response_id } = event
            && provider_response_id.as_deref().is_none_or(|id| UpstreamId::parse(id).is_err())
        {
            tracing::warn!(request_id, "a provider sent no usable id, so its work can't be cancelled");
        }
    }
}

/// Tells the provider to end its work on a call. Does not wait for its answer, which has a timeout of its own.
pub(super) fn cancel(
    site: &Arc<UpstreamSite>,
    CallToCancel { request_id, provider_response_id, timeouts }: CallToCancel,
) {
    // An id that is none was told of when the call was opened.
    let Ok(id) = UpstreamId::parse(&provider_response_id) else { return };
    let Some(url) = site.dialect.detached().map(|detached| detached.cancel_url(&site.url, &id)) else { return };
    let Ok(runtime) = Handle::try_current() else {
        tracing::warn!(request_id = %request_id, "a provider keeps working: its call was cancelled outside of a runtime");
        return;
    };
    let timeouts = Timeouts { first_byte: timeouts.first_byte.min(LONGEST_WAIT), ..timeouts };
    let site = Arc::clone(site);
    let cancel = async move {
        if let Err(error) = call::cancel(&site, url, &request_id, timeouts).await {
            tracing::warn!(request_id = %request_id, error = %error, "a provider may keep working: the cancel failed");
        }
    };
    drop(runtime.spawn(cancel.in_current_span()));
}
