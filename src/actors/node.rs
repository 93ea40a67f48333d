//! What all actors of a node share.

use std::{collections::HashMap, sync::Arc, time::Duration};

use super::{
    Label,
    journal_writer::Journal,
    lease::NodeOwnership,
    supervision::{Arbiters, Roster},
    upstream::Upstream,
};
use crate::clock::Clock;
use crate::domain::{BackgroundLimits, Encoding, Limits, ModelCatalog, Request, Target};
use crate::store::Store;
use crate::tokens::TokenCounter;
use crate::vault::Vault;

/// Bytes of a token of English text, as OpenAI's help page on tokens gives them.
const BYTES_PER_TOKEN: u64 = 4;

/// How long an ending waits for the tokenizer.
const ESTIMATE_PATIENCE: Duration = Duration::from_secs(5);

/// How patient the actors are, and how much they hold.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How often a parent asks its children for a sign of life.
    pub heartbeat: Duration,
    /// How many signs of life an actor may miss in a row before it counts as hung.
    pub missed_beats: u32,
    /// How long this node's responses are its own without a renewal. After that other nodes on its database
    /// may take them over.
    pub lease: Duration,
    /// How long a new response waits for the database before its client is told to come back.
    pub admission_patience: Duration,
    /// How long a running response waits for the database before its provider is stopped.
    pub outage_patience: Duration,
    /// How long a client may take nothing of what is there for it before it is cut.
    pub client_stall_timeout: Duration,
    /// How many bytes of output may be on their way from the provider to the database.
    pub credit_bytes: usize,
    /// How many bytes of encoded events a running response keeps at hand for its clients.
    pub frame_buffer_bytes: usize,
    /// How many bytes of output a response may have.
    pub max_output_bytes: usize,
    /// How many background responses may run and wait.
    pub background: BackgroundLimits,
    /// How many events may lie between an emitter and its client's connection.
    pub emission_buffer: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(1),
            missed_beats: 10,
            lease: Duration::from_secs(15),
            admission_patience: Duration::from_secs(5),
            outage_patience: Duration::from_secs(30),
            client_stall_timeout: Duration::from_secs(60),
            credit_bytes: 256 * 1024,
            frame_buffer_bytes: 256 * 1024,
            max_output_bytes: 1024 * 1024,
            background: BackgroundLimits::default(),
            emission_buffer: 16,
        }
    }
}

impl Node {
    /// Takes the targets out whose provider can't honour a parameter of the request, and names the first such
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
        let texts = [text.as_str()];
        match tokio::time::timeout(ESTIMATE_PATIENCE, self.token_counter.count(encoding, &texts)).await {
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
    /// The record of all responses.
    pub(crate) store: Arc<dyn Store>,
    /// What opens and seals content.
    pub(crate) vault: Vault,
    /// The way to the journal writer.
    pub(crate) journal: Journal,
    /// Its epoch and its lease.
    pub(crate) ownership: Arc<NodeOwnership>,
    /// The providers by their names.
    pub(crate) upstreams: HashMap<String, Upstream>,
    /// The time of day.
    pub(crate) clock: Arc<dyn Clock>,
    /// The models that requests can name. A node without any can't run what an earlier process had accepted and not
    /// begun.
    pub(crate) models: ModelCatalog,
    /// How large requests may be.
    pub(crate) limits: Limits,
    /// Counts the tokens of prompts, and of outputs whose provider reports none.
    pub(crate) token_counter: Arc<dyn TokenCounter>,
    /// The threads that the actors live on.
    pub(crate) arbiters: Arbiters,
    /// Who is alive.
    pub(crate) roster: Roster<Label>,
    /// How patient the actors are.
    pub(crate) settings: Settings,
}
