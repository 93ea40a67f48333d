//! The port to model providers, and its adapters.
//!
//! A provider is asked once per attempt and answers with a stream of events. It knows nothing of responses, logs or
//! clients.

mod anthropic;
mod chat_completions;
mod eliza;
mod finish;
mod gate;
mod http;
mod limits;
mod request;
mod responses;
mod seal;
mod shared;
#[cfg_attr(not(test), expect(dead_code, reason = "the decoders are to read their texts with it"))]
mod text_piece;
mod token_count;
mod upstream_control;

use std::fmt;

use futures_util::future::{self, FutureExt as _, LocalBoxFuture};
use futures_util::stream::LocalBoxStream;

use antiphon_domain::{Cause, Request, Timeouts};

pub use anthropic::{Anthropic, ThinkingForm};
pub use antiphon_domain::ProviderEvent;
pub use chat_completions::{ChatCompletions, ChatForm, OutputLimitField, ReasoningField, SystemMessages};
pub use eliza::Eliza;
pub use gate::{Gate, GateFigures, GateLimits, GateRefusal, Permit, Ticket};
pub use http::{UpstreamError, UpstreamOptions};
pub use limits::UpstreamLimits;
pub use request::ProviderRequest;
pub use responses::Responses;
// What the options hold a key in.
pub use secrecy::SecretString;
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
    /// follows an error. Dropping the stream closes the connection at once. That ends the provider's work, unless the
    /// provider has a [`reattachment`](Self::reattachment): then the work goes on until it is
    /// [cancelled](Reattachment::cancel).
    fn open(&self, request: ProviderRequest) -> LocalBoxStream<'static, Result<Vec<ProviderEvent>, Error>>;

    /// The way back to a call whose connection was lost, at a provider that works on without one.
    fn reattachment(&self) -> Option<&dyn Reattachment> {
        None
    }

    /// The first parameter of a request that this provider can't honour, by its name in the API. Such a request
    /// is refused before anything is written.
    fn unsupported(&self, _request: &Request) -> Option<&'static str> {
        None
    }

    /// Finds out whether the provider can be reached and takes its key, without having it work. The result is only
    /// reported to people and decides nothing.
    fn probe(&self, _timeouts: Timeouts) -> LocalBoxFuture<'static, Result<(), Error>> {
        future::ready(Ok(())).boxed_local()
    }
}

/// What a provider can do that keeps its calls and works on them without a connection.
///
/// Whoever loses its connection, by a crash for example, leaves the work alone, and whoever goes on with the response
/// can listen to it again. Ending the work is an act of the response's owner.
pub trait Reattachment: Send + Sync {
    /// Replays a call that [`open`](Provider::open) once made, by the id that [`ProviderEvent::Opened`] had. The request
    /// is that of the call; the provider is not asked to do anything again.
    ///
    /// The stream has the whole call from its beginning, in the same events as the first time: who received some of it
    /// already can tell by counting. Dropping it leaves the provider's work alone: the call can be replayed once more.
    fn reattach(
        &self,
        request: ProviderRequest,
        provider_response_id: String,
    ) -> LocalBoxStream<'static, Result<Vec<ProviderEvent>, Error>>;

    /// Has the provider end its work on a call. Returns at once, and waits for nothing: if the provider can't be told,
    /// it works on to its end, and only the log says so.
    fn cancel(&self, call: CallToCancel);
}

/// A call that a provider is to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallToCancel {
    /// The id of the request that the call was made for.
    pub request_id: String,
    /// The id that [`ProviderEvent::Opened`] had.
    pub provider_response_id: String,
    /// How long the provider may take.
    pub timeouts: Timeouts,
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
    #[error("the provider sent no further event in time")]
    IdleTimeout,
    /// An answer that is no success.
    #[error("the provider answered with status {status}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// The wait that the provider asked for, as it gave it.
        retry_after: Option<std::time::Duration>,
        /// The kind of its error, as far as that could be read.
        report: Report,
    },
    /// An answer that violates the provider's protocol.
    #[error("the provider broke its protocol: {what}")]
    Protocol {
        /// What was wrong; never a quote.
        what: &'static str,
    },
    /// The provider reported an error in mid-stream.
    #[error("the provider reported an error: {0:?}")]
    Reported(Report),
    /// The connection ended before the provider's end mark.
    #[error("the provider closed the stream before its end")]
    Closed,
}

/// The kind of an error that a provider reports. Its text is not kept: it may quote content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Report {
    /// Too many requests, or too many tokens.
    RateLimited,
    /// The provider can't take the request now.
    Overloaded,
    /// The prompt is longer than the model's context.
    ContextTooLong,
    /// Anything else.
    #[default]
    Other,
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
            Self::Status { report: Report::ContextTooLong, .. } | Self::Reported(Report::ContextTooLong) => {
                Cause::ContextLengthExceeded
            }
            Self::Reported(Report::RateLimited) => Cause::ProviderRateLimited,
            Self::Reported(Report::Overloaded) => Cause::ProviderUnavailable,
            Self::Status { status: 401 | 403, .. } => Cause::ProviderUnauthorized,
            Self::Status { status: 429, .. } => Cause::ProviderRateLimited,
            Self::Status { status: 400..=499, .. } => Cause::ProviderRejected,
            Self::Status { .. } => Cause::ProviderUnavailable,
            Self::Protocol { .. } => Cause::ProviderProtocolError,
            Self::Reported(Report::Other) => Cause::ProviderReportedError,
            Self::Closed => Cause::UpstreamClosed,
        }
    }
}
