//! The codes of errors, each with the status that it comes with.

use actix_web::http::StatusCode;

/// What `error.code` says of a request that is refused. A code without a status, a type and a name does not compile.
///
/// The failure of a response that was accepted has the code of its [`Cause`](crate::domain::Cause) instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErrorCode {
    MissingRequiredParameter,
    UnsupportedParameter,
    RequestTooLarge,
    ContextLengthExceeded,
    PreviousResponseNotFound,
    ModelNotFound,
    ConversationLocked,
    InvalidApiKey,
    IdempotencyKeyInUse,
    IdempotencyKeyReused,
    IdempotencyResultNotStored,
    QueueFull,
    KeyBusy,
    TooManyReads,
    TooManyReaders,
    TooManyRequestBytes,
    TooManyAnswerBytes,
    ServerIsOverloaded,
    ResponseOnAnotherServer,
    ServerInterrupted,
    DatabaseUnavailable,
    ContentUnavailable,
    StoredResponseDamaged,
    ServerError,
}

impl ErrorCode {
    /// The code on the wire.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::MissingRequiredParameter => "missing_required_parameter",
            Self::UnsupportedParameter => "unsupported_parameter",
            Self::RequestTooLarge => "request_too_large",
            Self::ContextLengthExceeded => "context_length_exceeded",
            Self::PreviousResponseNotFound => "previous_response_not_found",
            Self::ModelNotFound => "model_not_found",
            Self::ConversationLocked => "conversation_locked",
            Self::InvalidApiKey => "invalid_api_key",
            Self::IdempotencyKeyInUse => "idempotency_key_in_use",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::IdempotencyResultNotStored => "idempotency_result_not_stored",
            Self::QueueFull => "queue_full",
            Self::KeyBusy => "key_busy",
            Self::TooManyReads => "too_many_reads",
            Self::TooManyReaders => "too_many_readers",
            Self::TooManyRequestBytes => "too_many_request_bytes",
            Self::TooManyAnswerBytes => "too_many_answer_bytes",
            Self::ServerIsOverloaded => "server_is_overloaded",
            Self::ResponseOnAnotherServer => "response_on_another_server",
            Self::ServerInterrupted => "server_interrupted",
            Self::DatabaseUnavailable => "database_unavailable",
            Self::ContentUnavailable => "content_unavailable",
            Self::StoredResponseDamaged => "stored_response_damaged",
            Self::ServerError => "server_error",
        }
    }

    /// The status that the code always comes with.
    pub(super) const fn status(self) -> StatusCode {
        match self {
            Self::MissingRequiredParameter | Self::UnsupportedParameter | Self::PreviousResponseNotFound => {
                StatusCode::BAD_REQUEST
            }
            Self::RequestTooLarge | Self::ContextLengthExceeded => StatusCode::PAYLOAD_TOO_LARGE,
            Self::ModelNotFound => StatusCode::NOT_FOUND,
            Self::InvalidApiKey => StatusCode::UNAUTHORIZED,
            Self::ConversationLocked
            | Self::IdempotencyKeyInUse
            | Self::IdempotencyKeyReused
            | Self::IdempotencyResultNotStored => StatusCode::CONFLICT,
            Self::QueueFull
            | Self::KeyBusy
            | Self::TooManyReads
            | Self::TooManyReaders
            | Self::TooManyRequestBytes
            | Self::TooManyAnswerBytes => StatusCode::TOO_MANY_REQUESTS,
            Self::ServerIsOverloaded
            | Self::ResponseOnAnotherServer
            | Self::ServerInterrupted
            | Self::DatabaseUnavailable
            | Self::ContentUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::StoredResponseDamaged | Self::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The type of the error: whose fault it is.
    pub(super) const fn kind(self) -> &'static str {
        match self {
            Self::MissingRequiredParameter
            | Self::UnsupportedParameter
            | Self::RequestTooLarge
            | Self::ContextLengthExceeded
            | Self::PreviousResponseNotFound
            | Self::ModelNotFound
            | Self::ConversationLocked
            | Self::InvalidApiKey
            | Self::IdempotencyKeyInUse
            | Self::IdempotencyKeyReused
            | Self::IdempotencyResultNotStored => "invalid_request_error",
            Self::QueueFull
            | Self::KeyBusy
            | Self::TooManyReads
            | Self::TooManyReaders
            | Self::TooManyRequestBytes
            | Self::TooManyAnswerBytes => "rate_limit_error",
            Self::ServerIsOverloaded
            | Self::ResponseOnAnotherServer
            | Self::ServerInterrupted
            | Self::DatabaseUnavailable
            | Self::ContentUnavailable
            | Self::StoredResponseDamaged
            | Self::ServerError => "server_error",
        }
    }
}
