//! Accounts: users, their API keys and their data keys.

mod api_keys;
mod data_keys;
mod store;
mod users;

pub(super) use users::lock_present as lock_present_users;
