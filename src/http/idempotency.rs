//! The header by which a client says that a request is the same as one before.

use actix_web::HttpRequest;

use super::ApiError;

const HEADER: &str = "Idempotency-Key";

const LONGEST: usize = 255;

/// The key of the request, if it has one.
pub(super) fn idempotency_key(request: &HttpRequest) -> Result<Option<String>, ApiError> {
    let mut keys = request.headers().get_all(HEADER);
    let Some(key) = keys.next() else { return Ok(None) };
    let text = key.to_str().ok().filter(|text| is_key(text) && keys.next().is_none());
    let message =
        || format!("Invalid value for the header '{HEADER}': expected 1 to {LONGEST} visible ASCII characters.");
    text.map_or_else(|| Err(ApiError::parameter(HEADER, message())), |text| Ok(Some(text.to_owned())))
}

fn is_key(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
