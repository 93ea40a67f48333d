//! What a Chat Completions upstream needs to be told, and what can be wrong with it.

use std::time::Duration;

use secrecy::SecretString;

use crate::provider::UpstreamLimits;

/// How long a connection may take unless configured.
pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer's headers may take unless configured.
pub const DEFAULT_FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a provider may be silent in mid-stream unless configured.
pub const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// How to reach a Chat Completions server.
#[derive(Debug, Clone)]
pub struct ChatCompletionsOptions {
    /// The address in front of `/chat/completions`, for example `https://api.openai.com/v1`.
    pub base_url: String,
    /// Sent as a bearer token; none sends no `authorization`.
    pub api_key: Option<SecretString>,
    /// The longest wait for a connection, TLS included.
    pub connect_timeout: Duration,
    /// The longest wait from the call to the headers of its answer, connecting included.
    pub first_byte_timeout: Duration,
    /// The longest silence once the headers are there.
    pub idle_timeout: Duration,
    /// What the provider may send at most.
    pub limits: UpstreamLimits,
    /// The name under which this server wants the output's limit.
    pub output_limit_field: OutputLimitField,
}

impl ChatCompletionsOptions {
    /// The defaults, for the server at `base_url`.
    #[must_use]
    pub fn new(base_url: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            api_key: None,
            connect_timeout: DEFAULT_CONNECT_TIMEOUT,
            first_byte_timeout: DEFAULT_FIRST_BYTE_TIMEOUT,
            idle_timeout: DEFAULT_IDLE_TIMEOUT,
            limits: UpstreamLimits::default(),
            output_limit_field: OutputLimitField::default(),
        }
    }
}

/// The request field that limits the output: OpenAI refuses the old name for its newer models, and some other
/// servers know no other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OutputLimitField {
    /// `max_completion_tokens`.
    #[default]
    MaxCompletionTokens,
    /// `max_tokens`.
    MaxTokens,
}

/// Why a Chat Completions upstream cannot be set up. Says nothing of the key itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChatCompletionsError {
    /// The base URL is no URL.
    #[error("the base URL is not valid: {reason}")]
    InvalidBaseUrl {
        /// What is wrong.
        reason: &'static str,
    },
    /// The key holds what no HTTP header may hold.
    #[error("the API key holds a character that cannot be sent, or none at all; look for a line break at its end")]
    InvalidApiKey,
    /// The base URL is `https` and the system has no certificates to check the server's by.
    #[error("no CA certificates were found on this system; install its ca-certificates package")]
    NoRootCertificates,
    /// The HTTP client could not be built.
    #[error("the HTTP client could not be built: {reason}")]
    Client {
        /// What the client's library says.
        reason: String,
    },
}
