//! What a run starts from.

use std::{sync::Arc, time::Duration};

use crate::{Request, RetryPolicy, RunPolicy, Target};
use antiphon_protocol::ResponseId;

/// What a run starts from.
#[derive(Debug, Clone)]
pub struct RunSetup {
    /// The response.
    pub id: ResponseId,
    /// What was asked for.
    pub request: Arc<Request>,
    /// The policy of the run.
    pub policy: RunPolicy,
    /// How long it waits, and how much output it may have.
    pub limits: RunLimits,
    /// The targets, in the order in which they are asked. Empty if they come with the prompt, which is still to be
    /// built.
    pub targets: Vec<RunTarget>,
    /// Whether the response claims an idempotency key with its admission.
    pub claims_key: bool,
    /// Whether another process can build the prompt from what is stored.
    pub can_rebuild_prompt: bool,
}

/// A model at a provider, with how it is to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunTarget {
    /// The model and its provider.
    pub target: Target,
    /// How long a foreground response waits for a slot at the provider.
    pub queue_timeout: Duration,
    /// How often the target is asked again.
    pub retry: RetryPolicy,
    /// Whether its calls go on without a listener and can be listened to again.
    pub reattachable: bool,
}

/// How long a run waits for the database, and how much output it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunLimits {
    /// The longest wait for the admission to become durable.
    pub admission_patience: Duration,
    /// The longest wait for anything later to become durable.
    pub outage_patience: Duration,
    /// The most bytes of output.
    pub max_output_bytes: usize,
    /// The most items and parts of items.
    pub max_output_parts: usize,
}
