//! The configuration of the server: defaults, below `config.toml`, below the environment.
//!
//! One file per section. Every key `KEY` of a section `SECTION` is also the environment variable
//! `ANTIPHON_<SECTION>__<KEY>`. Unknown keys are refused in both, and all problems are told at once.
//! Durations are texts of a whole number and a unit: `"250ms"`, `"10s"`, `"5m"`, `"1h"`. Sizes are bytes: `4096`, or
//! `"64KiB"`, `"20MiB"`. Each value knows where it was written, and each problem too.
//! Plain data; imports `domain` and the ports whose settings it holds.

mod layers;
mod load;
mod log;
mod models;
mod nearest;
mod origin;
mod problem;
mod providers;
mod purpose;
mod secret_file;
mod settings;
mod store;
mod vault;

pub(crate) use load::NO_FILE;
pub use load::{Config, Environment};
pub use log::{LogFormat, LogSection};
pub use models::Model;
pub use origin::Origin;
use problem::Rivals;
pub use problem::{InvalidConfig, Problem};
pub use providers::{Capacity, Kind, Provider, UpstreamSection};
pub use purpose::Purpose;
pub use settings::Setting;
pub use store::{StoreSection, StoreSync};
pub use vault::VaultSection;

#[cfg(test)]
mod tests;
