//! The logs of the server, without any content of requests and answers.

mod logs;

pub use logs::{InitError, init};
