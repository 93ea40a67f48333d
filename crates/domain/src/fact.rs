//! What happened to a response, in order.

mod name;

use serde::{Deserialize, Serialize};

use super::{Cause, FinishReason, Request, RunPolicy, Timestamp, json_text, legacy::PositionalRequest};
use antiphon_protocol::{Extra, LogProb, ResponseId, Usage};

/// Which call of a provider a fact belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Attempt {
    /// Counts the provider calls that go on from one another (tools answer in between), from 1.
    pub turn: u16,
    /// Counts the tries of one turn, from 1.
    pub number: u16,
}

impl Attempt {
    /// The first try of the first turn.
    pub const FIRST: Self = Self { turn: 1, number: 1 };
}

/// Which of the calls of one attempt, as the provider counts them.
pub type CallIndex = u32;

/// A limit of this server that a response can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Limit {
    /// The most bytes of output.
    OutputBytes,
}

/// One thing that happened to a response.
///
/// The log of a response is a sequence of these and nothing else; whatever anybody reads of a response
/// is a fold over it. Encoded with `postcard`: the order of variants and fields is part of the format,
/// new variants go to the end.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub enum Fact {
    /// The response was accepted, in the form of old logs; new ones have [`Fact::Accepted`].
    Created {
        /// The response.
        id: ResponseId,
        /// When.
        at: Timestamp,
        /// What was asked for.
        request: Box<PositionalRequest>,
    },
    /// A provider is about to be called.
    AttemptOpening {
        /// Which call.
        attempt: Attempt,
        /// When.
        at: Timestamp,
        /// The provider's name in the configuration.
        provider: String,
        /// The model's name at the provider.
        model: String,
    },
    /// The provider answered with a success and will stream.
    AttemptOpened {
        /// Which call.
        attempt: Attempt,
        /// The provider's own id of its response, where it gives one.
        provider_response_id: Option<String>,
    },
    /// The provider wrote text.
    TextArrived {
        /// Which call.
        attempt: Attempt,
        /// The text.
        text: String,
        /// The upstream's sequence number, where it has one.
        upstream_sequence: Option<u64>,
    },
    /// The provider thought aloud.
    ReasoningArrived {
        /// Which call.
        attempt: Attempt,
        /// The thought.
        text: String,
        /// The upstream's sequence number, where it has one.
        upstream_sequence: Option<u64>,
    },
    /// The provider refuses, in these words.
    RefusalArrived {
        /// Which call.
        attempt: Attempt,
        /// The words.
        text: String,
        /// The upstream's sequence number, where it has one.
        upstream_sequence: Option<u64>,
    },
    /// The provider began to write a function call.
    CallStarted {
        /// Which call of the provider.
        attempt: Attempt,
        /// Which of its function calls.
        call: CallIndex,
        /// The provider's id of the function call.
        call_id: String,
        /// The function.
        name: String,
    },
    /// The provider wrote arguments of a function call.
    ArgumentsArrived {
        /// Which call of the provider.
        attempt: Attempt,
        /// Which of its function calls.
        call: CallIndex,
        /// Argument text.
        text: String,
        /// The upstream's sequence number, where it has one.
        upstream_sequence: Option<u64>,
    },
    /// This server began to run a function call.
    ToolStarted {
        /// Which call of the provider.
        attempt: Attempt,
        /// Which of its function calls.
        call: CallIndex,
    },
    /// A tool that this server ran answered.
    ToolAnswered {
        /// Which call of the provider.
        attempt: Attempt,
        /// Which of its function calls.
        call: CallIndex,
        /// The answer.
        output: String,
    },
    /// A tool that this server ran failed; the model is told.
    ToolFailed {
        /// Which call of the provider.
        attempt: Attempt,
        /// Which of its function calls.
        call: CallIndex,
        /// What the model is told.
        message: String,
    },
    /// The provider reported what an attempt used. A later report of the same attempt replaces it.
    UsageReported {
        /// Which call.
        attempt: Attempt,
        /// What it used.
        usage: Usage,
    },
    /// The provider said that it is finished.
    ProviderFinished {
        /// Which call.
        attempt: Attempt,
        /// Why.
        reason: FinishReason,
    },
    /// The call of the provider failed. Another attempt may follow.
    ProviderFailed {
        /// Which call.
        attempt: Attempt,
        /// Why.
        cause: Cause,
    },
    /// A limit of this server was reached.
    LimitReached {
        /// Which.
        limit: Limit,
    },
    /// Somebody asked to cancel.
    CancelRequested {
        /// When.
        at: Timestamp,
    },
    /// The last client left and did not come back.
    ClientLost {
        /// When.
        at: Timestamp,
    },
    /// The process that ran the response is gone.
    NodeLost {
        /// When.
        at: Timestamp,
    },
    /// The response took longer than it may.
    DeadlinePassed {
        /// When.
        at: Timestamp,
    },
    /// A part of this server that the response needs failed for good.
    ServerFailed {
        /// When.
        at: Timestamp,
        /// Why.
        cause: Cause,
    },
    /// Nothing more will come: the fold decides the ending by what is there. Always the last fact.
    Ended {
        /// When.
        at: Timestamp,
    },
    /// The response was accepted. Always the first fact.
    Accepted {
        /// The response.
        id: ResponseId,
        /// When.
        at: Timestamp,
        /// What was asked for.
        #[serde(with = "json_text")]
        request: Box<Request>,
    },
    /// The provider wrote text, and how probable its tokens were.
    ScoredTextArrived {
        /// Which call.
        attempt: Attempt,
        /// The text.
        text: String,
        /// Its tokens.
        logprobs: Vec<LogProb>,
        /// The upstream's sequence number, where it has one.
        upstream_sequence: Option<u64>,
    },
    /// The provider wrote a note on the text so far.
    AnnotationArrived {
        /// Which call.
        attempt: Attempt,
        /// The note.
        #[serde(with = "json_text")]
        annotation: Extra,
        /// The upstream's sequence number, where it has one.
        upstream_sequence: Option<u64>,
    },
    /// The provider summed up what it thought.
    SummaryArrived {
        /// Which call.
        attempt: Attempt,
        /// Which of the summaries of one thought.
        part: u32,
        /// The text.
        text: String,
        /// The upstream's sequence number, where it has one.
        upstream_sequence: Option<u64>,
    },
    /// The provider gave its thought in a form that only itself can read.
    ReasoningSealed {
        /// Which call.
        attempt: Attempt,
        /// The sealed thought.
        encrypted_content: String,
    },
    /// The provider said that the part it was writing is whole.
    PartFinished {
        /// Which call.
        attempt: Attempt,
    },
    /// The provider said that the message or thought it was writing is whole.
    SpeechFinished {
        /// Which call.
        attempt: Attempt,
        /// What else it says of it.
        #[serde(with = "json_text")]
        extra: Extra,
    },
    /// The provider said that a function call is whole.
    CallFinished {
        /// Which call of the provider.
        attempt: Attempt,
        /// Which of its function calls.
        call: CallIndex,
        /// What else it says of it.
        #[serde(with = "json_text")]
        extra: Extra,
    },
    /// The provider began an item of a kind that this server does not know.
    OtherStarted {
        /// Which call.
        attempt: Attempt,
        /// Which of such items.
        item: CallIndex,
        /// The item, with its `type`.
        #[serde(with = "json_text")]
        fields: Extra,
    },
    /// Something happened to such an item.
    OtherReported {
        /// Which call.
        attempt: Attempt,
        /// Which of such items.
        item: CallIndex,
        /// The event's type.
        event: String,
        /// The event's own fields.
        #[serde(with = "json_text")]
        fields: Extra,
    },
    /// The provider said that such an item is whole.
    OtherFinished {
        /// Which call.
        attempt: Attempt,
        /// Which of such items.
        item: CallIndex,
        /// The item, with its `type`.
        #[serde(with = "json_text")]
        fields: Extra,
    },
    /// What the run is held to. Follows the first fact; clients see nothing of it.
    RunPolicySet {
        /// The run_policy.
        #[serde(with = "json_text")]
        run_policy: Box<RunPolicy>,
    },
    /// When the response is over at the latest. Stands before the first call of a provider.
    DeadlineSet {
        /// When.
        at: Timestamp,
    },
}

impl Fact {
    /// Which call of a provider the fact belongs to, if to one.
    #[must_use]
    pub fn attempt(&self) -> Option<Attempt> {
        match self {
            Self::AttemptOpening { attempt, .. }
            | Self::AttemptOpened { attempt, .. }
            | Self::TextArrived { attempt, .. }
            | Self::ReasoningArrived { attempt, .. }
            | Self::RefusalArrived { attempt, .. }
            | Self::CallStarted { attempt, .. }
            | Self::ArgumentsArrived { attempt, .. }
            | Self::ToolStarted { attempt, .. }
            | Self::ToolAnswered { attempt, .. }
            | Self::ToolFailed { attempt, .. }
            | Self::UsageReported { attempt, .. }
            | Self::ProviderFinished { attempt, .. }
            | Self::ProviderFailed { attempt, .. }
            | Self::ScoredTextArrived { attempt, .. }
            | Self::AnnotationArrived { attempt, .. }
            | Self::SummaryArrived { attempt, .. }
            | Self::ReasoningSealed { attempt, .. }
            | Self::PartFinished { attempt }
            | Self::SpeechFinished { attempt, .. }
            | Self::CallFinished { attempt, .. }
            | Self::OtherStarted { attempt, .. }
            | Self::OtherReported { attempt, .. }
            | Self::OtherFinished { attempt, .. } => Some(*attempt),
            Self::Created { .. }
            | Self::Accepted { .. }
            | Self::LimitReached { .. }
            | Self::CancelRequested { .. }
            | Self::ClientLost { .. }
            | Self::NodeLost { .. }
            | Self::DeadlinePassed { .. }
            | Self::ServerFailed { .. }
            | Self::RunPolicySet { .. }
            | Self::DeadlineSet { .. }
            | Self::Ended { .. } => None,
        }
    }
}
