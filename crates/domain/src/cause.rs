//! Why a response did not complete: one closed list for the column, the log, the metric and the wire.

use serde::{Deserialize, Serialize};

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $code:literal, $message:literal;)*) => {
        /// Why a response failed.
        ///
        /// The order is part of the log's encoding: new causes go to the end.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Cause {
            $($(#[$doc])* $name,)*
        }

        impl Cause {
            /// Every cause.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The cause's name in the database, in logs and as `error.type` on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The code of OpenAI's closed list that comes nearest: `error.code` on the wire.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The message for people, without internal detail.
            #[must_use]
            pub const fn message(self) -> &'static str {
                match self { $(Self::$name => $message,)* }
            }

            /// The cause of that name.
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|cause| cause.as_str() == name)
            }
        }
    };
}

causes! {
    /// The provider's address did not answer, or refused the connection.
    ProviderUnreachable = "provider_unreachable", "server_error", "The model provider could not be reached.";
    /// No connection within the connect timeout.
    ConnectTimeout = "connect_timeout", "server_error", "The model provider did not accept a connection in time.";
    /// Connected, but no answer within the first-byte timeout.
    FirstByteTimeout = "first_byte_timeout", "server_error", "The model provider did not answer in time.";
    /// Nothing came for longer than the idle timeout.
    IdleTimeout = "idle_timeout", "server_error", "The model provider fell silent.";
    /// The provider answered 401 or 403: its key is wrong, not the client's.
    ProviderUnauthorized = "provider_unauthorized", "server_error", "The model provider did not accept this server's credentials.";
    /// The provider answered 429.
    ProviderRateLimited = "provider_rate_limited", "rate_limit_exceeded", "The model provider is limiting this server's requests.";
    /// The provider answered another 4xx.
    ProviderRejected = "provider_rejected", "server_error", "The model provider rejected the request.";
    /// The provider answered 5xx.
    ProviderUnavailable = "provider_unavailable", "server_error", "The model provider is not available.";
    /// What the provider sent makes no sense.
    ProviderProtocolError = "provider_protocol_error", "server_error", "The model provider sent something that could not be understood.";
    /// The provider reported an error in mid-stream.
    ProviderReportedError = "provider_reported_error", "server_error", "The model provider reported an error.";
    /// The stream ended without the provider's own end mark.
    UpstreamClosed = "upstream_closed", "server_error", "The model provider closed the stream before its end.";
    /// The output is larger than this server allows.
    ContentTooLarge = "content_too_large", "server_error", "The output is larger than this server allows.";
    /// The response reached its deadline.
    DeadlineExceeded = "deadline_exceeded", "server_error", "The response took longer than it may.";
    /// A part of this server failed.
    InternalError = "internal_error", "server_error", "The server had an error while working on the response.";
    /// The server stopped while the response ran.
    ServerInterrupted = "server_interrupted", "server_error", "The server stopped while working on the response.";
    /// The database was away for longer than the response could wait.
    DatabaseUnavailable = "database_unavailable", "server_error", "The server's database was not available.";
    /// The prompt is longer than the model's context, by the provider's own count.
    ContextLengthExceeded = "context_length_exceeded", "context_length_exceeded", "The input is longer than the model's context.";
    /// The provider failed so often that its circuit breaker is open.
    ProviderCircuitOpen = "provider_circuit_open", "server_error", "The model provider failed repeatedly and is not called for a while.";
    /// No slot became free at the provider within the queue timeout.
    QueueTimeout = "queue_timeout", "rate_limit_exceeded", "No place became free at the model provider in time.";
    /// The previous response was deleted before this one could begin.
    HistoryUnavailable = "history_unavailable", "invalid_prompt", "What the response goes on from is no longer there.";
    /// The model was taken out of the configuration before the response could begin.
    ModelUnavailable = "model_unavailable", "server_error", "The model is no longer available.";
    /// This server had no descriptors, ports or memory left to call the provider.
    ServerOverloaded = "server_overloaded", "server_error", "The server has too much to do to ask the model provider.";
}
