//! What goes over the wire: ids, items, the Response object, stream events, error bodies.
//!
//! Plain data with its serde form and no behaviour beyond it. Imports nothing of this crate.

mod error;
mod event;
mod ids;
mod item;
mod request;
mod response;
mod usage;

pub use error::{ErrorBody, ErrorEnvelope, ErrorEvent};
pub use event::ResponseEvent;
pub use ids::{InvalidId, ItemId, ResponseId, UserId};
pub use item::{
    ContentPart, FunctionCall, FunctionCallOutput, Item, ItemStatus, Message, OutputText, Reasoning, ReasoningText,
    Role, SummaryText,
};
pub use request::{ContentParam, CreateResponse, Input, InputItem, InputPart, StreamOptions, TextParam};
pub use response::{IncompleteDetails, Response, ResponseFailure, Status, TextConfig, TextFormat, Truncation};
pub use usage::{InputTokensDetails, OutputTokensDetails, Usage};
