//! Errors as clients see them. With `error_code` and `refusals`, the one place that knows their status codes.

use std::{borrow::Cow, fmt, time::Duration};

use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError, http::StatusCode, http::header};

use super::error_code::ErrorCode;
use crate::protocol::{ErrorBody, ErrorEnvelope, ResponseFailure};

/// An answer that is no success: a status and the JSON envelope, with no detail of the inside.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiError {
    status: StatusCode,
    body: Box<ErrorBody>,
    retry: RetryAdvice,
    allow: Option<&'static str>,
}

/// What clients are told about trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RetryAdvice {
    /// Nothing: they know by the status.
    Unsaid,
    /// It would be the same again.
    Never,
    /// After this long.
    After(Duration),
}

impl ApiError {
    pub(super) fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        let body = ErrorBody { message: message.into(), kind, param: None, code: None };
        Self { status, body: Box::new(body), retry: RetryAdvice::Unsaid, allow: None }
    }

    /// An error with a code, which says its status and its type.
    pub(super) fn coded(code: ErrorCode, message: impl Into<String>) -> Self {
        let mut error = Self::new(code.status(), code.kind(), message);
        error.body.code = Some(code.as_str().into());
        error
    }

    /// The client's own mistake.
    pub(super) fn request(status: StatusCode, message: impl Into<String>) -> Self {
        Self::new(status, "invalid_request_error", message)
    }

    /// A request that can't be read.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::request(StatusCode::BAD_REQUEST, message)
    }

    /// A parameter that can't be honoured.
    pub(super) fn parameter(param: &str, message: impl Into<String>) -> Self {
        Self::bad_request(message).param(param)
    }

    /// A body that took too long to arrive.
    pub(super) fn body_too_slow() -> Self {
        Self::request(StatusCode::REQUEST_TIMEOUT, "The request's body took too long to arrive.")
    }

    /// A body of more than `limit` bytes.
    pub(super) fn body_too_large(limit: usize) -> Self {
        let message = format!("The request's body is too large: at most {limit} bytes are allowed.");
        Self::coded(ErrorCode::RequestTooLarge, message)
    }

    /// A body of a kind that is not read.
    pub(super) fn unsupported_media_type(message: &'static str) -> Self {
        Self::request(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
    }

    /// There is no such route.
    pub(super) fn no_route() -> Self {
        Self::request(StatusCode::NOT_FOUND, "There is no such endpoint.")
    }

    /// The route has no such method.
    pub(super) fn method_not_allowed(allow: &'static str) -> Self {
        let error = Self::request(StatusCode::METHOD_NOT_ALLOWED, "This endpoint does not have this method.");
        Self { allow: Some(allow), ..error }
    }

    /// A bug, or a part of this server that failed.
    pub(super) fn internal() -> Self {
        Self::coded(ErrorCode::ServerError, "The server had an error.").retry(RetryAdvice::Never)
    }

    /// The database is away.
    pub(super) fn database_unavailable() -> Self {
        Self::unavailable(ErrorCode::DatabaseUnavailable, "The server's database is not available. Please try again.")
    }

    /// All connections for clients are taken.
    pub(super) fn no_connection_left() -> Self {
        Self::unavailable(ErrorCode::ServerIsOverloaded, "The server has too many connections. Please retry.")
    }

    /// Something is away for now.
    pub(super) fn unavailable(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::coded(code, message).retry(RetryAdvice::After(Duration::from_secs(1)))
    }

    /// An error that the framework answered with, of which only the status is told.
    pub(super) fn of_status(status: StatusCode) -> Self {
        if status.is_server_error() {
            return Self { status, ..Self::internal() };
        }
        Self::request(status, status.canonical_reason().unwrap_or("The request could not be served."))
    }

    /// Says something else in words.
    pub(super) fn say(&mut self, message: String) {
        self.body.message = message;
    }

    pub(super) fn param(mut self, param: &str) -> Self {
        self.body.param = Some(param.to_owned());
        self
    }

    /// Code and parameter of a response's failure.
    pub(super) fn caused_by(mut self, failure: &ResponseFailure) -> Self {
        self.body.code = Some(failure.code.clone());
        self.body.param.clone_from(&failure.param);
        self
    }

    pub(super) fn retry(mut self, retry: RetryAdvice) -> Self {
        self.retry = retry;
        self
    }

    /// The code, if it is one of this server: one of a provider may quote content.
    fn own_code(&self) -> Option<&'static str> {
        match self.body.code {
            Some(Cow::Borrowed(code)) => Some(code),
            Some(Cow::Owned(_)) | None => None,
        }
    }

    /// The error as it stands in an error event.
    pub(super) fn into_body(self) -> ErrorBody {
        *self.body
    }
}

// The message may quote the request, and content is in no log.
impl fmt::Debug for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiError").field("status", &self.status).field("code", &self.own_code()).finish_non_exhaustive()
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status.as_u16(), self.own_code().unwrap_or(self.body.kind))
    }
}

impl std::error::Error for ApiError {}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        self.retry.write(&mut response);
        if let Some(allow) = self.allow {
            response.insert_header((header::ALLOW, allow));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        response.json(ErrorEnvelope { error: (*self.body).clone() })
    }
}

impl RetryAdvice {
    fn write(self, response: &mut HttpResponseBuilder) {
        match self {
            Self::Unsaid => {}
            Self::Never => {
                response.insert_header(("x-should-retry", "false"));
            }
            Self::After(wait) => {
                let seconds = wait.as_millis().div_ceil(1_000);
                response.insert_header((header::RETRY_AFTER, seconds.to_string()));
                response.insert_header(("retry-after-ms", wait.as_millis().to_string()));
            }
        }
    }
}
