//! From a request to a plan: validated, with its model, its history and its tokens.
//!
//! Nothing is written and no provider is called before a plan is made. Imports `protocol`, `domain`, the token counter,
//! and of the actors the node, whose models, limits and history it plans with.

mod admit;
#[cfg(test)]
mod tests;

pub use crate::domain::{Fallback, Model, ModelCatalog};
pub use admit::{Admission, Admitted, RequestContext};
