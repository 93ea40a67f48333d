//! What the parts of this server say, as the API says it.

use std::time::Duration;

use actix_web::http::StatusCode;

use super::body_budget::LackOfRoom;
use super::error::{ApiError, RetryAdvice};
use super::error_code::ErrorCode;
use crate::access::AuthError;
use crate::actors::ResponseOutcome;
use crate::domain::{Cause, Offence, Violation};
use crate::protocol::{ResponseId, Status};
use crate::refusal::Refusal;

/// The longest wait that clients are told, whatever a provider asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a client waits before it goes on from a response that still runs.
const BUSY: Duration = Duration::from_secs(1);

/// How long a client waits for what people have to mend.
const LATER: Duration = Duration::from_secs(60);

impl From<Violation> for ApiError {
    fn from(violation: Violation) -> Self {
        let Violation { param, offence, message } = violation;
        let code = match offence {
            Offence::Invalid => return Self::parameter(&param, message),
            Offence::Missing => ErrorCode::MissingRequiredParameter,
            Offence::Unsupported => ErrorCode::UnsupportedParameter,
            Offence::TooLarge => ErrorCode::RequestTooLarge,
            Offence::PreviousNotFound => ErrorCode::PreviousResponseNotFound,
            Offence::UnknownModel => ErrorCode::ModelNotFound,
            Offence::ContextTooLong => ErrorCode::ContextLengthExceeded,
        };
        Self::coded(code, message).param(&param)
    }
}

impl ApiError {
    /// This server is about to stop; another one, or its next start, will do.
    fn restarting() -> Self {
        Self::unavailable(ErrorCode::ServerIsOverloaded, "The server is restarting. Please retry.")
    }

    pub(super) fn response_not_found(id: impl std::fmt::Display) -> Self {
        Self::request(StatusCode::NOT_FOUND, format!("Response with id '{id}' not found."))
    }

    /// A refusal that concerns one response, with its id in the message where there is none.
    pub(super) fn about(id: ResponseId, refusal: Refusal) -> Self {
        if refusal == Refusal::NotFound { Self::response_not_found(id) } else { refusal.into() }
    }

    /// There is no room at the moment.
    pub(super) fn busy(code: ErrorCode, message: &'static str) -> Self {
        Self::coded(code, message).retry(RetryAdvice::After(BUSY))
    }

    fn still_running(id: ResponseId) -> Self {
        let message = format!("The previous response '{id}' is still running. Please retry when it has ended.");
        Self::coded(ErrorCode::ConversationLocked, message)
            .param("previous_response_id")
            .retry(RetryAdvice::After(BUSY))
    }

    fn damaged(id: ResponseId) -> Self {
        let message = format!("What is stored of the response '{id}' is damaged, so nothing was made of it.");
        Self::coded(ErrorCode::StoredResponseDamaged, message)
    }

    /// The requests that are being read leave no room for more bytes.
    pub(super) fn no_room_for_body(lack: LackOfRoom) -> Self {
        match lack {
            LackOfRoom::OfKey => Self::busy(
                ErrorCode::TooManyRequestBytes,
                "The requests of this API key that are being read are too large in all. Please retry later.",
            ),
            LackOfRoom::OfNode => Self::busy(
                ErrorCode::ServerIsOverloaded,
                "The requests that the server is reading are too large in all. Please retry later.",
            ),
        }
    }

    /// The answers that clients have not taken leave no room for another one.
    pub(super) fn no_room_for_answer(lack: LackOfRoom) -> Self {
        match lack {
            LackOfRoom::OfKey => Self::busy(
                ErrorCode::TooManyAnswerBytes,
                "The answers that clients of this API key have not taken are too large in all. Please retry later.",
            ),
            LackOfRoom::OfNode => Self::busy(
                ErrorCode::ServerIsOverloaded,
                "The answers that clients have not taken are too large in all. Please retry later.",
            ),
        }
    }

    /// The same of a request that has made a response: to send it again would make another one.
    pub(super) fn no_room_for_made(id: ResponseId, is_stored: bool, lack: LackOfRoom) -> Self {
        let whose = match lack {
            LackOfRoom::OfKey => "clients of this API key",
            LackOfRoom::OfNode => "clients",
        };
        let advice = if is_stored { "Please retrieve it later." } else { "It is not stored." };
        let mut error = Self::no_room_for_answer(lack).retry(RetryAdvice::Never);
        error.say(format!(
            "The response '{id}' is there, but the answers that {whose} have not taken leave no room for it. {advice}"
        ));
        error
    }

    /// The response of an idempotency key can't be given again.
    fn idempotency_conflict(code: ErrorCode, message: &'static str) -> Self {
        Self::coded(code, message).retry(RetryAdvice::Never)
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        const NOT_STORED: ErrorCode = ErrorCode::IdempotencyResultNotStored;
        match refusal {
            Refusal::Invalid(violation) => violation.into(),
            Refusal::NotFound => Self::request(StatusCode::NOT_FOUND, "Response not found."),
            Refusal::AlreadyEnded(status) => {
                let message = format!("Cannot cancel a {} response.", status.as_str());
                Self::request(StatusCode::BAD_REQUEST, message)
            }
            Refusal::StillRunning(id) => Self::still_running(id),
            Refusal::IdempotencyKeyInUse => Self::key_in_use(),
            Refusal::IdempotencyKeyReused => Self::idempotency_conflict(
                ErrorCode::IdempotencyKeyReused,
                "This Idempotency-Key was used for another request.",
            ),
            Refusal::IdempotencyResultNotStored => Self::idempotency_conflict(
                NOT_STORED,
                "The response to this Idempotency-Key has ended, and it was not stored.",
            ),
            Refusal::IdempotencyResultDeleted => {
                Self::idempotency_conflict(NOT_STORED, "The response to this Idempotency-Key was deleted.")
            }
            Refusal::UserDeleted => Self::unauthorized("The API key is not valid."),
            Refusal::QueueFull => {
                Self::busy(ErrorCode::QueueFull, "Too many responses are waiting. Please retry later.")
            }
            Refusal::KeyBusy => Self::busy(
                ErrorCode::KeyBusy,
                "This API key has too many responses running or waiting. Please retry later.",
            ),
            Refusal::TooManyReads => Self::busy(
                ErrorCode::TooManyReads,
                "Too many reads of responses of this user are waiting. Please retry later.",
            ),
            // A node that has failed takes its server with it, which is started again.
            Refusal::Draining | Refusal::NodeFailed => Self::restarting(),
            Refusal::DatabaseUnavailable => Self::database_unavailable(),
            Refusal::ContentUnavailable => Self::unavailable(
                ErrorCode::ContentUnavailable,
                "The server can't read this response at the moment. Nothing of it is lost. Please retry later.",
            )
            .retry(RetryAdvice::After(LATER)),
            Refusal::Damaged(id) => Self::damaged(id),
            Refusal::NoLease => Self::unavailable(
                ErrorCode::ServerIsOverloaded,
                "The server was cut off from its database and takes no requests for a moment. Please retry.",
            ),
            Refusal::OtherOwner => Self::unavailable(
                ErrorCode::ResponseOnAnotherServer,
                "Another server is working on this response. Please retry.",
            ),
            // Nobody knows how much of it was done: it is not asked for again without the client's word.
            Refusal::Interrupted => Self::coded(ErrorCode::ServerInterrupted, Cause::ServerInterrupted.message()),
            Refusal::NotResponding => {
                Self::unavailable(ErrorCode::ServerIsOverloaded, "A part of the server does not respond. Please retry.")
            }
            Refusal::Internal => Self::internal(),
        }
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::InvalidKey => Self::unauthorized("The API key is not valid."),
            AuthError::Unavailable(cause) => {
                tracing::error!(error = &cause as &dyn std::error::Error, "an API key could not be looked up");
                Self::database_unavailable()
            }
        }
    }
}

impl ApiError {
    pub(super) fn unauthorized(message: &'static str) -> Self {
        Self::coded(ErrorCode::InvalidApiKey, message)
    }

    /// Other requests claim the idempotency key and give it back again and again.
    pub(super) fn key_in_use() -> Self {
        Self::coded(
            ErrorCode::IdempotencyKeyInUse,
            "Another request with this Idempotency-Key is under way. Please retry.",
        )
        .retry(RetryAdvice::After(BUSY))
    }

    /// A response that failed before its client was told anything.
    pub(super) fn failed(outcome: &ResponseOutcome) -> Self {
        let cause = match outcome.status {
            Status::Failed => outcome.cause.unwrap_or(Cause::InternalError),
            Status::Queued | Status::InProgress | Status::Completed | Status::Incomplete | Status::Cancelled => {
                Cause::InternalError
            }
        };
        let status = status_of(cause, outcome);
        let retry = match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                outcome.retry_after.map_or(RetryAdvice::Unsaid, |wait| RetryAdvice::After(wait.min(LONGEST_WAIT)))
            }
            _ => RetryAdvice::Never,
        };
        match &outcome.response.error {
            Some(failure) => Self::new(status, cause.as_str(), failure.message.clone()).caused_by(failure),
            None => Self::new(status, cause.as_str(), cause.message()),
        }
        .retry(retry)
    }
}

fn status_of(cause: Cause, outcome: &ResponseOutcome) -> StatusCode {
    match cause {
        Cause::ProviderUnavailable if outcome.provider_status == Some(503) => StatusCode::SERVICE_UNAVAILABLE,
        Cause::ProviderRejected if outcome.rejection_status == Some(413) => StatusCode::PAYLOAD_TOO_LARGE,
        Cause::ProviderRejected if outcome.rejection_status.is_some() => StatusCode::BAD_REQUEST,
        Cause::ProviderUnreachable
        | Cause::ProviderUnauthorized
        | Cause::ProviderRejected
        | Cause::ProviderUnavailable
        | Cause::ProviderProtocolError
        | Cause::ProviderReportedError
        | Cause::UpstreamClosed
        | Cause::ContentTooLarge => StatusCode::BAD_GATEWAY,
        Cause::ConnectTimeout | Cause::FirstByteTimeout | Cause::IdleTimeout | Cause::DeadlineExceeded => {
            StatusCode::GATEWAY_TIMEOUT
        }
        Cause::ProviderRateLimited | Cause::QueueTimeout => StatusCode::TOO_MANY_REQUESTS,
        Cause::ContextLengthExceeded | Cause::HistoryUnavailable => StatusCode::BAD_REQUEST,
        Cause::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
        Cause::ServerInterrupted
        | Cause::DatabaseUnavailable
        | Cause::ProviderCircuitOpen
        | Cause::ServerOverloaded
        | Cause::ModelUnavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}
