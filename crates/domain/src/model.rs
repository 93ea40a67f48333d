//! The models that clients can name.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{Encoding, Target};

/// A model that clients can name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// The name that clients use.
    pub id: String,
    /// Where it is asked.
    pub target: Target,
    /// Where it is asked when that fails before its first word, in this order.
    pub fallbacks: Vec<Fallback>,
    /// Tokens of prompt and output together.
    pub context_window: u32,
    /// The tokenizer that fits the model.
    pub encoding: Encoding,
    /// The most output tokens of a request that does not say; none leaves it to the cap, and without one to the provider.
    pub default_output_tokens: Option<u32>,
    /// Who offers the model.
    pub owned_by: String,
    /// Since when, in seconds of the Unix epoch; 0 for since its node has it.
    pub created: i64,
}

/// Another model that may answer in place of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// Where it is asked.
    pub target: Target,
    /// Tokens of prompt and output together.
    pub context_window: u32,
}

impl Model {
    /// A model of which nothing is known but its name and where it is asked: a context window of 128,000 tokens, no limit
    /// of output and no fallbacks.
    #[must_use]
    pub fn new(id: impl Into<String>, target: Target) -> Self {
        Self {
            id: id.into(),
            owned_by: target.provider.clone(),
            target,
            fallbacks: Vec::new(),
            context_window: 128_000,
            encoding: Encoding::default(),
            default_output_tokens: None,
            created: 0,
        }
    }

    /// Where a request of that many tokens, prompt and output together, is asked: the model's own target, then those
    /// fallbacks that have room for it. The tokens are counted as the model itself counts them.
    #[must_use]
    pub fn targets(&self, tokens: u32) -> Vec<Target> {
        let roomy = self.fallbacks.iter().filter(|fallback| tokens <= fallback.context_window);
        std::iter::once(&self.target).chain(roomy.map(|fallback| &fallback.target)).cloned().collect()
    }
}

/// All models, by the names that clients use.
#[derive(Debug, Clone, Default)]
pub struct ModelCatalog {
    named: BTreeMap<String, Model>,
    any: Option<Model>,
}

impl ModelCatalog {
    /// The same catalog with a model for every name that it does not have. Name and upstream name of what it gives
    /// are the name that was asked for; all else is as in `model`.
    #[must_use]
    pub fn with_any(self, model: Model) -> Self {
        Self { any: Some(model), ..self }
    }

    /// The same catalog, in which models are of that time, in seconds of the Unix epoch, where none was given.
    #[must_use]
    pub fn created_at(mut self, seconds: i64) -> Self {
        let unknown = self.named.values_mut().chain(&mut self.any).filter(|model| model.created == 0);
        unknown.for_each(|model| model.created = seconds);
        self
    }

    /// The model of that name. No model has an empty one.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Cow<'_, Model>> {
        let of_any = |any: &Model| {
            let target = Target { model: id.to_owned(), ..any.target.clone() };
            Cow::Owned(Model { id: id.to_owned(), target, ..any.clone() })
        };
        match self.named.get(id) {
            Some(model) => Some(Cow::Borrowed(model)),
            None => self.any.as_ref().filter(|_| !id.is_empty()).map(of_any),
        }
    }

    /// The name that is kept in the clear of a model that was asked for: the configuration's own. What a client may write
    /// as it likes is `*`.
    #[must_use]
    pub fn plain_name<'a>(&self, id: &'a str) -> &'a str {
        if self.named.contains_key(id) { id } else { "*" }
    }

    /// Adds a model, in place of one of the same name.
    pub fn insert(&mut self, model: Model) {
        self.named.insert(model.id.clone(), model);
    }

    /// Whether no name stands for a model.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.named.is_empty() && self.any.is_none()
    }

    /// The models that have names, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Model> {
        self.named.values()
    }

    /// What every other name stands for, if it stands for anything.
    #[must_use]
    pub fn any(&self) -> Option<&Model> {
        self.any.as_ref()
    }
}

impl FromIterator<Model> for ModelCatalog {
    /// Of two models of one name the last is kept.
    fn from_iter<T: IntoIterator<Item = Model>>(models: T) -> Self {
        let named = models.into_iter().map(|model| (model.id.clone(), model)).collect();
        Self { named, any: None }
    }
}
