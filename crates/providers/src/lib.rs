//! The port to model providers, and its adapters.
//!
//! A provider is asked once per attempt and answers with a stream of events. It knows nothing of responses, logs or
//! clients.

mod answer_ending;
mod anthropic;
mod chat_completions;
mod eliza;
mod error;
mod event_fields;
mod finish;
mod gate;
mod http;
mod lenient;
mod limits;
mod made_call_ids;
#[cfg(test)]
mod odd_json;
mod raw_json;
mod request;
mod responses;
mod said_text;
mod seal;
mod shared;
mod text_piece;
mod token_count;
mod upstream_control;

use std::fmt;

use futures_util::future::{self, FutureExt as _, LocalBoxFuture};
use futures_util::stream::LocalBoxStream;

use antiphon_domain::{Request, Timeouts};

pub use anthropic::{Anthropic, AnthropicOptions, ThinkingForm};
pub use antiphon_domain::ProviderEvent;
pub use chat_completions::{ChatCompletions, ChatForm, OutputLimitField, ReasoningField, SystemMessages};
pub use eliza::Eliza;
pub use error::{Error, Report};
pub use gate::{Gate, GateFigures, GateLimits, GateRefusal, Permit, Ticket};
pub use http::{Flow, SseDecoder, SseFrame, StreamDecoder, UpstreamError, UpstreamOptions};
pub use limits::UpstreamLimits;
pub use request::ProviderRequest;
pub use responses::{Responses, ResponsesForm};
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
    /// follows an error. [`ProviderEvent::Finished`] is the last word on the answer: at most usage follows it, and an
    /// error behind it changes nothing. Dropping the stream closes the connection at once. That ends the provider's work, unless the
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
