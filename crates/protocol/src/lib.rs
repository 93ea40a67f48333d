//! What goes over the wire: ids, items, the Response object, stream events, error bodies.
//!
//! Plain data with its serde form and no behaviour beyond it. Imports no other crate of this project.

mod error;
mod event;
mod ids;
mod item;
mod json;
mod json_object;
mod logprob;
mod output_form;
mod request;
mod response;
mod tool;
mod usage;

pub use error::{ErrorBody, ErrorEnvelope, ErrorEvent};
pub use event::{OtherEvent, ResponseEvent};
pub use ids::{InvalidId, ItemId, ResponseId, UserId};
pub use item::{
    ContentPart, FunctionCall, FunctionCallOutput, Item, ItemStatus, Message, OtherItem, OutputText, Reasoning,
    ReasoningText, Role, SummaryText,
};
pub use json::Json;
pub use json_object::JsonObject;
pub use logprob::{LogProb, TopLogProb};
pub use output_form::{ReasoningConfig, TextConfig, TextFormat, Verbosity};
pub use request::{ContentParam, CreateResponse, Input, InputItem, InputPart, StreamOptions};
pub use response::{IncompleteDetails, Response, ResponseFailure, Status, Truncation};
pub use tool::{AllowedTool, FunctionTool, NarrowChoice, Tool, ToolChoice, ToolMode};
pub use usage::{InputTokensDetails, OutputTokensDetails, Usage};
