//! How the HTTP API behaves.

use std::time::Duration;

/// How the HTTP API behaves.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// The most bytes of a request's body.
    pub body_bytes: usize,
    /// How long a streaming client's status line waits for the provider.
    pub header_wait: Duration,
    /// How long a stream may be silent before a comment is sent.
    pub keep_alive: Duration,
    /// The longest wait that clients are told; longer ones make some of them give up.
    pub longest_retry_after: Duration,
    /// Threads that serve connections; one per core if none.
    pub workers: Option<usize>,
    /// How long a client may take to send the head of a request.
    pub request_timeout: Duration,
    /// How long a client may take to send a request's body.
    pub body_timeout: Duration,
    /// How long a connection without a request is kept.
    pub idle_timeout: Duration,
    /// How long connections may go on after the server was told to stop.
    pub shutdown_timeout: Duration,
    /// Whether the page is served at `/`.
    pub page: bool,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            body_bytes: 20 * 1024 * 1024,
            header_wait: Duration::from_secs(2),
            keep_alive: Duration::from_secs(15),
            longest_retry_after: Duration::from_secs(60),
            workers: None,
            request_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(75),
            shutdown_timeout: Duration::from_secs(5),
            page: true,
        }
    }
}
