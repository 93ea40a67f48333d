//! `[responses]`: how responses run.

use std::time::Duration;

use garde::Validate;
use serde::{Deserialize, Serialize};

use super::{duration, size, word};

/// `[responses]`: how responses run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Validate)]
#[serde(default, deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct ResponsesSection {
    /// What happens to a foreground response when its last client leaves.
    #[serde(deserialize_with = "word::deserialize")]
    pub disconnect: Disconnect,
    /// How long a response waits for a client that left, with `disconnect = "grace"`.
    #[serde(with = "duration")]
    pub grace: Duration,
    /// The most bytes of text of one response.
    #[serde(with = "size")]
    #[garde(range(min = 1024, max = 64 * 1024 * 1024))]
    pub max_output_bytes: usize,
    /// The most output tokens of a response that does not say, and whose model does not either.
    #[garde(range(min = 1, max = 100_000))]
    pub default_max_output_tokens: u32,
    /// How often an actor is asked for a sign of life.
    #[serde(with = "duration")]
    pub heartbeat: Duration,
    /// How long an actor may give no sign of life before its response is settled without it.
    #[serde(with = "duration")]
    #[garde(custom(longer_than(self.heartbeat)))]
    pub hang_after: Duration,
    /// How long this server's responses are its own without a sign of life in the database.
    #[serde(with = "duration")]
    #[garde(custom(renewable(self.heartbeat)))]
    pub lease: Duration,
    /// Threads that responses run on; 0 for one per core.
    #[garde(range(max = 256))]
    pub arbiters: usize,
    /// The most background responses that run at the same time.
    #[garde(range(min = 1, max = 100_000))]
    pub background_concurrency: usize,
    /// The most of them that are one user's.
    #[garde(range(min = 1, max = 100_000))]
    pub background_concurrency_per_user: usize,
    /// The most background responses that wait for their turn; one more is refused at once.
    #[garde(range(min = 1, max = 1_000_000))]
    pub background_queue: usize,
}

/// What happens to a foreground response when its last client leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disconnect {
    /// It is stopped unless a client comes back in time.
    Grace,
    /// It is stopped at once.
    Cancel,
    /// It goes on.
    Continue,
}

impl Default for ResponsesSection {
    fn default() -> Self {
        Self {
            disconnect: Disconnect::Grace,
            grace: Duration::from_secs(10),
            max_output_bytes: 1024 * 1024,
            default_max_output_tokens: 2048,
            heartbeat: Duration::from_secs(1),
            hang_after: Duration::from_secs(10),
            lease: Duration::from_secs(15),
            arbiters: 0,
            background_concurrency: 16,
            background_concurrency_per_user: 4,
            background_queue: 1000,
        }
    }
}

fn longer_than(heartbeat: Duration) -> impl FnOnce(&Duration, &()) -> garde::Result {
    move |hang_after, ()| {
        if *hang_after >= 2 * heartbeat {
            Ok(())
        } else {
            Err(garde::Error::new("must be at least twice responses.heartbeat"))
        }
    }
}

fn renewable(heartbeat: Duration) -> impl FnOnce(&Duration, &()) -> garde::Result {
    move |lease, ()| {
        if *lease >= 3 * heartbeat {
            Ok(())
        } else {
            Err(garde::Error::new("must be at least three times responses.heartbeat"))
        }
    }
}
