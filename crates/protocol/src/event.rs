//! The events of a response's stream.

mod common;
mod json;

use serde::{Deserialize, Serialize};

use super::{ContentPart, Item, ItemId, JsonObject, LogProb, Response, SummaryText};

/// One event of a response's stream, as OpenAI names it.
///
/// Sequence numbers begin at 0, grow by one and are the same in every replay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", remote = "Self")]
pub enum ResponseEvent {
    /// The response was accepted; always the first event.
    #[serde(rename = "response.created", skip_deserializing)]
    Created {
        /// The event's number.
        sequence_number: u64,
        /// The response as of this event.
        response: Box<Response>,
    },
    /// The response waits for its turn; only of background responses.
    #[serde(rename = "response.queued", skip_deserializing)]
    Queued {
        /// The event's number.
        sequence_number: u64,
        /// The response as of this event.
        response: Box<Response>,
    },
    /// Work began.
    #[serde(rename = "response.in_progress", skip_deserializing)]
    InProgress {
        /// The event's number.
        sequence_number: u64,
        /// The response as of this event.
        response: Box<Response>,
    },
    /// The one terminal event of a completed response.
    #[serde(rename = "response.completed", skip_deserializing)]
    Completed {
        /// The event's number.
        sequence_number: u64,
        /// The response as of this event.
        response: Box<Response>,
    },
    /// The one terminal event of an incomplete response.
    #[serde(rename = "response.incomplete", skip_deserializing)]
    Incomplete {
        /// The event's number.
        sequence_number: u64,
        /// The response as of this event.
        response: Box<Response>,
    },
    /// The one terminal event of a failed or cancelled response.
    #[serde(rename = "response.failed", skip_deserializing)]
    Failed {
        /// The event's number.
        sequence_number: u64,
        /// The response as of this event.
        response: Box<Response>,
    },
    /// An item began.
    #[serde(rename = "response.output_item.added", skip_deserializing)]
    OutputItemAdded {
        /// The event's number.
        sequence_number: u64,
        /// The item's position in the output.
        output_index: u32,
        /// The item as of this event.
        item: Box<Item>,
    },
    /// An item ended.
    #[serde(rename = "response.output_item.done", skip_deserializing)]
    OutputItemDone {
        /// The event's number.
        sequence_number: u64,
        /// The item's position in the output.
        output_index: u32,
        /// The item as of this event.
        item: Box<Item>,
    },
    /// A part of an item began.
    #[serde(rename = "response.content_part.added", skip_deserializing)]
    ContentPartAdded {
        /// The event's number.
        sequence_number: u64,
        /// The item.
        item_id: ItemId,
        /// The item's position in the output.
        output_index: u32,
        /// The part's position in the item.
        content_index: u32,
        /// The part as of this event.
        part: ContentPart,
    },
    /// A part of an item ended.
    #[serde(rename = "response.content_part.done", skip_deserializing)]
    ContentPartDone {
        /// The event's number.
        sequence_number: u64,
        /// The item.
        item_id: ItemId,
        /// The item's position in the output.
        output_index: u32,
        /// The part's position in the item.
        content_index: u32,
        /// The part as of this event.
        part: ContentPart,
    },
    /// Text arrived.
    #[serde(rename = "response.output_text.delta")]
    OutputTextDelta {
        /// The event's number.
        sequence_number: u64,
        /// The item.
        item_id: ItemId,
        /// The item's position in the output.
        output_index: u32,
        /// The part's position in the item.
        content_index: u32,
        /// What arrived.
        delta: String,
        /// How probable the tokens were; empty where that was not asked for.
        logprobs: Vec<LogProb>,
    },
    /// A text part is whole, or was cut.
    #[serde(rename = "response.output_text.done")]
    OutputTextDone {
        /// The event's number.
        sequence_number: u64,
        /// The item.
        item_id: ItemId,
        /// The item's position in the output.
        output_index: u32,
        /// The part's position in the item.
        content_index: u32,
        /// The whole text.
        text: String,
        /// How probable the tokens were; empty where that was not asked for.
        logprobs: Vec<LogProb>,
    },
    /// A note on a text arrived.
    #[serde(rename = "response.output_text.annotation.added", skip_deserializing)]
    AnnotationAdded {
        /// The event's number.
        sequence_number: u64,
        /// The item.
        item_id: ItemId,
        /// The item's position in the output.
        output_index: u32,
        /// The part's position in the item.
        content_index: u32,
        /// The note's position in the part.
        annotation_index: u32,
        /// The note.
        annotation: JsonObject,
    },
    /// A piece of a refusal arrived.
    #[serde(rename = "response.refusal.delta")]
    RefusalDelta {
        /// The event's number.
        sequence_number: u64,
        /// The item.
        item_id: ItemId,
        /// The item's position in the output.
        output_index: u32,
        /// The part's position in the item.
        content_index: u32,
        /// What arrived.
        delta: String,
    },
    /// A refusal is whole, or was cut.
    #[serde(rename = "response.refusal.done")]
    RefusalDone {
        /// The event's number.
        sequence_number: u64,
        /// The item.
        item_id: ItemId,
        /// The item's position in the output.
        output_index: u32,
        /// The part's position in the item.
        content_index: u32,
        /// The whole refusal.
        refusal: String,
    },
    /// A piece of reasoning arrived.
    #[serde(rename = "response.reasoning_text.delta")]
    ReasoningTextDelta {
        /// The event's number.
        sequence_number: u64,
        /// The item.
        item_id: ItemId,
        /// The item's position in the output.
        output_index: u32,
        /// The part's position in the item.
        content_index: u32,
        /// What arrived.
        delta: String,
    },
    /// A reasoning text is complete, or was cut.
    #[serde(rename = "response.reasoning_text.done")]
    ReasoningTextDone {
        /// The event's number.
        sequence_number: u64,
        /// The item.
        item_id: ItemId,
        /// The item's position in the output.
        output_index: u32,
        /// The part's position in the item.
        content_index: u32,
        /// The whole text.
        text: String,
    },
    /// A summary of the reasoning began.
    #[serde(rename = "response.reasoning_summary_part.added")]
    ReasoningSummaryPartAdded {
        /// The event's number.
        sequence_number: u64,
        /// The item.
        item_id: ItemId,
        /// The item's position in the output.
        output_index: u32,
        /// The summary's position in the item.
        summary_index: u32,
        /// The summary as of this event.
        part: SummaryText,
    },
    /// A summary of the reasoning ended.
    #[serde(rename = "response.reasoning_summary_part.done")]
    ReasoningSummaryPartDone {
        /// The event's number.
        sequence_number: u64,
        /// The item.
        item_id: ItemId,
        /// The item's position in the output.
        output_index: u32,
        /// The summary's position in the item.
        summary_index: u32,
        /// The summary as of this event.
        part: SummaryText,
    },
    /// A piece of a summary arrived.
    #[serde(rename = "response.reasoning_summary_text.delta")]
    ReasoningSummaryTextDelta {
        /// The event's number.
        sequence_number: u64,
        /// The item.
        item_id: ItemId,
        /// The item's position in the output.
        output_index: u32,
        /// The summary's position in the item.
        summary_index: u32,
        /// What arrived.
        delta: String,
    },
    /// A summary is whole, or was cut.
    #[serde(rename = "response.reasoning_summary_text.done")]
    ReasoningSummaryTextDone {
        /// The event's number.
        sequence_number: u64,
        /// The item.
        item_id: ItemId,
        /// The item's position in the output.
        output_index: u32,
        /// The summary's position in the item.
        summary_index: u32,
        /// The whole text.
        text: String,
    },
    /// Argument text of a call arrived.
    #[serde(rename = "response.function_call_arguments.delta")]
    FunctionCallArgumentsDelta {
        /// The event's number.
        sequence_number: u64,
        /// The item.
        item_id: ItemId,
        /// The item's position in the output.
        output_index: u32,
        /// What arrived.
        delta: String,
    },
    /// The arguments of a call are whole; never sent for a call that was cut.
    #[serde(rename = "response.function_call_arguments.done")]
    FunctionCallArgumentsDone {
        /// The event's number.
        sequence_number: u64,
        /// The item.
        item_id: ItemId,
        /// The item's position in the output.
        output_index: u32,
        /// The function.
        name: String,
        /// The whole argument text.
        arguments: String,
    },
    /// Something happened to an item of a kind that this server does not know.
    #[serde(untagged, skip_deserializing)]
    Other(OtherEvent),
}

/// An event of the contract about an item of a kind that this server does not know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct OtherEvent {
    /// The event's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The event's number.
    pub sequence_number: u64,
    /// The item.
    pub item_id: ItemId,
    /// The item's position in the output.
    pub output_index: u32,
    /// Everything else.
    #[serde(flatten, skip_deserializing)]
    pub fields: JsonObject,
}
