//! How long a provider may take.

use std::time::Duration;

/// How long a provider may take. Each timeout that runs out is a cause of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timeouts {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// From the call to the headers of its answer, connecting included.
    pub first_byte: Duration,
    /// Between two events, once the headers are there. Comments and incomplete events do not count.
    pub idle: Duration,
    /// For all of a response, from its first attempt on.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(30),
            idle: Duration::from_secs(60),
            total: Duration::from_secs(30 * 60),
        }
    }
}
