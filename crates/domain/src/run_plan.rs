//! An accepted request, with everything that is needed to run it.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Idempotency, Prompt, Request, RunPolicy, Timeouts, ToolPolicy};
use antiphon_protocol::{Item, ResponseId, UserId};

/// An accepted request as admission hands it to the actors: validated, counted, with its history loaded.
#[derive(Debug, Clone)]
pub struct RunPlan {
    /// The new response.
    pub id: ResponseId,
    /// The user whose response it is.
    pub user: UserId,
    /// The id that ties together the client's request, this server's logs and the provider's.
    pub request_id: String,
    /// What was asked for.
    pub request: Arc<Request>,
    /// The input of this request, with its ids; what is stored.
    pub input: Vec<Item>,
    /// History and input; what the provider is asked.
    pub prompt: Arc<Prompt>,
    /// Whom slots at providers are counted for: the API key's public id, say.
    pub caller: String,
    /// The models that are asked, at least one: the first, and each of the others where those before it failed without
    /// any output.
    pub targets: Vec<Target>,
    /// The tokenizer that fits the model, for estimates.
    pub encoding: Encoding,
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// What happens when the last client leaves.
    pub disconnect: DisconnectPolicy,
    /// Whether a client that leaves can come back: it streams or runs in the background, so that it learns the
    /// response's id, or it gave an idempotency key.
    pub resumable: bool,
    /// The tools that this server runs, and their limits.
    pub tools: ToolPolicy,
    /// What the response claims with its admission, if its client gave an idempotency key.
    pub idempotency: Option<Idempotency>,
}

impl RunPlan {
    /// The part of the plan that is kept in the log.
    #[must_use]
    pub fn run_policy(&self) -> RunPolicy {
        RunPolicy {
            request_id: self.request_id.clone(),
            caller: self.caller.clone(),
            disconnect: self.disconnect,
            resumable: self.resumable,
            tools: self.tools.clone(),
        }
    }
}

/// A model at a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The provider's name in the configuration.
    pub provider: String,
    /// The model's name at the provider.
    pub model: String,
    /// The most output tokens that the model is ever asked for; no such limit if there is none.
    pub max_output_tokens_cap: Option<u32>,
    /// How long the provider may take.
    pub timeouts: Timeouts,
}

impl Target {
    /// Makes a target with the default timeouts and without a cap.
    #[must_use]
    pub fn new(provider: impl Into<String>, model: impl Into<String>) -> Self {
        let (max_output_tokens_cap, timeouts) = (None, Timeouts::default());
        Self { provider: provider.into(), model: model.into(), max_output_tokens_cap, timeouts }
    }
}

/// What happens to a foreground response when its last client leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisconnectPolicy {
    /// It goes on.
    Continue,
    /// It is stopped at once.
    Cancel,
    /// It is stopped unless a client comes back within this time.
    Grace(Duration),
}

/// A tokenizer's vocabulary.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// OpenAI's models since GPT-4o.
    #[default]
    O200kBase,
    /// OpenAI's models before, and the nearest for most others.
    Cl100kBase,
}
