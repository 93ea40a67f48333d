//! Calls over HTTP, the same for every protocol that providers speak.
//!
//! A [`Dialect`] says what a request looks like and what an answer's events mean: pure, synchronous. The rest of this
//! module transfers the bytes and enforces timeouts and limits.

mod call;
mod client;
mod dialect;
mod exchange;
mod failure;
mod hidden_key;
mod options;
mod report;
mod retry_after;
mod sse;
mod stream_decoder;
#[cfg(test)]
mod tests;
mod tls;
mod upstream;
mod upstream_id;
mod work;

pub use dialect::Flow;
pub use options::{UpstreamError, UpstreamOptions};
pub use sse::{SseDecoder, SseFrame};
pub use stream_decoder::StreamDecoder;

pub(super) use dialect::{Decode, Detached, Dialect};
pub(super) use report::{report_of, reported, words_for_logs};
pub(super) use upstream::{HttpUpstream, bearer};
pub(super) use upstream_id::UpstreamId;
