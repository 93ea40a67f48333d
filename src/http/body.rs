//! Reading a body, bounded, and parsing it.

use std::sync::Arc;

use actix_web::{
    HttpRequest,
    http::header,
    web::{self, Bytes, BytesMut},
};
use futures_util::StreamExt;
use serde::de::{DeserializeOwned, IgnoredAny};

use tokio::time::Instant;

use super::{
    ApiError, HttpOptions, HttpState,
    body_budget::{BodyRoom, LackOfRoom},
};
use crate::domain::{RequestShape, ShapeError};
use crate::protocol::{CreateResponse, Json};

/// Bodies above this size are worked on off the thread that serves connections.
const WORKED_ON_IN_PLACE: usize = 64 * 1024;

/// The body of a request, and the room that it takes.
pub(super) struct RequestBody {
    bytes: Bytes,
    room: Arc<BodyRoom>,
}

impl RequestBody {
    /// Reads a body of JSON. The content type may be missing; if it is there, it must be JSON. Room is taken for what has
    /// arrived, on the account of the key.
    pub(super) async fn read(
        request: &HttpRequest,
        payload: web::Payload,
        key: &str,
        state: &HttpState,
    ) -> Result<Self, ApiError> {
        let HttpOptions { body_limit, body_timeout, .. } = *state.options;
        check_media_type(request)?;
        check_length(request, body_limit)?;
        let room = Arc::new(state.bodies.room(key));
        let read = tokio::time::timeout(body_timeout, collect(payload, body_limit, &room)).await;
        let bytes = read.map_err(|_| ApiError::body_too_slow())?.map_err(|lack| lack.noted(state))?;
        Ok(Self { bytes, room })
    }

    /// The request that it holds. Its shape is known, and room taken for it, before anything is made of it.
    pub(super) async fn request(&self, state: &HttpState) -> Result<CreateResponse, ApiError> {
        let (admission, room) = (Arc::clone(state.antiphon.admission()), Arc::clone(&self.room));
        let read = move |bytes: &[u8]| {
            check_object(bytes)?;
            let shape = RequestShape::of(bytes, admission.limits()).map_err(|error| match error {
                ShapeError::TooMany(violation) => violation.into(),
                ShapeError::NoJson(error) => malformed(&error),
            })?;
            room.take(shape.memory())?;
            parse(bytes).map_err(Unread::Refused)
        };
        self.work_on(read).await?.map_err(|unread| unread.noted(state))
    }

    /// Does work whose time depends on its length.
    pub(super) async fn work_on<T>(&self, work: impl FnOnce(&[u8]) -> T + Send + 'static) -> Result<T, ApiError>
    where
        T: Send + 'static,
    {
        if self.bytes.len() <= WORKED_ON_IN_PLACE {
            return Ok(work(&self.bytes));
        }
        // The work goes on if its client leaves: so long it has its room.
        let (bytes, room) = (self.bytes.clone(), Arc::clone(&self.room));
        let work = move || {
            let done = work(&bytes);
            drop((bytes, room));
            done
        };
        web::block(work).await.map_err(|_| ApiError::internal())
    }

    /// Drops the body, and keeps its room.
    pub(super) fn into_room(self) -> Arc<BodyRoom> {
        self.room
    }
}

/// Why a body is not read to its end.
enum Unread {
    NoRoom(LackOfRoom),
    Refused(ApiError),
}

impl Unread {
    /// The error for the client. Has the log tell of a lack of room, but not of each.
    fn noted(self, state: &HttpState) -> ApiError {
        match self {
            Self::Refused(error) => error,
            Self::NoRoom(lack) => {
                if let Some(requests) = state.refused_bodies.count(Instant::now()) {
                    let bytes = state.body_metrics().held_bytes;
                    tracing::warn!(requests, bytes, "requests were refused: there was no room for their bodies");
                }
                ApiError::no_room_for_body(lack)
            }
        }
    }
}

impl From<LackOfRoom> for Unread {
    fn from(lack: LackOfRoom) -> Self {
        Self::NoRoom(lack)
    }
}

impl From<ApiError> for Unread {
    fn from(error: ApiError) -> Self {
        Self::Refused(error)
    }
}

fn check_length(request: &HttpRequest, limit: usize) -> Result<(), ApiError> {
    let announced = request.headers().get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    match announced.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > limit)) {
        true => Err(ApiError::body_too_large(limit)),
        false => Ok(()),
    }
}

async fn collect(mut payload: web::Payload, limit: usize, room: &BodyRoom) -> Result<Bytes, Unread> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| ApiError::bad_request("The request's body was cut."))?;
        if body.len() + chunk.len() > limit {
            return Err(ApiError::body_too_large(limit).into());
        }
        room.take(chunk.len())?;
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

/// An array would be read as an object's values in their order.
fn check_object(bytes: &[u8]) -> Result<(), ApiError> {
    match bytes.trim_ascii().first() {
        None => Err(ApiError::bad_request("The request has no body; expected a JSON object.")),
        Some(b'{') => Ok(()),
        Some(_) => {
            serde_json::from_slice::<IgnoredAny>(bytes).map_err(|error| malformed(&error))?;
            Err(ApiError::bad_request("The request's body must be a JSON object."))
        }
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
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
    if text.starts_with(Json::TOO_DEEP) {
        return ApiError::parameter(path, format!("Invalid value for '{path}': {}.", Json::TOO_DEEP));
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
