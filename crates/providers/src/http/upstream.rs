//! The upstream: checked options and a dialect, made into calls.

use std::fmt;
use std::sync::Arc;

use futures_util::future::LocalBoxFuture;
use futures_util::stream::{self, LocalBoxStream, StreamExt as _};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::call::{self, Question};
use super::client::ClientRecipe;
use super::{Dialect, StreamDecoder, UpstreamError, UpstreamId, UpstreamOptions, tls, work};
use crate::{CallToCancel, Error, ProviderEvent, ProviderRequest, UpstreamLimits};
use antiphon_domain::Timeouts;

/// A provider over HTTP, for calls.
///
/// Requests are built anew: no header and no field of a client's request gets through unless the dialect or this
/// module names it.
#[derive(Clone)]
pub(crate) struct HttpUpstream(pub(super) Arc<UpstreamSite>);

/// What every call needs to know.
pub(super) struct UpstreamSite {
    pub(super) url: Url,
    pub(super) models_url: Url,
    pub(super) headers: HeaderMap,
    pub(super) api_key: Option<SecretString>,
    pub(super) clients: Arc<ClientRecipe>,
    pub(super) limits: UpstreamLimits,
    pub(super) dialect: Box<dyn Dialect>,
}

impl HttpUpstream {
    /// Checks the options. Opens no connection.
    ///
    /// # Errors
    /// Says which option cannot work; never quotes the key.
    pub(crate) fn new(dialect: impl Dialect, options: UpstreamOptions) -> Result<Self, UpstreamError> {
        let url = endpoint(&options.base_url, dialect.path())?;
        let models_url = endpoint(&options.base_url, "/models")?;
        let clients = ClientRecipe { tls: tls::client_config(url.scheme() == "https")?.into() };
        let mut headers = dialect.headers();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("antiphon/", env!("CARGO_PKG_VERSION"))));
        if let Some(key) = &options.api_key {
            let (name, value) = key_header(&dialect, key.expose_secret()).ok_or(UpstreamError::InvalidApiKey)?;
            headers.insert(name, value);
        }
        let UpstreamOptions { api_key, limits, .. } = options;
        let limits = if dialect.echoes() { limits.with_echoes() } else { limits };
        let (clients, dialect) = (Arc::new(clients), Box::new(dialect));
        Ok(Self(Arc::new(UpstreamSite { url, models_url, headers, api_key, clients, limits, dialect })))
    }

    /// Starts a call when the stream is first polled.
    pub(crate) fn open(&self, request: ProviderRequest) -> LocalBoxStream<'static, Result<Vec<ProviderEvent>, Error>> {
        self.start(request, Question::Work)
    }

    /// A decoder for the answer to a request.
    pub(crate) fn decoder(&self, request: &ProviderRequest) -> StreamDecoder {
        StreamDecoder::new(self.0.dialect.decoder(request, self.0.limits), self.0.limits)
    }

    /// Whether calls go on at the provider without a listener.
    pub(crate) fn can_reattach(&self) -> bool {
        self.0.dialect.detached().is_some()
    }

    /// Listens to a call again when the stream is first polled.
    pub(crate) fn reattach(
        &self,
        request: ProviderRequest,
        id: &str,
    ) -> LocalBoxStream<'static, Result<Vec<ProviderEvent>, Error>> {
        let asked = self
            .0
            .dialect
            .detached()
            .ok_or(Error::Closed)
            .and_then(|detached| Ok(detached.replay_url(&self.0.url, &request, &UpstreamId::parse(id)?)));
        match asked {
            Ok(url) => self.start(request, Question::Again(url)),
            Err(error) => stream::iter([Err(error)]).boxed_local(),
        }
    }

    /// Has the provider end its work on a call that goes on without a listener.
    pub(crate) fn cancel(&self, call: CallToCancel) {
        work::cancel(&self.0, call);
    }

    fn start(
        &self,
        request: ProviderRequest,
        question: Question,
    ) -> LocalBoxStream<'static, Result<Vec<ProviderEvent>, Error>> {
        let request_id = self.can_reattach().then(|| request.request_id.clone());
        let batches = call::start(Arc::clone(&self.0), request, question);
        match request_id {
            Some(request_id) => batches.inspect(move |said| work::check_id(&request_id, said)).boxed_local(),
            None => batches,
        }
    }

    /// Asks for the list of models, to see whether the provider answers and takes the key. What it answers
    /// beside that does not matter: not every server has such a list.
    pub(crate) fn probe(&self, timeouts: Timeouts) -> LocalBoxFuture<'static, Result<(), Error>> {
        let site = Arc::clone(&self.0);
        Box::pin(async move { call::probe(&site, timeouts).await })
    }
}

impl fmt::Debug for HttpUpstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpUpstream").field("url", &self.0.url.as_str()).finish_non_exhaustive()
    }
}

fn endpoint(base_url: &str, path: &str) -> Result<Url, UpstreamError> {
    let invalid = |reason| UpstreamError::InvalidBaseUrl { reason };
    let base = Url::parse(base_url).map_err(|_| invalid("it is no absolute URL"))?;
    if !matches!(base.scheme(), "http" | "https") {
        return Err(invalid("its scheme is neither http nor https"));
    }
    if !base.username().is_empty() || base.password().is_some() {
        return Err(invalid("it holds credentials, which belong into the API key"));
    }
    if base.query().is_some() || base.fragment().is_some() {
        return Err(invalid("it holds a query or a fragment"));
    }
    let joined = format!("{}{path}", base.as_str().trim_end_matches('/'));
    Url::parse(&joined).map_err(|_| invalid("no path can follow it"))
}

fn key_header(dialect: &dyn Dialect, key: &str) -> Option<(HeaderName, HeaderValue)> {
    let sendable = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
    sendable.then(|| dialect.key_header(key)).flatten()
}

/// A key as OpenAI and servers like it expect it.
pub(crate) fn bearer(key: &str) -> Option<(HeaderName, HeaderValue)> {
    secret_header(AUTHORIZATION, &format!("Bearer {key}"))
}

/// A header value that is never logged.
fn secret_header(name: HeaderName, value: &str) -> Option<(HeaderName, HeaderValue)> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some((name, value))
}
