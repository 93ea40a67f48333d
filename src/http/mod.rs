//! The HTTP API: from the socket to the actors' handle and back.
//!
//! One endpoint a file under `endpoints`. [`ApiError`] alone knows status codes. Imports everything but
//! adapters; nothing imports it but `main`, embedders and tests.

mod authentication;
mod backend;
mod body;
mod disconnect;
mod endpoints;
mod envelope;
mod error;
mod idempotency;
mod in_flight;
mod options;
mod outcome;
mod page;
mod path;
mod query;
mod refusals;
mod request_id;
mod routes;
mod server;
mod sse;
mod state;
#[cfg(test)]
mod tests;

pub use authentication::Authenticate;
pub use backend::Backend;
pub use error::ApiError;
pub use in_flight::InFlight;
pub use options::{HttpOptions, ServerOptions};
pub use page::page;
pub use routes::{health, scope};
pub use server::serve;
pub use state::HttpState;
