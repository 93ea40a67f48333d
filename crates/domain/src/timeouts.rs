//! How long a provider may take.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::options::duration;

/// How long a provider may take. Each timeout that runs out is a cause of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// For a connection, TLS included.
    #[serde(rename = "connect_timeout", with = "duration")]
    pub connect: Duration,
    /// From the call to the headers of its answer, connecting included.
    #[serde(rename = "first_byte_timeout", with = "duration")]
    pub first_byte: Duration,
    /// Between two events, once the headers are there. Comments and incomplete events do not count.
    #[serde(rename = "idle_timeout", with = "duration")]
    pub idle: Duration,
    /// For all of a response, from its first attempt on.
    #[serde(rename = "total_timeout", with = "duration")]
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
