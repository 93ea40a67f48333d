//! From the configuration to the models that clients can name.

use std::collections::BTreeMap;

use crate::admission::{Fallback, Model, ModelCatalog};
use crate::config::{self, Config};
use crate::domain::{LimitOptions, Target, Timeouts};

#[cfg(test)]
mod tests;

/// The context window of a model of which nothing is said.
const CONTEXT_WINDOW: u32 = 128_000;

/// The models of all providers.
pub(super) fn catalog(config: &Config) -> ModelCatalog {
    let offers: Vec<Offer> = config.providers.iter().flat_map(offers).collect();
    let places: BTreeMap<&str, Fallback> = offers.iter().map(|offer| (offer.model.id.as_str(), place(offer))).collect();
    let model = |offer: &Offer| model(offer, &places, config.responses.default_max_output_tokens);
    let (any, named): (Vec<&Offer>, Vec<&Offer>) = offers.iter().partition(|offer| offer.model.is_any());
    let catalog: ModelCatalog = named.into_iter().map(model).collect();
    any.into_iter().map(model).fold(catalog, ModelCatalog::with_any)
}

/// A model and the provider that has it.
struct Offer {
    provider: String,
    model: config::Model,
}

fn offers((name, provider): (&String, &config::Provider)) -> Vec<Offer> {
    let models = match provider {
        config::Provider::Eliza(_) => vec![config::Model::named("eliza", Timeouts::default())],
        config::Provider::Upstream(section) => section.models.clone(),
    };
    models.into_iter().map(|model| Offer { provider: name.clone(), model }).collect()
}

fn place(Offer { provider, model }: &Offer) -> Fallback {
    Fallback {
        target: Target { provider: provider.clone(), model: model.upstream_id.clone(), timeouts: model.timeouts },
        context_window: model.context_window.unwrap_or(CONTEXT_WINDOW),
    }
}

fn model(offer: &Offer, places: &BTreeMap<&str, Fallback>, default_output_tokens: u32) -> Model {
    let Fallback { target, context_window } = place(offer);
    let Offer { provider, model } = offer;
    Model {
        id: model.id.clone(),
        target,
        // The configuration names models that are there.
        fallbacks: model.fallback.iter().filter_map(|id| places.get(id.as_str())).cloned().collect(),
        context_window,
        encoding: model.encoding,
        default_output_tokens: model.max_output_tokens.unwrap_or(default_output_tokens),
        max_output_tokens: LimitOptions::default().max_output_tokens,
        owned_by: provider.clone(),
        created: 0,
    }
}
