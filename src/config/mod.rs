//! The configuration of the server: defaults, below `config.toml`, below the environment.
//!
//! The sections are structs of the parts that they configure; here they are read from the layers, put together and
//! checked. Every option `KEY` of a section `SECTION` is also the environment variable `ANTIPHON_<SECTION>__<KEY>`.
//! Unknown options are refused in both, and all problems are reported at once. Each value knows where it was written,
//! and each problem too.

mod entries;
mod environment;
mod layout;
mod load;
mod log;
mod models;
mod problem;
mod providers;
mod purpose;
mod secret_file;
mod sections;
mod settings;
mod store;
mod suggestion;
mod value_source;
mod vault;

pub use environment::Environment;
pub use load::Config;
pub(crate) use load::NO_FILE;
pub use log::{LogFormat, LogSection};
pub use models::ModelSection;
pub use problem::{InvalidConfig, Problem};
pub use providers::{ConfiguredProvider, ProviderKind, ProviderSection, UpstreamProvider};
pub use purpose::Purpose;
pub use settings::Setting;
pub use store::StoreSection;
pub use value_source::ValueSource;
pub use vault::VaultSection;

#[cfg(test)]
mod tests;
