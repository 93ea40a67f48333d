//! What clients send to have a response made: as it comes, nothing checked but its JSON types.

mod create;
mod input;

pub use create::{CreateResponse, StreamOptions};
pub use input::{ContentParam, Input, InputItem, InputPart};
