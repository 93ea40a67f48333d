//! `[http]`: requests and streams.

use std::time::Duration;

use garde::Validate;
use serde::{Deserialize, Serialize};

use super::{duration, size};

/// `[http]`: requests and streams.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Validate)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct HttpSection {
    /// How long a request waits for its provider before the status line goes out; a failure before that is
    /// an HTTP error, one after it an event of the stream.
    #[serde(with = "duration")]
    pub header_wait: Duration,
    /// How often a silent stream gets a comment. A client that left is noticed by it. At most 30 s: proxies take
    /// 60 s of silence for a lost connection, and the page at `/` 45 s.
    #[serde(with = "duration")]
    #[garde(custom(at_most_half_a_minute))]
    pub keep_alive: Duration,
    /// How long a client may take nothing of what is there for it before it is cut. It can come back.
    #[serde(with = "duration")]
    pub client_stall_timeout: Duration,
    /// The most bytes of a request's body.
    #[serde(with = "size")]
    #[garde(range(min = 1024, max = 64 * 1024 * 1024))]
    pub body_limit: usize,
    /// Whether the page is served at `/`.
    pub page: bool,
}

impl Default for HttpSection {
    fn default() -> Self {
        Self {
            header_wait: Duration::from_secs(2),
            keep_alive: Duration::from_secs(15),
            client_stall_timeout: Duration::from_secs(60),
            body_limit: 20 * 1024 * 1024,
            page: true,
        }
    }
}

fn at_most_half_a_minute(keep_alive: &Duration, (): &()) -> garde::Result {
    if *keep_alive <= Duration::from_secs(30) {
        Ok(())
    } else {
        Err(garde::Error::new("must be at most 30s: clients and proxies take a longer silence for a lost connection"))
    }
}
