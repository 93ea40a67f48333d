//! Ids in paths.

use actix_web::HttpRequest;

use super::ApiError;
use crate::protocol::ResponseId;

/// The response that a path names.
///
/// What can't be an id of a response is a mistake (400); what could be one but is none is not found (404).
/// No extractor: these run side by side, and nothing may be said before it is known who asks.
pub(super) fn response_id(request: &HttpRequest) -> Result<ResponseId, ApiError> {
    let text = request.match_info().get("response_id").unwrap_or_default();
    text.parse().map_err(|invalid| {
        if text.starts_with(ResponseId::PREFIX) {
            return ApiError::response_not_found(text.chars().take(64).collect::<String>());
        }
        ApiError::parameter("response_id", format!("Invalid value for 'response_id': {invalid}."))
    })
}
