//! Checks across all providers: every model has one provider, and fallbacks exist.

use std::collections::{BTreeMap, BTreeSet};

use super::{ANY, ConfiguredProvider, ELIZA};
use crate::config::{ModelSection, Problem};

/// The provider of each model, by the names that clients use.
type Owners<'a> = BTreeMap<&'a str, &'a str>;

pub(super) fn check(providers: &BTreeMap<String, ConfiguredProvider>, problems: &mut Vec<Problem>) {
    let owners = owners(providers, problems);
    for (key, model) in models(providers).map(|(name, index, model)| (key_of(name, index), model)) {
        let mut seen = BTreeSet::new();
        for fallback in &model.fallback {
            let reason = match owners.get(fallback.as_str()) {
                _ if *fallback == model.id => "a model can't be its own fallback",
                _ if fallback == ANY => "a fallback is the name of one model",
                None => "there is no model of that name",
                Some(_) if fallback == ELIZA => "the built-in program can't be a fallback",
                Some(_) if !seen.insert(fallback) => "is listed already",
                Some(_) => continue,
            };
            problems.push(Problem::new(format!("{key}.fallback"), Some(fallback.clone()), reason));
        }
    }
}

fn owners<'a>(providers: &'a BTreeMap<String, ConfiguredProvider>, problems: &mut Vec<Problem>) -> Owners<'a> {
    let mut owners = Owners::new();
    for (name, provider) in providers {
        let ConfiguredProvider::Eliza(_) = provider else { continue };
        if let Some(other) = owners.insert(ELIZA, name) {
            let reason = format!("providers.{other} is of the kind \"eliza\" already");
            problems.push(Problem::new(format!("providers.{name}.kind"), None, reason));
        }
    }
    for (name, index, model) in models(providers).filter(|(_, _, model)| !model.id.is_empty()) {
        match owners.get(model.id.as_str()) {
            None => {
                owners.insert(&model.id, name);
            }
            Some(other) => {
                let reason = if model.id == ANY {
                    format!("only one provider can have \"*\", and providers.{other} has it already")
                } else {
                    format!("providers.{other} has a model of that name already")
                };
                problems.push(Problem::new(key_of(name, index), Some(model.id.clone()), reason));
            }
        }
    }
    owners
}

/// The models that servers have, with the name of their provider and their position in its list.
fn models(providers: &BTreeMap<String, ConfiguredProvider>) -> impl Iterator<Item = (&str, usize, &ModelSection)> {
    providers.iter().flat_map(|(name, provider)| {
        let models = match provider {
            ConfiguredProvider::Eliza(_) => &[],
            ConfiguredProvider::Upstream(upstream) => upstream.models.as_slice(),
        };
        models.iter().enumerate().map(|(index, model)| (name.as_str(), index, model))
    })
}

fn key_of(provider: &str, index: usize) -> String {
    format!("providers.{provider}.models[{index}]")
}
