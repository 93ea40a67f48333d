//! The registry of a node's running responses.

mod actor;
mod commands;
mod ending;
mod idempotency_expiry;
mod lookup;
mod reading;
mod recovered;
mod recoverer;
mod recovery;
mod running;
mod setting_aside;
mod settle;
mod sweep;
mod user_deletion;

pub(crate) use actor::ResponseRegistry;
pub(crate) use commands::{Begin, Cancel, Delete, Drain, Join, Withdraw};
pub(crate) use lookup::{find, load_response};
