//! The upstream: checked options, made into a provider.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::LocalBoxStream;
use reqwest::Url;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use secrecy::{ExposeSecret, SecretString};

use super::client::ClientRecipe;
use super::{ChatCompletionsError, ChatCompletionsOptions, OutputLimitField, call, tls};
use crate::provider::{Error, Provider, ProviderEvent, ProviderRequest, UpstreamLimits};

/// A provider that speaks OpenAI's Chat Completions.
///
/// Requests are built from nothing: no header and no field of a client's request gets through that is not
/// named here.
#[derive(Clone)]
pub struct ChatCompletions {
    upstream: Arc<Upstream>,
}

/// What every call needs to know.
pub(super) struct Upstream {
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) clients: Arc<ClientRecipe>,
    pub(super) first_byte_timeout: Duration,
    pub(super) idle_timeout: Duration,
    pub(super) limits: UpstreamLimits,
    pub(super) output_limit_field: OutputLimitField,
}

impl ChatCompletions {
    /// Checks the options. Opens no connection.
    ///
    /// # Errors
    /// Says which option cannot work; never quotes the key.
    pub fn new(options: ChatCompletionsOptions) -> Result<Self, ChatCompletionsError> {
        let url = endpoint(&options.base_url)?;
        let tls = tls::client_config(url.scheme() == "https")?;
        let clients = ClientRecipe { tls, connect_timeout: options.connect_timeout };
        // Found out now, not at the first call.
        clients.build()?;
        Ok(Self {
            upstream: Arc::new(Upstream {
                url,
                headers: headers(options.api_key.as_ref())?,
                clients: Arc::new(clients),
                first_byte_timeout: options.first_byte_timeout,
                idle_timeout: options.idle_timeout,
                limits: options.limits,
                output_limit_field: options.output_limit_field,
            }),
        })
    }
}

impl fmt::Debug for ChatCompletions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatCompletions").field("url", &self.upstream.url.as_str()).finish_non_exhaustive()
    }
}

impl Provider for ChatCompletions {
    fn open(&self, request: ProviderRequest) -> LocalBoxStream<'static, Result<Vec<ProviderEvent>, Error>> {
        call::open(Arc::clone(&self.upstream), request)
    }
}

fn endpoint(base_url: &str) -> Result<Url, ChatCompletionsError> {
    let invalid = |reason| ChatCompletionsError::InvalidBaseUrl { reason };
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
    let joined = format!("{}/chat/completions", base.as_str().trim_end_matches('/'));
    Url::parse(&joined).map_err(|_| invalid("no path can follow it"))
}

fn headers(api_key: Option<&SecretString>) -> Result<HeaderMap, ChatCompletionsError> {
    let mut headers = HeaderMap::with_capacity(5);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("antiphon/", env!("CARGO_PKG_VERSION"))));
    if let Some(key) = api_key {
        headers.insert(AUTHORIZATION, bearer(key.expose_secret())?);
    }
    Ok(headers)
}

fn bearer(key: &str) -> Result<HeaderValue, ChatCompletionsError> {
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ChatCompletionsError::InvalidApiKey);
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| ChatCompletionsError::InvalidApiKey)?;
    value.set_sensitive(true);
    Ok(value)
}
