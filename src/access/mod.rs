//! Who may use the server: users, their API keys, and the port to where these are kept.

mod port;

pub use port::{Accounts, ApiKeyRecord, Error, UserRecord, WrappedKey};
