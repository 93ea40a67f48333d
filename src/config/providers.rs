//! `[providers.NAME]`: where answers come from.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use secrecy::SecretString;

use super::{Environment, Model, Problem};
use crate::domain::Timeouts;
use crate::provider::{OutputLimitField, ThinkingForm};

mod checked;
mod section;
mod together;

pub(super) use section::{ProviderSection, defaults};

/// A provider that is switched on.
#[derive(Debug, Clone)]
pub enum Provider {
    /// The built-in conversation program, for trying things out offline. Its only model is `eliza`.
    Eliza(Capacity),
    /// A server that is asked over HTTP.
    Upstream(UpstreamSection),
}

/// `[providers.NAME]` of a server that is asked over HTTP.
#[derive(Debug, Clone)]
pub struct UpstreamSection {
    /// The protocol that it speaks.
    pub kind: Kind,
    /// The URL that the protocol's own path follows; without credentials, query and fragment.
    pub base_url: String,
    /// The key that it wants, if any.
    pub api_key: Option<SecretString>,
    /// The models that are asked for there. One of them may have the name `*`: it stands for all names that no
    /// provider has.
    pub models: Vec<Model>,
    /// How long it may take, where a model does not say.
    pub timeouts: Timeouts,
    /// How many responses may use it at once, and wait for it.
    pub capacity: Capacity,
    /// How often a response asks it again, at most, before the first word. Zero: never.
    pub max_retries: u32,
}

/// The protocol that a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// OpenAI's Chat Completions, with the name that the limit of the output has there.
    ChatCompletions(OutputLimitField),
    /// OpenAI's Responses: another Antiphon speaks it, too.
    Responses {
        /// Whether responses are kept there and go on without this server, which can then listen to them again.
        reattach: bool,
    },
    /// Anthropic's Messages, with the form in which models are told to think.
    Anthropic(ThinkingForm),
}

impl Kind {
    /// The word for it in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ChatCompletions(_) => "chat_completions",
            Self::Responses { .. } => "responses",
            Self::Anthropic(_) => "anthropic",
        }
    }
}

/// How many responses may use a provider at once, and wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// The most that use it at the same time.
    pub max_concurrent: NonZeroUsize,
    /// The most that wait for a place, in the order of their arrival. One more is refused at once. Zero: nobody waits.
    pub max_queue: usize,
    /// The most that use it or wait for it under one API key; none for no such limit.
    pub max_concurrent_per_key: Option<NonZeroUsize>,
    /// How long a response may wait for a place.
    pub queue_timeout: Duration,
}

impl Default for Capacity {
    fn default() -> Self {
        Self {
            max_concurrent: NonZeroUsize::MIN.saturating_add(1023),
            max_queue: 1024,
            max_concurrent_per_key: None,
            queue_timeout: Duration::from_secs(30),
        }
    }
}

/// How often a response asks a provider again that does not say.
const MAX_RETRIES: u32 = 2;

/// The only model of the built-in program.
const ELIZA: &str = "eliza";

/// The name of the model that stands for every name.
const ANY: &str = "*";

/// The providers that are switched on. What is wrong with them goes to `problems`; with a problem there is no
/// configuration, so that what stands in for a bad value does not matter.
pub(super) fn resolve(
    sections: BTreeMap<String, ProviderSection>,
    environment: &Environment,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Provider> {
    let mut providers = BTreeMap::new();
    for (name, section) in sections {
        if section.is_enabled() {
            let provider = checked::provider(&name, section, (environment, &mut *problems));
            providers.insert(name, provider);
        }
    }
    together::check(&providers, problems);
    providers
}
