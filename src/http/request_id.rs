//! The id that ties together a client's request, this server's logs and the provider's.

use actix_web::{
    Error, HttpMessage, HttpRequest,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue},
    },
    middleware::Next,
};
use tracing::Instrument;
use uuid::Uuid;

use super::{answer_head, connections::Refused, envelope};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken over from a client.
const MAX_LENGTH: usize = 128;

/// The id of a request.
#[derive(Debug, Clone)]
pub(super) struct RequestId(pub(super) String);

impl RequestId {
    /// The id that the middleware gave the request.
    pub(super) fn of(request: &HttpRequest) -> Self {
        request.extensions().get::<Self>().cloned().unwrap_or_else(Self::made)
    }

    fn made() -> Self {
        Self(format!("req_{}", Uuid::now_v7().simple()))
    }

    /// The client's own id if it is short and of letters, digits and a few signs that mean nothing in a log, else a new
    /// one.
    fn accepted(request: &ServiceRequest) -> Self {
        let given = request.headers().get(X_REQUEST_ID).and_then(|value| value.to_str().ok());
        let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
        let sane = |id: &&str| (1..=MAX_LENGTH).contains(&id.len()) && id.bytes().all(is_safe);
        given.filter(sane).map_or_else(Self::made, |id| Self(id.to_owned()))
    }
}

/// Gives each request its id, puts it on every line that is logged and on every answer, errors included,
/// and sees to it that every error has the envelope.
pub(super) async fn identify<B>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error>
where
    B: MessageBody + 'static,
{
    if request.extensions().contains::<RequestId>() {
        // An app around ours has done it all.
        return next.call(request).await;
    }
    let id = RequestId::accepted(&request);
    let (method, version) = (request.method().clone(), request.version());
    let span = tracing::info_span!("request", request.id = %id.0, http.method = %method);
    // Only visible ASCII was accepted, so it always is a header value.
    let header = HeaderValue::from_str(&id.0).ok();
    request.extensions_mut().insert(id);
    let started = tokio::time::Instant::now();
    let answered = next.call(request).instrument(span.clone()).await;
    let _entered = span.entered();
    match answered {
        Ok(mut answer) => {
            if let Some(header) = header {
                answer.headers_mut().insert(X_REQUEST_ID, header);
            }
            answer_head::complete(answer.response_mut(), version);
            log_answer(&answer, started);
            Ok(answer)
        }
        Err(error) => {
            let mut answer = envelope::enveloped(&error);
            if let Some(header) = header {
                answer.headers_mut().insert(X_REQUEST_ID, header);
            }
            answer_head::complete(&mut answer, version);
            tracing::error!(http.status = answer.status().as_u16(), "http.request.failed");
            Err(InternalError::from_response(error, answer).into())
        }
    }
}

/// One line for each answer; a finer one for what comes in any number without meaning anything: probes, and requests
/// without a valid key or for which no connection was left, which are counted.
fn log_answer<B>(answer: &ServiceResponse<B>, started: tokio::time::Instant) {
    let route = answer.request().match_pattern().unwrap_or_default();
    let status = answer.status();
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let is_refused = answer.request().extensions().contains::<Refused>();
    if is_refused || status == StatusCode::UNAUTHORIZED || route.starts_with("/health/") {
        tracing::debug!(http.route = route, http.status = status.as_u16(), duration_ms, "http.request.answered");
    } else {
        tracing::info!(http.route = route, http.status = status.as_u16(), duration_ms, "http.request.answered");
    }
}
