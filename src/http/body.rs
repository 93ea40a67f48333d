//! Reading a body, bounded, and parsing it.

use actix_web::{
    HttpRequest,
    http::header,
    web::{self, Bytes, BytesMut},
};
use futures_util::StreamExt;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::{ApiError, HttpOptions};
use crate::protocol::{Input, Json};

/// Bodies above this size are worked on off the thread that serves connections.
const WORKED_ON_IN_PLACE: usize = 64 * 1024;

/// The body of a request.
pub(super) struct RequestBody(Bytes);

impl RequestBody {
    /// Reads a body of JSON. The content type may be missing; if it is there, it must be JSON.
    pub(super) async fn read(
        request: &HttpRequest,
        payload: web::Payload,
        options: &HttpOptions,
    ) -> Result<Self, ApiError> {
        check_media_type(request)?;
        let read = collect(request, payload, options.body_limit);
        let read = tokio::time::timeout(options.body_timeout, read).await;
        read.map_err(|_| ApiError::body_too_slow())?.map(Self)
    }

    /// What it holds.
    pub(super) async fn json<T>(&self) -> Result<T, ApiError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        self.work_on(parse).await?
    }

    /// Does work whose time depends on its length.
    pub(super) async fn work_on<T>(&self, work: impl FnOnce(&[u8]) -> T + Send + 'static) -> Result<T, ApiError>
    where
        T: Send + 'static,
    {
        if self.0.len() <= WORKED_ON_IN_PLACE {
            return Ok(work(&self.0));
        }
        let bytes = self.0.clone();
        web::block(move || work(&bytes)).await.map_err(|_| ApiError::internal())
    }
}

async fn collect(request: &HttpRequest, mut payload: web::Payload, limit: usize) -> Result<Bytes, ApiError> {
    let announced = request.headers().get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > limit)) {
        return Err(ApiError::body_too_large(limit));
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| ApiError::bad_request("The request's body was cut."))?;
        if body.len() + chunk.len() > limit {
            return Err(ApiError::body_too_large(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn check_media_type(request: &HttpRequest) -> Result<(), ApiError> {
    let unsupported = |message| Err(ApiError::unsupported_media_type(message));
    let kind = request.headers().get(header::CONTENT_TYPE).map(|kind| kind.to_str().unwrap_or_default());
    let essence = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    if essence.is_some_and(|essence| essence != "application/json" && !essence.ends_with("+json")) {
        return unsupported("The request's body must be JSON: 'Content-Type: application/json'.");
    }
    match request.headers().get(header::CONTENT_ENCODING) {
        Some(encoding) if encoding != "identity" => unsupported("The request's body must not be compressed."),
        Some(_) | None => Ok(()),
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    match bytes.trim_ascii().first() {
        None => return Err(ApiError::bad_request("The request has no body; expected a JSON object.")),
        Some(b'{') => {}
        // Or an array would be read as an object's values in their order.
        Some(_) => {
            serde_json::from_slice::<IgnoredAny>(bytes).map_err(|error| malformed(&error))?;
            return Err(ApiError::bad_request("The request's body must be a JSON object."));
        }
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        type_error(&path, error.inner())
    })?;
    deserializer.end().map_err(|error| malformed(&error))?;
    Ok(parsed)
}

fn malformed(error: &serde_json::Error) -> ApiError {
    let message = format!("The request's body is not valid JSON (line {}, column {}).", error.line(), error.column());
    ApiError::bad_request(message)
}

fn type_error(path: &str, error: &serde_json::Error) -> ApiError {
    if !error.is_data() {
        return malformed(error);
    }
    let text = error.to_string();
    let path = if matches!(path, "." | "?") { "" } else { path };
    if let Some(key) = twice(&text) {
        let dot = if path.is_empty() { "" } else { "." };
        let path = format!("{path}{dot}{key}");
        return ApiError::parameter(&path, format!("The parameter '{path}' is given twice."));
    }
    if let Some(why) = [Json::TOO_DEEP, Input::TOO_MANY_ITEMS].into_iter().find(|why| text.starts_with(why)) {
        return ApiError::parameter(path, format!("Invalid value for '{path}': {why}."));
    }
    let expected = expected(&text);
    match path {
        "" => ApiError::bad_request(format!("The request's body is not valid: expected {expected}.")),
        path => ApiError::parameter(path, format!("Invalid type for '{path}': expected {expected}.")),
    }
}

/// The key that an object has twice, if the parser says so.
fn twice(text: &str) -> Option<&str> {
    text.strip_prefix("duplicate field `")?.split('`').next()
}

/// What the parser expected, in words. The rest of its text quotes what it found, however long that is.
fn expected(text: &str) -> String {
    let expected = text.rsplit_once(", expected ").map_or("", |(_, expected)| expected);
    let expected = expected.rsplit_once(" at line").map_or(expected, |(expected, _)| expected);
    let words = match expected {
        "f64" => "a number",
        "i64" => "a whole number",
        "a map" => "an object",
        "a sequence" => "an array",
        object if object.starts_with("struct ") => "an object",
        "" => "another value",
        long if long.len() > 200 => "another value",
        other => other,
    };
    words.to_owned()
}
