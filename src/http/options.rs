//! `[server]` and `[http]`: the socket, its connections, requests and streams.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::options::{OptionChecks, OptionError, ResponseOptions, duration, size};

/// `[server]`: the socket and its connections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerOptions {
    /// The address and port to listen on.
    pub listen: SocketAddr,
    /// Threads that serve HTTP; 0 for one per core.
    pub workers: usize,
    /// The most connections at a time; 0 for as many as the limit of open files allows, at most 16,384. Each can need one
    /// more to a provider.
    pub max_connections: usize,
    /// How long a client may take for the headers of a request.
    #[serde(with = "duration")]
    pub header_timeout: Duration,
    /// How long a client may take for the body of a request. [`HttpOptions::body_timeout`] is what has effect.
    #[serde(with = "duration")]
    pub body_timeout: Duration,
    /// How long a connection without a request stays open.
    #[serde(with = "duration")]
    pub idle_timeout: Duration,
    /// How long a connection may be without the headers of a request while more than half of all connections are taken.
    #[serde(with = "duration")]
    pub crowded_timeout: Duration,
    /// How long running responses may take to finish when the server stops.
    #[serde(with = "duration")]
    pub drain_timeout: Duration,
    /// How long connections may stay open after the HTTP server was told to stop.
    #[serde(skip)]
    pub shutdown_timeout: Duration,
    /// How many open files the server needs beside its connections and those to providers: for its database, its threads
    /// and itself. A configuration's server reckons them up.
    #[serde(skip)]
    pub reserved_files: usize,
}

impl ServerOptions {
    /// Checks the ranges that a configuration is held to.
    #[must_use]
    pub fn check(&self) -> Vec<OptionError> {
        let mut checks = OptionChecks::default();
        checks.range("workers", self.workers, 0..=256);
        checks.range("max_connections", self.max_connections, 0..=1_000_000);
        checks.into_errors()
    }
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            workers: 0,
            max_connections: 0,
            header_timeout: Duration::from_secs(10),
            body_timeout: HttpOptions::default().body_timeout,
            idle_timeout: Duration::from_secs(75),
            crowded_timeout: Duration::from_secs(1),
            drain_timeout: Duration::from_secs(30),
            shutdown_timeout: Duration::from_secs(5),
            reserved_files: 128,
        }
    }
}

/// `[http]`: requests and streams.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpOptions {
    /// How long a streaming request waits for its provider before the status line goes out. A failure before that is
    /// an HTTP error, one after it an event of the stream.
    #[serde(with = "duration")]
    pub header_wait: Duration,
    /// How often a silent stream gets a comment. It shows whether the client is still there. At most 30 s: proxies take
    /// 60 s of silence for a lost connection, and the page at `/` 45 s.
    #[serde(with = "duration")]
    pub keep_alive: Duration,
    /// How long a client may read nothing of what is there for it before it is cut. It can come back. In a configuration
    /// only: who builds a node in code sets [`ResponseOptions::client_stall_timeout`](crate::domain::ResponseOptions).
    #[serde(with = "duration")]
    pub client_stall_timeout: Duration,
    /// The most connections that read one response at the same time, not counting the request that made it.
    pub readers_per_response: usize,
    /// The most connections that read responses under one API key at the same time, in the same sense.
    pub readers_per_key: usize,
    /// The most bytes of a request's body.
    #[serde(with = "size")]
    pub body_limit: usize,
    /// The most bytes that the requests of all clients may have while they are read and checked: their bodies, and what
    /// short values take in memory beside their texts. At most four times as many are in use.
    #[serde(with = "size")]
    pub body_budget: usize,
    /// The most of them that belong to one API key.
    #[serde(with = "size")]
    pub body_budget_per_key: usize,
    /// The most bytes of answers of JSON that wait for all clients to take them. Those of up to 64 KiB are not counted.
    #[serde(with = "size")]
    pub answer_budget: usize,
    /// The most of them that belong to one API key.
    #[serde(with = "size")]
    pub answer_budget_per_key: usize,
    /// Whether the page is served at `/`.
    pub page: bool,
    /// How long a client may take for the body of a request. In a configuration this is `server.body_timeout`.
    #[serde(skip)]
    pub body_timeout: Duration,
}

impl HttpOptions {
    /// Checks the ranges that a configuration is held to.
    #[must_use]
    pub fn check(&self) -> Vec<OptionError> {
        let mut checks = OptionChecks::default();
        checks.require(
            "keep_alive",
            self.keep_alive <= Duration::from_secs(30),
            || "must be at most 30s: clients and proxies take a longer silence for a lost connection",
        );
        checks.range("readers_per_response", self.readers_per_response, 1..=1_000_000);
        checks.range("readers_per_key", self.readers_per_key, 1..=1_000_000);
        checks.range("body_limit", self.body_limit, 1024..=64 * 1024 * 1024);
        checks.require(
            "body_budget",
            self.body_budget >= self.body_budget_per_key,
            || "must be at least body_budget_per_key",
        );
        checks.require(
            "answer_budget",
            self.answer_budget >= self.answer_budget_per_key,
            || "must be at least answer_budget_per_key",
        );
        checks.into_errors()
    }
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            header_wait: Duration::from_secs(2),
            keep_alive: Duration::from_secs(15),
            client_stall_timeout: ResponseOptions::default().client_stall_timeout,
            readers_per_response: 256,
            readers_per_key: 512,
            body_limit: 8 * 1024 * 1024,
            body_budget: 128 * 1024 * 1024,
            body_budget_per_key: 32 * 1024 * 1024,
            answer_budget: 128 * 1024 * 1024,
            answer_budget_per_key: 32 * 1024 * 1024,
            page: true,
            body_timeout: Duration::from_secs(60),
        }
    }
}
