//! What the server tells about itself, and never about what is said through it.

mod logs;

pub use logs::{InitError, init};
