//! Checks the body of a request: makes the request of it, or names the first parameter that can't be honoured.

mod content;
mod input;
mod keys;
mod metadata;
mod output_form;
mod parameters;
mod shape;
#[cfg(test)]
mod tests;
mod tools;
mod unsupported;
mod violation;

pub use parameters::{ValidatedRequest, validate, validate_include};
pub use shape::{RequestShape, ShapeError};
pub use violation::{Offence, Violation};
