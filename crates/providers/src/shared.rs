//! A provider that several hold.

use std::sync::Arc;

use futures_util::{future::LocalBoxFuture, stream::LocalBoxStream};

use super::{Error, Provider, ProviderEvent, ProviderRequest};
use antiphon_domain::{Request, Timeouts};

impl<P: Provider + ?Sized> Provider for Arc<P> {
    fn open(&self, request: ProviderRequest) -> LocalBoxStream<'static, Result<Vec<ProviderEvent>, Error>> {
        self.as_ref().open(request)
    }

    fn can_reattach(&self) -> bool {
        self.as_ref().can_reattach()
    }

    fn reattach(
        &self,
        request: ProviderRequest,
        provider_response_id: String,
    ) -> LocalBoxStream<'static, Result<Vec<ProviderEvent>, Error>> {
        self.as_ref().reattach(request, provider_response_id)
    }

    fn unsupported(&self, request: &Request) -> Option<&'static str> {
        self.as_ref().unsupported(request)
    }

    fn probe(&self, timeouts: Timeouts) -> LocalBoxFuture<'static, Result<(), Error>> {
        self.as_ref().probe(timeouts)
    }
}
