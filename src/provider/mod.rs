//! The port to model providers, and its adapters.
//!
//! A provider is asked once per attempt and answers with a stream of what it said. It knows nothing of
//! responses, logs or clients. Imports `protocol` and `domain` only.

mod chat_completions;
mod eliza;
mod gate;
mod limits;
mod sse;
mod upstream_control;

use std::fmt;

use futures_util::stream::LocalBoxStream;

use crate::domain::{CallIndex, Cause, FinishReason, Prompt};
use crate::protocol::Usage;

pub use chat_completions::{
    ChatCompletions, ChatCompletionsError, ChatCompletionsOptions, DEFAULT_CONNECT_TIMEOUT, DEFAULT_FIRST_BYTE_TIMEOUT,
    DEFAULT_IDLE_TIMEOUT, OutputLimitField,
};
pub use eliza::Eliza;
pub use gate::{Gate, GateFigures, GateLimits, GateRefusal, Permit, Ticket};
pub use limits::UpstreamLimits;
pub use upstream_control::{
    BreakerOpen, JitterSource, Pass, UpstreamControl, UpstreamHealth, UpstreamPolicy, random_jitter,
};

/// A source of model output.
///
/// One value serves all arbiters at once. A socket belongs to the runtime that opened it, so adapters keep
/// one client per thread.
pub trait Provider: fmt::Debug + Send + Sync + 'static {
    /// Asks the provider.
    ///
    /// The stream's first batch holds [`ProviderEvent::Opened`], sent as soon as the provider has answered
    /// with a success. A stream that ends without [`ProviderEvent::Finished`] or an error was cut. Nothing
    /// follows an error. Dropping the stream closes the connection at once.
    fn open(&self, request: ProviderRequest) -> LocalBoxStream<'static, Result<Vec<ProviderEvent>, Error>>;
}

/// What a provider is asked.
#[derive(Clone)]
pub struct ProviderRequest {
    /// The id that ties together the client's request, this server's logs and the provider's.
    pub request_id: String,
    /// The model's name at the provider.
    pub model: String,
    /// What is said.
    pub prompt: Prompt,
    /// Sampling temperature; none leaves it to the provider.
    pub temperature: Option<f64>,
    /// Nucleus sampling; none leaves it to the provider.
    pub top_p: Option<f64>,
    /// The most tokens that may come out.
    pub max_output_tokens: u32,
}

// The prompt is content, and content is in no log.
impl fmt::Debug for ProviderRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderRequest")
            .field("request_id", &self.request_id)
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

/// Something a provider said.
#[derive(Clone, PartialEq)]
pub enum ProviderEvent {
    /// The provider answered with a success and will stream.
    Opened {
        /// Its own id of its response, where it gives one this early.
        provider_response_id: Option<String>,
    },
    /// Text.
    Text {
        /// The text; never empty.
        text: String,
        /// The upstream's sequence number, where it has one.
        upstream_sequence: Option<u64>,
    },
    /// A piece of thought.
    Reasoning {
        /// The thought; never empty.
        text: String,
        /// The upstream's sequence number, where it has one.
        upstream_sequence: Option<u64>,
    },
    /// Words of a refusal.
    Refusal {
        /// The words; never empty.
        text: String,
        /// The upstream's sequence number, where it has one.
        upstream_sequence: Option<u64>,
    },
    /// A function call began.
    CallStarted {
        /// Which of the calls.
        call: CallIndex,
        /// The provider's id of it.
        call_id: String,
        /// The function.
        name: String,
    },
    /// Arguments of a function call.
    Arguments {
        /// Which of the calls.
        call: CallIndex,
        /// Argument text; never empty.
        text: String,
        /// The upstream's sequence number, where it has one.
        upstream_sequence: Option<u64>,
    },
    /// What the attempt used. A later report replaces it.
    Usage(Usage),
    /// The provider said that it is finished. Usage may still follow.
    Finished(FinishReason),
}

impl fmt::Debug for ProviderEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Opened { .. } => "opened",
            Self::Text { .. } => "text",
            Self::Reasoning { .. } => "reasoning",
            Self::Refusal { .. } => "refusal",
            Self::CallStarted { .. } => "call_started",
            Self::Arguments { .. } => "arguments",
            Self::Usage(_) => "usage",
            Self::Finished(_) => "finished",
        })
    }
}

/// Why a call of a provider failed. Texts of a provider may quote content, so none is kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No connection.
    #[error("the provider could not be reached")]
    Unreachable,
    /// No connection in time.
    #[error("the provider did not accept a connection in time")]
    ConnectTimeout,
    /// No answer in time.
    #[error("the provider did not answer in time")]
    FirstByteTimeout,
    /// Nothing more came in time.
    #[error("the provider fell silent")]
    IdleTimeout,
    /// An answer that is no success.
    #[error("the provider answered with status {status}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// The wait that the provider asked for, as it gave it.
        retry_after: Option<std::time::Duration>,
    },
    /// Something that is not the provider's protocol.
    #[error("the provider broke its protocol: {what}")]
    Protocol {
        /// What was wrong; never a quote.
        what: &'static str,
    },
    /// The provider reported an error in mid-stream.
    #[error("the provider reported an error")]
    Reported,
    /// The connection ended before the provider's end mark.
    #[error("the provider closed the stream before its end")]
    Closed,
}

impl Error {
    /// The cause that a response ends with if no other attempt follows.
    #[must_use]
    pub fn cause(&self) -> Cause {
        match self {
            Self::Unreachable => Cause::ProviderUnreachable,
            Self::ConnectTimeout => Cause::ConnectTimeout,
            Self::FirstByteTimeout => Cause::FirstByteTimeout,
            Self::IdleTimeout => Cause::IdleTimeout,
            Self::Status { status: 401 | 403, .. } => Cause::ProviderUnauthorized,
            Self::Status { status: 429, .. } => Cause::ProviderRateLimited,
            Self::Status { status: 400..=499, .. } => Cause::ProviderRejected,
            Self::Status { .. } => Cause::ProviderUnavailable,
            Self::Protocol { .. } => Cause::ProviderProtocolError,
            Self::Reported => Cause::ProviderReportedError,
            Self::Closed => Cause::UpstreamClosed,
        }
    }
}
