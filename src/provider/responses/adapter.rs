//! The adapter: the protocol's own parts, made into a provider.

use std::fmt;

use futures_util::future::LocalBoxFuture;
use futures_util::stream::LocalBoxStream;
use reqwest::header::{HeaderName, HeaderValue};

use super::{decoder::Decoder, request::Body};
use crate::domain::Timeouts;
use crate::provider::http::{Decode, Dialect, Upstream, bearer};
use crate::provider::{Error, Provider, ProviderEvent, ProviderRequest, UpstreamError, UpstreamOptions};

/// A provider that speaks OpenAI's Responses. It is asked to store nothing: each request brings all that the
/// model is to know.
#[derive(Clone)]
pub struct Responses(Upstream);

impl Responses {
    /// Checks the options. Opens no connection.
    ///
    /// # Errors
    /// Says which option cannot work; never quotes the key.
    pub fn new(options: UpstreamOptions) -> Result<Self, UpstreamError> {
        Upstream::new(Native, options).map(Self)
    }
}

impl fmt::Debug for Responses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Responses").field(&self.0).finish()
    }
}

impl Provider for Responses {
    fn open(&self, request: ProviderRequest) -> LocalBoxStream<'static, Result<Vec<ProviderEvent>, Error>> {
        self.0.open(request)
    }

    fn probe(&self, timeouts: Timeouts) -> LocalBoxFuture<'static, Result<(), Error>> {
        self.0.probe(timeouts)
    }
}

/// The protocol.
struct Native;

impl Dialect for Native {
    fn path(&self) -> &'static str {
        "/responses"
    }

    fn key_header(&self, key: &str) -> Option<(HeaderName, HeaderValue)> {
        bearer(key)
    }

    fn body(&self, request: &ProviderRequest) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&Body::new(request)?)
    }

    fn decoder(&self, _: &ProviderRequest) -> Box<dyn Decode> {
        Box::new(Decoder::default())
    }
}
