//! The adapter: the protocol's own parts, made into a provider.

use std::fmt;

use futures_util::future::LocalBoxFuture;
use futures_util::stream::LocalBoxStream;
use hyper::header::{HeaderName, HeaderValue};
use url::Url;

use super::decoder::ResponsesDecoder;
use super::request::{ResponsesBody, included};
use crate::http::{Decode, Detached, Dialect, HttpUpstream, UpstreamId, bearer};
use crate::{
    CallToCancel, Error, Provider, ProviderEvent, ProviderRequest, Reattachment, StreamDecoder, UpstreamError,
    UpstreamLimits, UpstreamOptions,
};
use antiphon_domain::Timeouts;

/// A provider that speaks OpenAI's Responses. It is asked to store nothing, unless calls have to outlive their
/// listener: each request brings all that the model is to know.
#[derive(Clone)]
pub struct Responses(HttpUpstream);

impl Responses {
    /// Checks the options. Opens no connection.
    ///
    /// # Errors
    /// Says which option cannot work; never quotes the key.
    pub fn new(options: UpstreamOptions) -> Result<Self, UpstreamError> {
        Self::with_form(options, ResponsesForm::default())
    }

    /// As [`new`](Self::new), for a provider that is to work in the background and to keep its responses, so that a
    /// call can be listened to again after its listener was lost. A call that is given up before its end is cancelled
    /// there by a request of its own; one that is given up before the provider has sent its id can't be, and runs there
    /// to its end.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn reattachable(options: UpstreamOptions) -> Result<Self, UpstreamError> {
        Self::with_form(options, ResponsesForm { lasting: true, ..ResponsesForm::default() })
    }

    /// As [`new`](Self::new), for a provider that is asked in another form. One that is lasting is
    /// [`reattachable`](Self::reattachable).
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_form(options: UpstreamOptions, form: ResponsesForm) -> Result<Self, UpstreamError> {
        HttpUpstream::new(ResponsesDialect { form }, options).map(Self)
    }

    /// Makes a decoder for the answer to a request, as [`open`](Provider::open) uses one. It opens no connection.
    #[must_use]
    pub fn decoder(&self, request: &ProviderRequest) -> StreamDecoder {
        self.0.decoder(request)
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

    fn reattachment(&self) -> Option<&dyn Reattachment> {
        self.0.can_reattach().then_some(self as &dyn Reattachment)
    }

    fn probe(&self, timeouts: Timeouts) -> LocalBoxFuture<'static, Result<(), Error>> {
        self.0.probe(timeouts)
    }
}

impl Reattachment for Responses {
    fn reattach(
        &self,
        request: ProviderRequest,
        provider_response_id: String,
    ) -> LocalBoxStream<'static, Result<Vec<ProviderEvent>, Error>> {
        self.0.reattach(request, &provider_response_id)
    }

    fn cancel(&self, call: CallToCancel) {
        self.0.cancel(call);
    }
}

/// What a provider is asked for beside what each client asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ResponsesForm {
    /// To keep its responses, which then outlive their listener.
    pub lasting: bool,
    /// To send thoughts in encrypted form, whether or not the client wants them, so that they can go back with the next
    /// request. Models that do not think may refuse it.
    pub asks_for_encrypted_reasoning: bool,
}

/// The protocol.
pub(super) struct ResponsesDialect {
    pub(super) form: ResponsesForm,
}

impl Dialect for ResponsesDialect {
    fn path(&self) -> &'static str {
        "/responses"
    }

    fn key_header(&self, key: &str) -> Option<(HeaderName, HeaderValue)> {
        bearer(key)
    }

    fn body(&self, request: &ProviderRequest) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&ResponsesBody::new(request, self.form))
    }

    fn decoder(&self, request: &ProviderRequest, limits: UpstreamLimits) -> Box<dyn Decode> {
        Box::new(ResponsesDecoder::new(request, limits))
    }

    fn echoes(&self) -> bool {
        true
    }

    fn detached(&self) -> Option<&dyn Detached> {
        self.form.lasting.then_some(self)
    }
}

impl Detached for ResponsesDialect {
    fn replay_url(&self, calls: &Url, request: &ProviderRequest, id: &UpstreamId) -> Url {
        let mut url = below(calls, &id.to_string());
        let mut query = url.query_pairs_mut();
        query.append_pair("stream", "true").append_pair("include_obfuscation", "false");
        query.extend_pairs(included(&request.request, self.form).map(|word| ("include[]", word)));
        drop(query);
        url
    }

    fn cancel_url(&self, calls: &Url, id: &UpstreamId) -> Url {
        below(calls, &format!("{id}/cancel"))
    }
}

fn below(calls: &Url, path: &str) -> Url {
    let mut url = calls.clone();
    url.set_path(&format!("{}/{path}", calls.path()));
    url
}
