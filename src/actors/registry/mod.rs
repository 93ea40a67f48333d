//! Knows the running responses of a node.

mod commands;
mod lookup;
mod recovery;
mod registry;
mod settle;

pub(crate) use commands::{CancelResponse, DeleteResponse, Drain, JoinResponse, StartResponse};
pub(crate) use lookup::{find, load};
pub(crate) use registry::ResponseRegistry;
