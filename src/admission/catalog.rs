//! The models that clients can name.

use std::collections::BTreeMap;

use crate::domain::{Encoding, Target};

/// A model that clients can name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// The name that clients use.
    pub id: String,
    /// Where it is asked.
    pub target: Target,
    /// Tokens of prompt and output together.
    pub context_window: u32,
    /// The tokenizer that fits the model.
    pub encoding: Encoding,
    /// The most output tokens of a request that does not say.
    pub default_output_tokens: u32,
    /// The most output tokens that a request may ask for.
    pub max_output_tokens: u32,
    /// Who offers the model.
    pub owned_by: String,
    /// Since when, in seconds of the Unix epoch.
    pub created: i64,
}

/// All models, by the names that clients use.
#[derive(Debug, Clone, Default)]
pub struct ModelCatalog(BTreeMap<String, Model>);

impl ModelCatalog {
    /// The model of that name.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Model> {
        self.0.get(id)
    }

    /// All models, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Model> {
        self.0.values()
    }
}

impl FromIterator<Model> for ModelCatalog {
    /// Of two models of one name the last is kept.
    fn from_iter<T: IntoIterator<Item = Model>>(models: T) -> Self {
        Self(models.into_iter().map(|model| (model.id.clone(), model)).collect())
    }
}
