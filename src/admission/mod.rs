//! From a request to a plan: validated, with its model, its history and its tokens.
//!
//! Nothing is written and no provider is called before a plan is made. Imports `protocol`, `domain` and the
//! actors' history.

mod admit;
mod catalog;
mod ports;
mod prompt;
mod refusal;
mod replanner;
#[cfg(test)]
mod tests;

pub use admit::{Admission, Admitted, RequestContext};
pub use catalog::{Fallback, Model, ModelCatalog};
pub use ports::{Histories, PromptCounter};
pub use refusal::Refusal;
pub use replanner::Replanner;
