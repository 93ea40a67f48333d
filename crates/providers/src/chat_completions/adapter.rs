//! The adapter: the protocol's own parts, made into a provider.

use std::fmt;

use futures_util::future::LocalBoxFuture;
use futures_util::stream::LocalBoxStream;
use hyper::header::{HeaderName, HeaderValue};

use super::{ChatForm, decoder::ChatDecoder, request::ChatBody};
use crate::http::{Decode, Dialect, HttpUpstream, bearer};
use crate::{
    Error, Provider, ProviderEvent, ProviderRequest, StreamDecoder, UpstreamError, UpstreamLimits, UpstreamOptions,
};
use antiphon_domain::Timeouts;

/// A provider that speaks OpenAI's Chat Completions.
#[derive(Clone)]
pub struct ChatCompletions(HttpUpstream);

impl ChatCompletions {
    /// Checks the options. Opens no connection.
    ///
    /// # Errors
    /// Says which option cannot work; never quotes the key.
    pub fn new(options: UpstreamOptions) -> Result<Self, UpstreamError> {
        Self::with_form(options, ChatForm::default())
    }

    /// The same, for a server that wants requests in another form.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_form(options: UpstreamOptions, form: ChatForm) -> Result<Self, UpstreamError> {
        HttpUpstream::new(ChatDialect { form }, options).map(Self)
    }

    /// Makes a decoder for the answer to a request, as [`open`](Provider::open) uses one. It opens no connection.
    #[must_use]
    pub fn decoder(&self, request: &ProviderRequest) -> StreamDecoder {
        self.0.decoder(request)
    }
}

impl fmt::Debug for ChatCompletions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChatCompletions").field(&self.0).finish()
    }
}

impl Provider for ChatCompletions {
    fn open(&self, request: ProviderRequest) -> LocalBoxStream<'static, Result<Vec<ProviderEvent>, Error>> {
        self.0.open(request)
    }

    fn probe(&self, timeouts: Timeouts) -> LocalBoxFuture<'static, Result<(), Error>> {
        self.0.probe(timeouts)
    }
}

/// The protocol.
struct ChatDialect {
    form: ChatForm,
}

impl Dialect for ChatDialect {
    fn path(&self) -> &'static str {
        "/chat/completions"
    }

    fn key_header(&self, key: &str) -> Option<(HeaderName, HeaderValue)> {
        bearer(key)
    }

    fn body(&self, request: &ProviderRequest) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&ChatBody::new(request, &self.form))
    }

    fn decoder(&self, request: &ProviderRequest, limits: UpstreamLimits) -> Box<dyn Decode> {
        Box::new(ChatDecoder::new(request, limits))
    }
}
