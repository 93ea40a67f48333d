//! From the configuration to the models that clients can name.

use std::collections::BTreeMap;

use crate::admission::{Fallback, Model, ModelCatalog};
use crate::config::{Config, ConfiguredProvider, ModelSection, ProviderKind};
use crate::domain::{Target, Timeouts};

#[cfg(test)]
mod tests;

/// The models of all providers.
pub(super) fn catalog(config: &Config) -> ModelCatalog {
    let offered = config.providers.iter().flat_map(|(name, provider)| offered_by(name, provider));
    let offered: Vec<OfferedModel> = offered.collect();
    let alone: Vec<Model> = offered.iter().map(without_fallbacks).collect();
    let by_id: BTreeMap<&str, &Model> = alone.iter().map(|model| (model.id.as_str(), model)).collect();
    let with_fallbacks = |(offered, model): (&OfferedModel, &Model)| {
        // The configuration names models that are there.
        let fallbacks = offered.section.fallback.iter().filter_map(|id| by_id.get(id.as_str()));
        Model { fallbacks: fallbacks.map(|model| fallback(model)).collect(), ..model.clone() }
    };
    let models = offered.iter().zip(&alone);
    let (any, named): (Vec<_>, Vec<_>) = models.partition(|(offered, _)| offered.section.is_any());
    let catalog: ModelCatalog = named.into_iter().map(with_fallbacks).collect();
    any.into_iter().map(with_fallbacks).fold(catalog, ModelCatalog::with_any)
}

/// A model and the provider that has it.
struct OfferedModel {
    provider: String,
    section: ModelSection,
    /// The limit of the output that the protocol demands where nobody says one.
    demanded_limit: Option<u32>,
}

fn offered_by(name: &str, provider: &ConfiguredProvider) -> Vec<OfferedModel> {
    let (sections, demanded_limit) = match provider {
        ConfiguredProvider::Eliza(_) => (vec![ModelSection::named("eliza", Timeouts::default())], None),
        ConfiguredProvider::Upstream(upstream) => {
            let demands = upstream.kind == ProviderKind::Anthropic;
            (upstream.models.clone(), demands.then_some(upstream.section.default_max_tokens))
        }
    };
    let offered = |section| OfferedModel { provider: name.to_owned(), section, demanded_limit };
    sections.into_iter().map(offered).collect()
}

fn without_fallbacks(offered: &OfferedModel) -> Model {
    let OfferedModel { provider, section, demanded_limit } = offered;
    let (provider, model) = (provider.clone(), section.upstream_id().to_owned());
    let ModelSection { max_output_tokens, max_output_tokens_cap, timeouts, .. } = *section;
    let unknown = Model::new(&section.id, Target { provider, model, max_output_tokens_cap, timeouts });
    Model {
        context_window: section.context_window.unwrap_or(unknown.context_window),
        encoding: section.encoding,
        // What a protocol demands is said, and so echoed.
        default_output_tokens: max_output_tokens.or(max_output_tokens_cap).or(*demanded_limit),
        ..unknown
    }
}

fn fallback(model: &Model) -> Fallback {
    Fallback { target: model.target.clone(), context_window: model.context_window }
}
