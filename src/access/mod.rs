//! Who may use the server: users, their API keys, and the port to where these are kept.

mod api_key;
mod authenticator;
mod pepper;
mod port;
mod service;

pub use api_key::ApiKey;
pub use authenticator::{AuthError, Authenticator, Principal};
pub use pepper::Pepper;
pub use port::{Accounts, ApiKeyRecord, Error, UserRecord, WrappedKey};
pub use service::{AccountService, ServiceError};

#[cfg(test)]
mod tests;
