//! Who may use the server: users, their API keys, and the port to where these are kept.

mod pepper;
mod port;

pub use pepper::Pepper;
pub use port::{Accounts, ApiKeyRecord, Error, UserRecord, WrappedKey};

#[cfg(test)]
pub(crate) mod fake;
