//! From what a client wrote to what it asked for, or to the first parameter that can't be honoured.

mod content;
mod input;
mod metadata;
mod parameters;
#[cfg(test)]
mod tests;
mod unsupported;
mod violation;

pub use parameters::{ValidRequest, validate, validate_include};
pub use violation::{Offence, Violation};
