//! `[server]`: the socket and its connections.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use garde::Validate;
use serde::{Deserialize, Serialize};

use super::duration;

/// `[server]`: the socket and its connections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Validate)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct ServerSection {
    /// The address and port to listen on.
    pub listen: SocketAddr,
    /// Threads that serve HTTP; 0 for one per core.
    #[garde(range(max = 256))]
    pub workers: usize,
    /// How long a client may take for the headers of a request.
    #[serde(with = "duration")]
    pub header_timeout: Duration,
    /// How long a client may take for the body of a request.
    #[serde(with = "duration")]
    pub body_timeout: Duration,
    /// How long a connection without a request stays open.
    #[serde(with = "duration")]
    pub idle_timeout: Duration,
    /// How long running responses may take to finish when the server stops.
    #[serde(with = "duration")]
    pub drain_timeout: Duration,
}

impl Default for ServerSection {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            workers: 0,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(75),
            drain_timeout: Duration::from_secs(30),
        }
    }
}
