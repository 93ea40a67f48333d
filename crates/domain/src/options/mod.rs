//! Options of the configuration that are about responses, and what every struct of options is made with.
//!
//! Each option has one type and one default: the struct that the code reads is the one that `config.toml` is read into,
//! and the one that embedders fill in. Fields with `#[serde(skip)]` can be set in code alone.

mod checks;
pub mod duration;
mod groups;
mod limits;
mod responses;
pub mod size;
pub mod word;

pub use checks::{OptionChecks, OptionError};
pub use groups::GroupOptions;
pub use limits::LimitOptions;
pub use responses::{DisconnectMode, ResponseOptions};
