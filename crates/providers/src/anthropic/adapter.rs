//! The adapter: the protocol's own parts, made into a provider.

use std::{fmt, future};

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::{LocalBoxStream, StreamExt as _};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use super::{decoder::AnthropicDecoder, request};
use crate::http::{Decode, Dialect, HttpUpstream};
use crate::{
    Error, Provider, ProviderEvent, ProviderRequest, StreamDecoder, UpstreamError, UpstreamLimits, UpstreamOptions,
};
use antiphon_domain::{Request, Timeouts};

/// The version of the protocol; the provider keeps old versions unchanged.
const VERSION: &str = "2023-06-01";

/// A provider that speaks Anthropic's Messages API.
#[derive(Clone)]
pub struct Anthropic(HttpUpstream);

impl Anthropic {
    /// Checks the options. Opens no connection.
    ///
    /// # Errors
    /// Says which option cannot work; never quotes the key.
    pub fn new(options: UpstreamOptions) -> Result<Self, UpstreamError> {
        Self::with_protocol_options(options, AnthropicOptions::default())
    }

    /// As [`new`](Self::new), with options of the protocol.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_protocol_options(options: UpstreamOptions, own: AnthropicOptions) -> Result<Self, UpstreamError> {
        HttpUpstream::new(AnthropicDialect { options: own }, options).map(Self)
    }

    /// Makes a decoder for the answer to a request, as [`open`](Provider::open) uses one. It opens no connection.
    #[must_use]
    pub fn decoder(&self, request: &ProviderRequest) -> StreamDecoder {
        self.0.decoder(request)
    }
}

impl fmt::Debug for Anthropic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Anthropic").field(&self.0).finish()
    }
}

impl Provider for Anthropic {
    /// Opens no connection for a request that asks for what the protocol does not have.
    fn open(&self, request: ProviderRequest) -> LocalBoxStream<'static, Result<Vec<ProviderEvent>, Error>> {
        if request::unsupported(&request.request).is_some() {
            let what = "the request asks for what it does not have";
            return future::ready(Err(Error::Protocol { what })).into_stream().boxed_local();
        }
        self.0.open(request)
    }

    fn unsupported(&self, request: &Request) -> Option<&'static str> {
        request::unsupported(request)
    }

    fn probe(&self, timeouts: Timeouts) -> LocalBoxFuture<'static, Result<(), Error>> {
        self.0.probe(timeouts)
    }
}

/// What requests of the protocol say where the client does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnthropicOptions {
    /// The form in which thinking is asked for.
    pub thinking: ThinkingForm,
    /// `max_tokens`, which the protocol demands, where neither the request nor its model has a limit.
    pub default_max_tokens: u32,
}

impl AnthropicOptions {
    /// As many tokens as every present model of Anthropic's allows.
    pub const DEFAULT_MAX_TOKENS: u32 = 32_000;
}

impl Default for AnthropicOptions {
    fn default() -> Self {
        Self { thinking: ThinkingForm::default(), default_max_tokens: Self::DEFAULT_MAX_TOKENS }
    }
}

/// The form in which thinking is asked for: models since Claude Opus 4.7 refuse the older form, and those before 4.6
/// know no other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThinkingForm {
    /// `thinking: adaptive`, with an effort.
    #[default]
    Adaptive,
    /// `thinking: enabled`, with a budget of tokens.
    Budget,
}

/// The protocol.
struct AnthropicDialect {
    options: AnthropicOptions,
}

impl Dialect for AnthropicDialect {
    fn path(&self) -> &'static str {
        "/messages"
    }

    fn key_header(&self, key: &str) -> Option<(HeaderName, HeaderValue)> {
        let mut value = HeaderValue::from_str(key).ok()?;
        value.set_sensitive(true);
        Some((HeaderName::from_static("x-api-key"), value))
    }

    fn headers(&self) -> HeaderMap {
        let version = (HeaderName::from_static("anthropic-version"), HeaderValue::from_static(VERSION));
        HeaderMap::from_iter([version])
    }

    fn body(&self, request: &ProviderRequest) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&request::AnthropicBody::new(request, &self.options))
    }

    fn decoder(&self, request: &ProviderRequest, limits: UpstreamLimits) -> Box<dyn Decode> {
        Box::new(AnthropicDecoder::new(request, limits))
    }
}
