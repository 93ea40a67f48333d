//! The JSON envelope for what the framework answers by itself.

use actix_web::{Error, HttpResponse, ResponseError as _};

use super::ApiError;

/// An error as it is answered: ours as it is, the framework's by its status alone.
pub(super) fn enveloped(error: &Error) -> HttpResponse {
    match error.as_error::<ApiError>() {
        Some(error) => error.error_response(),
        None => ApiError::of_status(error.as_response_error().status_code()).error_response(),
    }
}

/// The answer of every path that is no endpoint.
pub(super) async fn no_route() -> Result<HttpResponse, ApiError> {
    Err(ApiError::no_route())
}
