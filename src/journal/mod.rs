//! Between facts and the store: how facts become encrypted segments, and how a log is read again.
//!
//! Imports `domain` and the ports `store` and `vault`.

mod log;
mod log_error;
mod log_pool;
mod user_shares;

pub use crate::domain::segment::{CodecError, decode, encode};
pub use log::{Log, LogSlice, SEGMENTS_A_PAGE};
pub use log_error::LogError;
pub use log_pool::{LogPool, LogPoolOptions};
