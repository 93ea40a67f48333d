//! The events that providers send.

use serde::{Deserialize, Serialize};

use super::{FinishReason, json_text};
use antiphon_protocol::{InputTokensDetails, JsonObject, LogProb, Usage};

/// The number of a function call, or of an item of unknown kind, within one attempt, as the provider counts them.
pub type CallIndex = u32;

/// One event that a provider sent in one attempt.
///
/// Adapters translate the streams of providers into these events, the log of a response keeps them unchanged, and the
/// fold makes the events for clients from them. Encoded with `postcard`: the order of variants and fields is part of
/// the format, new variants go to the end.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub enum ProviderEvent {
    /// The provider answered with a success and will stream.
    Opened {
        /// The provider's own id of its response, if it sends one this early.
        provider_response_id: Option<String>,
    },
    /// A piece of text.
    Text {
        /// The text; never empty.
        text: String,
        /// How probable its tokens were; empty where that was not asked for.
        logprobs: Vec<LogProb>,
    },
    /// A note on the text so far, a citation for example.
    Annotation {
        /// The note as the provider wrote it.
        #[serde(with = "json_text")]
        annotation: JsonObject,
    },
    /// A piece of a refusal.
    Refusal {
        /// The text; never empty.
        text: String,
    },
    /// A piece of reasoning.
    Reasoning {
        /// The text; never empty.
        text: String,
    },
    /// A piece of a summary of the reasoning.
    ReasoningSummary {
        /// Which of the summaries of one reasoning item; a larger number begins the next.
        part: u32,
        /// The text; never empty.
        text: String,
    },
    /// The reasoning in a form that only its provider can read, to be given back with the next request. Belongs to
    /// the open reasoning item; where none is open it is an item of its own.
    EncryptedReasoning {
        /// The encrypted reasoning.
        encrypted_content: String,
    },
    /// The open content part is complete; further text of the same kind begins another part.
    ContentPartFinished,
    /// The open message or reasoning item is complete; further text of the same kind begins another item.
    ItemFinished {
        /// The other fields that the provider sent for it.
        #[serde(with = "json_text")]
        extra: JsonObject,
    },
    /// A function call began.
    FunctionCallStarted {
        /// The call's number.
        call: CallIndex,
        /// The provider's id of it.
        call_id: String,
        /// The function.
        name: String,
    },
    /// A piece of a function call's arguments.
    FunctionCallArguments {
        /// The call's number.
        call: CallIndex,
        /// Argument text; never empty.
        text: String,
    },
    /// A function call is complete. Where a provider does not report this, its calls are completed at the end.
    FunctionCallFinished {
        /// The call's number.
        call: CallIndex,
        /// The other fields that the provider sent for it.
        #[serde(with = "json_text")]
        extra: JsonObject,
    },
    /// An item of a kind that this server does not know began.
    OtherItemStarted {
        /// The item's number among those of this attempt.
        item: CallIndex,
        /// The item as it came, with its `type`.
        #[serde(with = "json_text")]
        fields: JsonObject,
    },
    /// An event about such an item, of a type that the API defines.
    OtherItemEvent {
        /// The item's number.
        item: CallIndex,
        /// The event's type.
        event: String,
        /// The event's own fields.
        #[serde(with = "json_text")]
        fields: JsonObject,
    },
    /// Such an item is complete.
    OtherItemFinished {
        /// The item's number.
        item: CallIndex,
        /// The item as it came, with its `type`.
        #[serde(with = "json_text")]
        fields: JsonObject,
    },
    /// The tokens that the attempt has used so far. A later report replaces it. Counts that contradict each other are
    /// [reconciled](Usage::reconciled) before they are recorded.
    Usage(#[serde(with = "json_text")] Usage),
    /// The provider reported that it is finished. Usage may still follow.
    Finished(FinishReason),
    /// The tokens of the attempt's prompt, known before its output is. A report of the whole usage replaces it.
    InputUsage(#[serde(with = "json_text")] InputUsage),
    /// The tier in which the provider has served the request.
    ServiceTier {
        /// The provider's own word for it.
        tier: String,
    },
}

/// The tokens of a prompt, as a provider counted them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputUsage {
    /// All of them.
    pub input_tokens: u64,
    /// What they were made of.
    pub input_tokens_details: InputTokensDetails,
}

impl InputUsage {
    /// These counts as [`Usage::reconciled`] reads those of a whole call.
    #[must_use]
    pub fn reconciled(self) -> Option<Self> {
        let Self { input_tokens, input_tokens_details } = self;
        let usage = Usage { input_tokens, input_tokens_details, ..Usage::default() };
        let Usage { input_tokens, input_tokens_details, .. } = usage.reconciled()?;
        Some(Self { input_tokens, input_tokens_details })
    }
}

/// The content of an event that counts as output.
enum Payload<'a> {
    Nothing,
    Text(&'a str, &'a [LogProb]),
    Function { call_id: &'a str, name: &'a str },
    Json(&'a JsonObject),
}

impl ProviderEvent {
    /// The event's name, for logs: events carry content and have no other printable form.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "opened",
            Self::Text { .. } => "text",
            Self::Annotation { .. } => "annotation",
            Self::Refusal { .. } => "refusal",
            Self::Reasoning { .. } => "reasoning",
            Self::ReasoningSummary { .. } => "reasoning_summary",
            Self::EncryptedReasoning { .. } => "encrypted_reasoning",
            Self::ContentPartFinished => "content_part_finished",
            Self::ItemFinished { .. } => "item_finished",
            Self::FunctionCallStarted { .. } => "function_call_started",
            Self::FunctionCallArguments { .. } => "function_call_arguments",
            Self::FunctionCallFinished { .. } => "function_call_finished",
            Self::OtherItemStarted { .. } => "other_item_started",
            Self::OtherItemEvent { .. } => "other_item_event",
            Self::OtherItemFinished { .. } => "other_item_finished",
            Self::Usage(_) => "usage",
            Self::Finished(_) => "finished",
            Self::InputUsage(_) => "input_usage",
            Self::ServiceTier { .. } => "service_tier",
        }
    }

    fn payload(&self) -> Payload<'_> {
        match self {
            Self::Text { text, logprobs } => Payload::Text(text, logprobs),
            Self::Refusal { text }
            | Self::Reasoning { text }
            | Self::ReasoningSummary { text, .. }
            | Self::FunctionCallArguments { text, .. }
            | Self::EncryptedReasoning { encrypted_content: text } => Payload::Text(text, &[]),
            Self::FunctionCallStarted { call_id, name, .. } => Payload::Function { call_id, name },
            Self::Annotation { annotation: fields }
            | Self::ItemFinished { extra: fields }
            | Self::FunctionCallFinished { extra: fields, .. }
            | Self::OtherItemStarted { fields, .. }
            | Self::OtherItemEvent { fields, .. }
            | Self::OtherItemFinished { fields, .. } => Payload::Json(fields),
            Self::Opened { .. }
            | Self::ContentPartFinished
            | Self::Usage(_)
            | Self::Finished(_)
            | Self::InputUsage(_)
            | Self::ServiceTier { .. } => Payload::Nothing,
        }
    }

    /// The bytes of output that the event adds.
    #[must_use]
    pub fn output_bytes(&self) -> usize {
        match self.payload() {
            Payload::Nothing => 0,
            Payload::Text(text, logprobs) => text.len() + logprobs.iter().map(logprob_bytes).sum::<usize>(),
            Payload::Function { call_id, name } => call_id.len() + name.len(),
            Payload::Json(fields) if fields.is_empty() => 0,
            Payload::Json(fields) => fields.as_str().len(),
        }
    }

    /// Whether the event holds JSON that is nested too deeply to be read back.
    #[must_use]
    pub fn is_too_deep(&self) -> bool {
        match self.payload() {
            Payload::Json(fields) => json_text::too_deep(fields).is_some(),
            Payload::Nothing | Payload::Text(..) | Payload::Function { .. } => false,
        }
    }

    /// Returns the event with its text cut to that many bytes at most, never inside of a character; none for an event
    /// that can't be cut.
    #[must_use]
    pub fn cut(mut self, bytes: usize) -> Option<Self> {
        let text = match &mut self {
            Self::Text { text, logprobs } if logprobs.is_empty() => text,
            Self::Refusal { text }
            | Self::Reasoning { text }
            | Self::ReasoningSummary { text, .. }
            | Self::FunctionCallArguments { text, .. } => text,
            Self::Opened { .. }
            | Self::Text { .. }
            | Self::Annotation { .. }
            | Self::EncryptedReasoning { .. }
            | Self::ContentPartFinished
            | Self::ItemFinished { .. }
            | Self::FunctionCallStarted { .. }
            | Self::FunctionCallFinished { .. }
            | Self::OtherItemStarted { .. }
            | Self::OtherItemEvent { .. }
            | Self::OtherItemFinished { .. }
            | Self::Usage(_)
            | Self::Finished(_)
            | Self::InputUsage(_)
            | Self::ServiceTier { .. } => return None,
        };
        text.truncate(text.floor_char_boundary(bytes));
        Some(self)
    }
}

// Events carry content, and content is in no log.
impl std::fmt::Debug for ProviderEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// About the length of a token's probabilities as JSON.
fn logprob_bytes(logprob: &LogProb) -> usize {
    let top: usize = logprob.top_logprobs.iter().map(|top| 48 + top.token.len() + 4 * top.bytes.len()).sum();
    64 + logprob.token.len() + 4 * logprob.bytes.len() + top
}
