//! The codes of errors.

use crate::http::error_code::ErrorCode;

#[test]
fn a_code_comes_with_the_status_and_the_type_that_clients_act_on() {
    for (code, status, kind) in [
        (ErrorCode::MissingRequiredParameter, 400, "invalid_request_error"),
        (ErrorCode::UnsupportedParameter, 400, "invalid_request_error"),
        (ErrorCode::PreviousResponseNotFound, 400, "invalid_request_error"),
        (ErrorCode::InvalidApiKey, 401, "invalid_request_error"),
        (ErrorCode::ModelNotFound, 404, "invalid_request_error"),
        (ErrorCode::ConversationLocked, 409, "invalid_request_error"),
        (ErrorCode::IdempotencyKeyInUse, 409, "invalid_request_error"),
        (ErrorCode::IdempotencyKeyReused, 409, "invalid_request_error"),
        (ErrorCode::IdempotencyResultNotStored, 409, "invalid_request_error"),
        (ErrorCode::RequestTooLarge, 413, "invalid_request_error"),
        (ErrorCode::ContextLengthExceeded, 413, "invalid_request_error"),
        (ErrorCode::QueueFull, 429, "rate_limit_error"),
        (ErrorCode::KeyBusy, 429, "rate_limit_error"),
        (ErrorCode::TooManyReads, 429, "rate_limit_error"),
        (ErrorCode::TooManyAnswerBytes, 429, "rate_limit_error"),
        (ErrorCode::ServerError, 500, "server_error"),
        (ErrorCode::ServerIsOverloaded, 503, "server_error"),
        (ErrorCode::DatabaseUnavailable, 503, "server_error"),
        (ErrorCode::ContentUnavailable, 503, "server_error"),
        (ErrorCode::StoredResponseDamaged, 500, "server_error"),
    ] {
        assert_eq!((code.status().as_u16(), code.kind()), (status, kind), "{}", code.as_str());
    }
}
