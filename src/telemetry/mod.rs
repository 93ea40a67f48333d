//! The logs of the server, without any content of requests and answers, on outputs that nothing waits for.

mod background_writer;
mod line_queue;
mod logs;
mod one_line;

pub use background_writer::BackgroundWriter;
pub use logs::{InitError, init};
