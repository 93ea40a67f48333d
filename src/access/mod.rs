//! Who may use the server: users and their API keys. They are kept in the store and hashed by the vault.

mod api_key;
mod authenticator;
mod service;

pub use api_key::ApiKey;
pub use authenticator::{AuthError, Authenticator, Principal};
pub use service::{AccountService, ServiceError};

#[cfg(test)]
mod tests;
