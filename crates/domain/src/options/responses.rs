//! `[responses]`: how responses run.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{GroupOptions, OptionChecks, OptionError, duration, size, word};

/// `[responses]`: how responses run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResponseOptions {
    /// What happens to a foreground response when its last client leaves, unless its request sets that.
    #[serde(deserialize_with = "word::deserialize")]
    pub disconnect: DisconnectMode,
    /// How long a response waits for a client that left, with [`DisconnectMode::Grace`].
    #[serde(with = "duration")]
    pub grace: Duration,
    /// The most bytes of text of one response.
    #[serde(with = "size")]
    pub max_output_bytes: usize,
    /// The most items and parts of items of one response.
    pub max_output_parts: usize,
    /// How often a parent asks its children for a sign of life.
    #[serde(with = "duration")]
    pub heartbeat: Duration,
    /// How long an actor may give no sign of life before its response is settled without it.
    #[serde(with = "duration")]
    pub hang_after: Duration,
    /// How long this node owns its responses without renewing its lease in the database. After that other nodes on the
    /// database may take them over.
    #[serde(with = "duration")]
    pub lease: Duration,
    /// Threads that responses run on; 0 for one per core.
    pub arbiters: usize,
    /// The most background responses that run at the same time on a node.
    pub background_concurrency: usize,
    /// The most background responses of one user that run at the same time.
    pub background_concurrency_per_user: usize,
    /// The most background responses that wait for their turn; one more is refused at once.
    pub background_queue: usize,
    /// Threads that read logs: for clients of responses that have ended, and to settle responses.
    pub log_threads: usize,
    /// The most logs that are read for one user at the same time.
    pub log_reads_per_user: usize,
    /// The most reads of one user that wait for that; one more is refused at once.
    pub log_reads_waiting_per_user: usize,
    /// The most bytes of ended responses that are kept in memory, so that to cancel, repeat or get one again needs no
    /// look at its log.
    #[serde(with = "size")]
    pub outcome_cache: usize,
    /// How long a new response waits for a database that is away before its request is refused; never longer than
    /// `outage_patience`.
    #[serde(skip)]
    pub admission_patience: Duration,
    /// How long a running response waits for a database that is away before its provider is stopped. In a
    /// configuration this is `store.outage_patience`.
    #[serde(skip)]
    pub outage_patience: Duration,
    /// How much is committed at once. In a configuration these are options of `[store]`.
    #[serde(skip)]
    pub groups: GroupOptions,
    /// How long a client may read nothing although events wait for it, before its connection is closed. In a
    /// configuration this is `http.client_stall_timeout`.
    #[serde(skip)]
    pub client_stall_timeout: Duration,
    /// How many bytes of output may be on their way from the provider to the database.
    #[serde(skip)]
    pub credit_bytes: usize,
    /// How many bytes of encoded events a running response keeps in memory for its clients.
    #[serde(skip)]
    pub frame_buffer_bytes: usize,
    /// How many events may wait between an emitter and its client's connection.
    #[serde(skip)]
    pub emission_buffer: usize,
}

/// What happens to a foreground response when its last client leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisconnectMode {
    /// It is stopped unless a client comes back in time.
    Grace,
    /// It is stopped at once.
    Cancel,
    /// It goes on.
    Continue,
}

impl ResponseOptions {
    /// How many signs of life an actor may miss in a row before it counts as hung: as many as fit into `hang_after`.
    #[must_use]
    pub fn missed_beats(&self) -> u32 {
        let beats = self.hang_after.as_nanos().checked_div(self.heartbeat.as_nanos()).unwrap_or(0);
        u32::try_from(beats).unwrap_or(u32::MAX)
    }

    /// How long a new response waits for the database.
    #[must_use]
    pub fn admission_wait(&self) -> Duration {
        self.admission_patience.min(self.outage_patience)
    }

    /// How long the start of a response may take, or the look-up of one that ended: what waits for the database, and an
    /// actor that hangs until that is found out. What is not answered by then never will be.
    #[must_use]
    pub fn longest_answer(&self) -> Duration {
        self.admission_wait().saturating_add(self.hang_after.saturating_mul(2))
    }

    /// How long the ending of a response that was asked to end may take, in the same sense.
    #[must_use]
    pub fn longest_ending(&self) -> Duration {
        self.outage_patience.saturating_add(self.hang_after.saturating_mul(2))
    }

    /// Checks the ranges that a configuration is held to.
    #[must_use]
    pub fn check(&self) -> Vec<OptionError> {
        let mut checks = OptionChecks::default();
        checks.range("max_output_bytes", self.max_output_bytes, 1024..=64 * 1024 * 1024);
        checks.range("max_output_parts", self.max_output_parts, 16..=16_384);
        checks.require(
            "hang_after",
            self.hang_after >= 2 * self.heartbeat,
            || "must be at least twice responses.heartbeat",
        );
        checks.require(
            "lease",
            self.lease >= 3 * self.heartbeat,
            || "must be at least three times responses.heartbeat",
        );
        checks.range("arbiters", self.arbiters, 0..=256);
        checks.range("background_concurrency", self.background_concurrency, 1..=100_000);
        checks.range("background_concurrency_per_user", self.background_concurrency_per_user, 1..=100_000);
        checks.range("background_queue", self.background_queue, 1..=1_000_000);
        checks.range("log_threads", self.log_threads, 1..=256);
        checks.range("log_reads_per_user", self.log_reads_per_user, 1..=100_000);
        checks.range("log_reads_waiting_per_user", self.log_reads_waiting_per_user, 0..=100_000);
        checks.range("outcome_cache", self.outcome_cache, 0..=16 * 1024 * 1024 * 1024);
        checks.into_errors()
    }
}

impl Default for ResponseOptions {
    fn default() -> Self {
        Self {
            disconnect: DisconnectMode::Grace,
            grace: Duration::from_secs(10),
            max_output_bytes: 1024 * 1024,
            max_output_parts: 4096,
            heartbeat: Duration::from_secs(1),
            hang_after: Duration::from_secs(10),
            lease: Duration::from_secs(15),
            arbiters: 0,
            background_concurrency: 16,
            background_concurrency_per_user: 4,
            background_queue: 1000,
            log_threads: 2,
            log_reads_per_user: 4,
            log_reads_waiting_per_user: 1000,
            outcome_cache: 16 * 1024 * 1024,
            admission_patience: Duration::from_secs(5),
            outage_patience: Duration::from_secs(30),
            groups: GroupOptions::default(),
            client_stall_timeout: Duration::from_secs(60),
            credit_bytes: 256 * 1024,
            frame_buffer_bytes: 256 * 1024,
            emission_buffer: 16,
        }
    }
}
