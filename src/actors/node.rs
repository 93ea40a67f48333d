//! What all actors of a node share.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use parking_lot::Mutex;

use super::{
    Label,
    journal_writer::Journal,
    node_ownership::NodeOwnership,
    outcome_cache::OutcomeCache,
    supervision::{Arbiters, Roster},
    upstream::Upstream,
};
use crate::clock::Clock;
use crate::domain::{
    Encoding, LimitOptions, ModelCatalog, OwnerSeen, OwnershipDecision, RecoveryWish, Request, ResponseOptions,
    RunTarget, Target,
};
use crate::journal::LogPool;
use crate::store::Store;
use crate::tokens::TokenCounter;
use crate::vault::Vault;

/// Bytes of a token of English text, as OpenAI's help page on tokens gives them.
const BYTES_PER_TOKEN: u64 = 4;

/// How long an ending waits for the tokenizer.
const ESTIMATE_PATIENCE: Duration = Duration::from_secs(5);

impl Node {
    /// Decides about a response that has not ended and does not run here.
    pub(crate) fn decide_about(&self, (node, of): (&str, i64), wish: RecoveryWish) -> OwnershipDecision {
        // While the next epoch is being taken nothing is this node's own.
        let Some(epoch) = self.ownership.epoch() else { return OwnershipDecision::AwaitLease };
        let owner = OwnerSeen::of((node, of), (&self.name, epoch));
        OwnershipDecision::about(owner, wish, self.ownership.lease(self.settings.lease))
    }

    /// The targets as a run needs them. One of an unknown provider is refused when its turn comes.
    pub(crate) fn run_targets(&self, targets: &[Target]) -> Vec<RunTarget> {
        let run_target = |target: &Target| {
            let upstream = self.upstreams.get(&target.provider);
            RunTarget {
                target: target.clone(),
                queue_timeout: upstream.map(|upstream| upstream.queue_timeout).unwrap_or_default(),
                retry: upstream.map(|upstream| upstream.retry).unwrap_or_default(),
                reattachable: upstream.is_some_and(|upstream| upstream.provider.reattachment().is_some()),
            }
        };
        targets.iter().map(run_target).collect()
    }

    /// Removes the targets whose provider can't honour a parameter of the request, and returns the first such
    /// parameter.
    pub(crate) fn keep_able(&self, targets: &mut Vec<Target>, request: &Request) -> Option<&'static str> {
        let mut refused = None;
        targets.retain(|target| {
            let upstream = self.upstreams.get(&target.provider);
            let unsupported = upstream.and_then(|upstream| upstream.provider.unsupported(request));
            refused = refused.or(unsupported);
            unsupported.is_none()
        });
        refused
    }

    /// How many tokens the text has, in bounded time: where the tokenizer can't say, by its length.
    pub(crate) async fn estimate(&self, encoding: Encoding, text: String) -> u64 {
        match tokio::time::timeout(ESTIMATE_PATIENCE, self.token_counter.estimate(encoding, &text)).await {
            Ok(Ok(tokens)) => return tokens,
            Ok(Err(error)) => tracing::warn!(error = %error, "an output's tokens are estimated by its length"),
            Err(_) => {
                tracing::warn!("an output's tokens are estimated by its length: the tokenizer does not answer");
            }
        }
        text.len() as u64 / BYTES_PER_TOKEN
    }
}

/// What all actors of a node share.
#[derive(Debug)]
pub(crate) struct Node {
    /// The node's name in the database.
    pub(crate) name: String,
    /// The store of all responses.
    pub(crate) store: Store,
    /// What opens and seals content.
    pub(crate) vault: Vault,
    /// The handle to the journal writer.
    pub(crate) journal: Journal,
    /// The node's epoch and lease.
    pub(crate) ownership: Arc<NodeOwnership>,
    /// The providers by their names.
    pub(crate) upstreams: HashMap<String, Upstream>,
    /// The time of day.
    pub(crate) clock: Arc<dyn Clock>,
    /// The models that requests can name. A node without any can't run what an earlier process had accepted and not
    /// begun.
    pub(crate) models: ModelCatalog,
    /// How large requests may be.
    pub(crate) limits: LimitOptions,
    /// Counts the tokens of prompts, and of outputs whose provider reports none.
    pub(crate) token_counter: Arc<dyn TokenCounter>,
    /// The threads that read logs.
    pub(crate) logs: LogPool,
    /// How responses ended, for those who ask again.
    pub(crate) outcomes: Mutex<OutcomeCache>,
    /// The threads that the actors run on.
    pub(crate) arbiters: Arbiters,
    /// The actors that run.
    pub(crate) roster: Roster<Label>,
    /// The timeouts and limits of responses.
    pub(crate) settings: ResponseOptions,
    /// How many responses this node set aside without the database saying so yet.
    pub(crate) unmarked_set_aside: AtomicUsize,
}
