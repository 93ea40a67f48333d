//! The events of a response's stream.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::value::RawValue;

use super::{ContentPart, Extra, Item, ItemId, LogProb, Response, SummaryText};

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
    #[serde(rename = "response.output_item.added")]
    OutputItemAdded {
        /// The event's number.
        sequence_number: u64,
        /// The item's position in the output.
        output_index: u32,
        /// The item as of this event.
        item: Box<Item>,
    },
    /// An item ended.
    #[serde(rename = "response.output_item.done")]
    OutputItemDone {
        /// The event's number.
        sequence_number: u64,
        /// The item's position in the output.
        output_index: u32,
        /// The item as of this event.
        item: Box<Item>,
    },
    /// A part of an item began.
    #[serde(rename = "response.content_part.added")]
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
    #[serde(rename = "response.content_part.done")]
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
    #[serde(rename = "response.output_text.annotation.added")]
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
        annotation: Extra,
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
    #[serde(untagged)]
    Other(OtherEvent),
}

impl ResponseEvent {
    /// The event's number.
    #[must_use]
    pub fn sequence_number(&self) -> u64 {
        match self {
            Self::Created { sequence_number, .. }
            | Self::Queued { sequence_number, .. }
            | Self::InProgress { sequence_number, .. }
            | Self::Completed { sequence_number, .. }
            | Self::Incomplete { sequence_number, .. }
            | Self::Failed { sequence_number, .. }
            | Self::OutputItemAdded { sequence_number, .. }
            | Self::OutputItemDone { sequence_number, .. }
            | Self::ContentPartAdded { sequence_number, .. }
            | Self::ContentPartDone { sequence_number, .. }
            | Self::OutputTextDelta { sequence_number, .. }
            | Self::OutputTextDone { sequence_number, .. }
            | Self::RefusalDelta { sequence_number, .. }
            | Self::RefusalDone { sequence_number, .. }
            | Self::ReasoningTextDelta { sequence_number, .. }
            | Self::ReasoningTextDone { sequence_number, .. }
            | Self::AnnotationAdded { sequence_number, .. }
            | Self::ReasoningSummaryPartAdded { sequence_number, .. }
            | Self::ReasoningSummaryPartDone { sequence_number, .. }
            | Self::ReasoningSummaryTextDelta { sequence_number, .. }
            | Self::ReasoningSummaryTextDone { sequence_number, .. }
            | Self::FunctionCallArgumentsDelta { sequence_number, .. }
            | Self::FunctionCallArgumentsDone { sequence_number, .. }
            | Self::Other(OtherEvent { sequence_number, .. }) => *sequence_number,
        }
    }

    /// The event's type, the same word as in its JSON.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Created { .. } => "response.created",
            Self::Queued { .. } => "response.queued",
            Self::InProgress { .. } => "response.in_progress",
            Self::Completed { .. } => "response.completed",
            Self::Incomplete { .. } => "response.incomplete",
            Self::Failed { .. } => "response.failed",
            Self::OutputItemAdded { .. } => "response.output_item.added",
            Self::OutputItemDone { .. } => "response.output_item.done",
            Self::ContentPartAdded { .. } => "response.content_part.added",
            Self::ContentPartDone { .. } => "response.content_part.done",
            Self::OutputTextDelta { .. } => "response.output_text.delta",
            Self::OutputTextDone { .. } => "response.output_text.done",
            Self::AnnotationAdded { .. } => "response.output_text.annotation.added",
            Self::RefusalDelta { .. } => "response.refusal.delta",
            Self::RefusalDone { .. } => "response.refusal.done",
            Self::ReasoningTextDelta { .. } => "response.reasoning_text.delta",
            Self::ReasoningTextDone { .. } => "response.reasoning_text.done",
            Self::FunctionCallArgumentsDelta { .. } => "response.function_call_arguments.delta",
            Self::ReasoningSummaryPartAdded { .. } => "response.reasoning_summary_part.added",
            Self::ReasoningSummaryPartDone { .. } => "response.reasoning_summary_part.done",
            Self::ReasoningSummaryTextDelta { .. } => "response.reasoning_summary_text.delta",
            Self::ReasoningSummaryTextDone { .. } => "response.reasoning_summary_text.done",
            Self::FunctionCallArgumentsDone { .. } => "response.function_call_arguments.done",
            Self::Other(event) => &event.kind,
        }
    }

    /// Whether no event follows.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Completed { .. } | Self::Incomplete { .. } | Self::Failed { .. })
    }

    /// The response that a lifecycle event carries.
    #[must_use]
    pub fn response(&self) -> Option<&Response> {
        if let Self::Created { response, .. }
        | Self::Queued { response, .. }
        | Self::InProgress { response, .. }
        | Self::Completed { response, .. }
        | Self::Incomplete { response, .. }
        | Self::Failed { response, .. } = self
        {
            Some(response)
        } else {
            None
        }
    }

    /// The text that a delta event carries.
    #[must_use]
    pub fn delta(&self) -> Option<&str> {
        if let Self::OutputTextDelta { delta, .. }
        | Self::RefusalDelta { delta, .. }
        | Self::ReasoningTextDelta { delta, .. }
        | Self::ReasoningSummaryTextDelta { delta, .. }
        | Self::FunctionCallArgumentsDelta { delta, .. } = self
        {
            Some(delta)
        } else {
            None
        }
    }
}

/// An event of the contract about an item of a kind that this server does not know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    #[serde(flatten)]
    pub fields: Extra,
}

impl Serialize for ResponseEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

// Not derived: the tag would have the response buffered, and so lose how its client wrote the schemas in it. Needs the
// deserializer of `serde_json`.
impl<'de> Deserialize<'de> for ResponseEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Tag {
            #[serde(rename = "type")]
            kind: String,
        }

        #[derive(Deserialize)]
        struct Lifecycle {
            sequence_number: u64,
            response: Box<Response>,
        }

        let event = Box::<RawValue>::deserialize(deserializer)?;
        let Tag { kind } = serde_json::from_str(event.get()).map_err(D::Error::custom)?;
        let lifecycle = || serde_json::from_str::<Lifecycle>(event.get()).map_err(D::Error::custom);
        macro_rules! lifecycle {
            ($variant:ident) => {
                lifecycle().map(|Lifecycle { sequence_number, response }| Self::$variant { sequence_number, response })
            };
        }
        match kind.as_str() {
            "response.created" => lifecycle!(Created),
            "response.queued" => lifecycle!(Queued),
            "response.in_progress" => lifecycle!(InProgress),
            "response.completed" => lifecycle!(Completed),
            "response.incomplete" => lifecycle!(Incomplete),
            "response.failed" => lifecycle!(Failed),
            _ => Self::deserialize(&mut serde_json::Deserializer::from_str(event.get())).map_err(D::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::ResponseEvent;

    #[test]
    fn an_event_that_is_read_and_written_is_the_same_text_whatever_its_client_sent() {
        let schema = r#"{"z":1.0,"a":9223372036854775808,"m":[1e400],"a":123456789012345678901234567890}"#;
        let parameters = [
            r#""temperature":1.0,"top_p":1.0,"presence_penalty":0.0,"frequency_penalty":0.0,"top_logprobs":0"#,
            r#""max_output_tokens":null,"max_tool_calls":null"#,
            &format!(r#""tools":[{{"type":"function","name":"f","description":null,"parameters":{schema},"strict":null}}]"#),
            r#""tool_choice":"auto","parallel_tool_calls":true"#,
            &format!(r#""text":{{"format":{{"type":"json_schema","name":"n","description":null,"schema":{schema},"strict":true}}}}"#),
            r#""reasoning":null,"truncation":"disabled","service_tier":"default","user":null,"safety_identifier":null"#,
            &format!(r#""prompt_cache_key":null,"prompt_cache_options":{schema}"#),
        ]
        .join(",");
        let response = format!(
            r#"{{"id":"resp_019aa1b2c3d47000800000000000f01d","object":"response","created_at":1,"status":"queued","completed_at":null,"error":null,"incomplete_details":null,"model":"m","output":[],"usage":null,"instructions":null,"previous_response_id":null,"background":true,"store":true,"metadata":{{"z":"1","a":"2"}},{parameters}}}"#
        );
        for kind in ["created", "queued", "in_progress", "completed", "incomplete", "failed"] {
            let text = format!(r#"{{"type":"response.{kind}","sequence_number":7,"response":{response}}}"#);
            let event: ResponseEvent = serde_json::from_str(&text).unwrap();
            assert_eq!((event.name(), event.sequence_number()), (format!("response.{kind}").as_str(), 7));
            assert_eq!(serde_json::to_string(&event).unwrap(), text);
        }
        for text in [
            r#"{"type":"response.output_text.delta","sequence_number":1,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"a","logprobs":[]}"#,
            r#"{"type":"response.web_search_call.searching","sequence_number":1,"item_id":"ws_1","output_index":0,"z":1,"a":2}"#,
        ] {
            let event: ResponseEvent = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&event).unwrap(), text);
        }
        assert!(serde_json::from_str::<ResponseEvent>(r#"{"type":"response.created","sequence_number":7}"#).is_err());
    }
}
