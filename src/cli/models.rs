//! From the configuration to the models that clients can name.

use std::collections::BTreeMap;

use crate::admission::{Fallback, Model, ModelCatalog};
use crate::config::{Config, ConfiguredProvider, ModelSection};
use crate::domain::{Target, Timeouts};

#[cfg(test)]
mod tests;

/// The models of all providers.
pub(super) fn catalog(config: &Config) -> ModelCatalog {
    let offered = config.providers.iter().flat_map(|(name, provider)| offered_by(name, provider));
    let offered: Vec<OfferedModel> = offered.collect();
    let default_output_tokens = config.responses.default_max_output_tokens;
    let alone: Vec<Model> = offered.iter().map(|offered| without_fallbacks(offered, default_output_tokens)).collect();
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
}

fn offered_by(name: &str, provider: &ConfiguredProvider) -> Vec<OfferedModel> {
    let sections = match provider {
        ConfiguredProvider::Eliza(_) => vec![ModelSection::named("eliza", Timeouts::default())],
        ConfiguredProvider::Upstream(upstream) => upstream.models.clone(),
    };
    sections.into_iter().map(|section| OfferedModel { provider: name.to_owned(), section }).collect()
}

fn without_fallbacks(offered: &OfferedModel, default_output_tokens: u32) -> Model {
    let OfferedModel { provider, section } = offered;
    let model = section.upstream_id().to_owned();
    let unknown = Model::new(&section.id, Target { provider: provider.clone(), model, timeouts: section.timeouts });
    Model {
        context_window: section.context_window.unwrap_or(unknown.context_window),
        encoding: section.encoding,
        default_output_tokens: section.max_output_tokens.unwrap_or(default_output_tokens),
        ..unknown
    }
}

fn fallback(model: &Model) -> Fallback {
    Fallback { target: model.target.clone(), context_window: model.context_window }
}
