//! The header that says what is to happen when the last client leaves.

use actix_web::HttpRequest;

use super::ApiError;
use crate::domain::DisconnectMode;

const HEADER: &str = "Antiphon-Disconnect";

/// What the request says, if it does.
pub(super) fn disconnect_mode(request: &HttpRequest) -> Result<Option<DisconnectMode>, ApiError> {
    let Some(value) = request.headers().get(HEADER) else { return Ok(None) };
    match value.as_bytes() {
        b"continue" => Ok(Some(DisconnectMode::Continue)),
        b"cancel" => Ok(Some(DisconnectMode::Cancel)),
        b"grace" => Ok(Some(DisconnectMode::Grace)),
        _ => {
            let message = format!("Invalid value for the header '{HEADER}': expected 'continue', 'cancel' or 'grace'.");
            Err(ApiError::parameter(HEADER, message))
        }
    }
}
