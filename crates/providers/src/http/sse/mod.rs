//! Server-sent events of an upstream: bytes in, events out, however the bytes were cut.

mod boundary;
mod decoder;
#[cfg(test)]
mod tests;

pub use decoder::{SseDecoder, SseFrame};
