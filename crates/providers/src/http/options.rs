//! The options of an upstream, and what can be wrong with them.

use secrecy::SecretString;

use crate::UpstreamLimits;

/// How to reach a provider over HTTP.
#[derive(Debug, Clone)]
pub struct UpstreamOptions {
    /// The address in front of the protocol's own path, for example `https://api.openai.com/v1`.
    pub base_url: String,
    /// The provider's key, sent as its protocol wants it; none sends none.
    pub api_key: Option<SecretString>,
    /// What the provider may send at most.
    pub limits: UpstreamLimits,
}

impl UpstreamOptions {
    /// The defaults, for the server at `base_url`.
    #[must_use]
    pub fn new(base_url: impl Into<String>) -> Self {
        Self { base_url: base_url.into(), api_key: None, limits: UpstreamLimits::default() }
    }
}

/// Why an upstream cannot be set up. Never quotes the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// The base URL is no URL.
    #[error("the base URL is not valid: {reason}")]
    InvalidBaseUrl {
        /// What is wrong.
        reason: &'static str,
    },
    /// The key is empty, or has a character that no HTTP header may have.
    #[error("the API key is empty or has a character that cannot be sent; look for a line break at its end")]
    InvalidApiKey,
    /// The base URL is `https` and the system has no certificates to check the server's with.
    #[error("no CA certificates were found on this system; install its ca-certificates package")]
    NoRootCertificates,
    /// The HTTP client could not be built.
    #[error("the HTTP client could not be built: {reason}")]
    Client {
        /// The error of the client's library.
        reason: String,
    },
}
