//! The HTTP API: from the socket to the actors' handle and back.
//!
//! One endpoint a file under `endpoints`. `error`, `error_code` and `refusals` alone know the status codes of errors. Imports everything
//! but adapters; nothing imports it but `main`, embedders and tests.

mod answer_head;
mod authenticate;
mod authentication;
mod body;
mod body_budget;
mod connections;
mod disconnect;
mod endpoints;
mod envelope;
mod error;
mod error_code;
mod idempotency;
mod in_flight;
mod json_answer;
mod line_per_minute;
mod options;
mod outcome;
mod page;
mod path;
mod query;
mod readers;
mod refusals;
mod request_id;
mod server;
mod sse;
mod state;
#[cfg(test)]
mod tests;
mod waiting;

pub use authenticate::Authenticate;
pub use body_budget::BodyMetrics;
pub use connections::{files_of_connections, most_connections, open_files_limit};
pub use endpoints::{health, scope};
pub use error::ApiError;
pub use in_flight::InFlight;
pub use options::{HttpOptions, ServerOptions};
pub use page::page;
pub use server::serve;
pub use state::HttpState;
