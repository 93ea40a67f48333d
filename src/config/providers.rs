//! `[providers.NAME]`: where answers come from.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::entries::ConfigEntry;
use super::{Environment, ModelSection, Problem};
use crate::actors::ProviderOptions;
use checked::CheckContext;

mod checked;
mod section;
mod together;

pub(super) use section::defaults;
pub use section::{ProviderKind, ProviderSection};

/// A provider that is switched on, and known to make sense.
#[derive(Debug, Clone)]
pub enum ConfiguredProvider {
    /// The built-in conversation program, for trying things out offline. Its only model is `eliza`.
    Eliza(ProviderOptions),
    /// A server that is asked over HTTP.
    Upstream(Box<UpstreamProvider>),
}

/// A provider that is asked over HTTP.
#[derive(Debug, Clone)]
pub struct UpstreamProvider {
    /// The protocol that it speaks.
    pub kind: ProviderKind,
    /// The URL that the protocol's own path follows; without credentials, query and fragment.
    pub base_url: String,
    /// The key that it wants, if any.
    pub api_key: Option<SecretString>,
    /// The models that are asked for there. One of them may have the name `*`: it stands for all names that no
    /// provider has.
    pub models: Vec<ModelSection>,
    /// Its other options.
    pub section: ProviderSection,
}

impl ConfiguredProvider {
    /// How many responses may use it at once and wait for it, and how often it is asked again.
    #[must_use]
    pub fn options(&self) -> ProviderOptions {
        match self {
            Self::Eliza(options) => *options,
            Self::Upstream(upstream) => upstream.section.options,
        }
    }
}

/// The only model of the built-in program.
const ELIZA: &str = "eliza";

/// The name of the model that stands for every name.
const ANY: &str = "*";

/// Checks the providers that are switched on. What is wrong with them goes to the problems; with a problem there is no
/// configuration, so that what stands in for a wrong value does not matter.
pub(super) fn resolve(
    sections: BTreeMap<String, ProviderSection>,
    entries: &[ConfigEntry],
    environment: &Environment,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, ConfiguredProvider> {
    let mut providers = BTreeMap::new();
    for (name, section) in sections.into_iter().filter(|(_, section)| section.enabled) {
        let context = CheckContext { name: &name, entries, environment };
        let provider = checked::check(section, &context, problems);
        providers.insert(name, provider);
    }
    together::check(&providers, problems);
    providers
}
